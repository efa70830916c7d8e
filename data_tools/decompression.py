"""An archive as a stream of decompressed bytes that a hostile file cannot make endless.

The checksums at the end of gzip, bzip2 and xz are compared when the last byte has been read.
"""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_GROWTH = 20  # of an archive's size, by decompression
ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError)  # of damaged archives
_SPARE = 16_000_000  # bytes that any archive may grow by
_XZ_MEMORY = 24_000_000  # bytes that xz may use besides twice the size of the archive
_PIECE = 1 << 16  # bytes that are decompressed at a time


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class GrowthError(Exception):
    """The archive is compressed beyond measure."""


class Stream:
    """The bytes of an archive, read forward."""

    def __init__(self, path: Path) -> None:
        self.archive_size, self.position = path.stat().st_size, 0
        self._raw = open(path, "rb")
        try:
            self._file = _decompressed(self._raw, 2 * self.archive_size + _XZ_MEMORY)
        except BaseException:
            self._raw.close()
            raise
        self.is_compressed = self._file is not self._raw
        self._limit = MAX_GROWTH * self.archive_size + _SPARE

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def read(self, size: int) -> bytes:
        """Read `size` bytes, or fewer at the end.

        Raises
        ------
        GrowthError
            If a compressed archive grows beyond measure.
        """
        content = self._file.read(size)
        self.position += len(content)
        if self.is_compressed and self.position > self._limit:
            raise GrowthError(f"it unpacks to more than {MAX_GROWTH} times its size")
        return content

    def skip_to(self, position: int) -> None:
        """Skip forward to a position, or to the end if that comes first."""
        if self.is_compressed:
            while self.position < position and self.read(min(position - self.position, _PIECE)):
                pass
        elif position > self.position:
            self.position = self._raw.seek(min(position, self.archive_size))

    def finish(self) -> None:
        """Read the rest of a compressed archive, and so compare its checksums."""
        while self.is_compressed and self.read(_PIECE):
            pass


def is_compressed(path: Path) -> bool:
    """Whether a file is compressed by gzip, bzip2 or xz, whatever its name says."""
    with closing(Stream(path)) as stream:
        return stream.is_compressed


def _decompressed(file: IO[bytes], xz_memory: int) -> "_Readable":
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return io.BufferedReader(_Decompressed(file, _Gzip), _PIECE)
    if start.startswith(b"BZh"):
        return io.BufferedReader(_Decompressed(file, bz2.BZ2Decompressor), _PIECE)
    if start.startswith(b"\xfd7zXZ"):
        limited = partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, xz_memory)
        return io.BufferedReader(_Decompressed(file, limited), _PIECE)
    return file


class _Decoder(Protocol):
    """What bz2 and lzma call a decompressor: of one stream, with as much output as is asked for."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """A decompressor of gzip with the methods of those of bz2 and lzma."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(zlib.MAX_WBITS | 16)  # 16: gzip, with its checksum

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._decoder.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._decoder.decompress(self._decoder.unconsumed_tail + data, max_length)


class _Decompressed(io.RawIOBase):
    """Streams of compressed data, one after another.

    As gzip.GzipFile, bz2.BZ2File and lzma.LZMAFile, but with a limit of memory for xz, whose files
    may ask for 4 GB, and without a Python call for each byte of a name or of padding in gzip.
    """

    def __init__(self, file: IO[bytes], new: Callable[[], _Decoder]) -> None:
        self._file, self._new = file, new
        self._decoder = new()

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Decompress into a buffer.  -> bytes, 0 at the end."""
        view = memoryview(buffer).cast("B")
        piece = b""
        while not piece:
            if self._decoder.eof:
                rest = self._next_stream(self._decoder.unused_data)
                if not rest:
                    return 0
                self._decoder = self._new()
            else:
                rest = self._file.read(_PIECE) if self._decoder.needs_input else b""
            was_hungry = self._decoder.needs_input
            piece = self._decoder.decompress(rest, len(view))
            if was_hungry and not rest and not piece and not self._decoder.eof:
                raise EOFError("the compressed data end too early")
        view[: len(piece)] = piece
        return len(piece)

    def _next_stream(self, rest: bytes) -> bytes:
        """Read on after the end of a stream, over zero bytes of padding."""
        while not (rest := rest.lstrip(b"\0")):
            if not (rest := self._file.read(_PIECE)):
                return b""
        return rest
