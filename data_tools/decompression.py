"""An archive as a stream of decompressed bytes that a hostile file cannot make endless.

The checksums at the end of gzip, bzip2 and xz are compared when the last byte has been read.
"""

import bz2
import gzip
import io
import lzma
import zlib
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
        self._file = _decompressed(self._raw, 2 * self.archive_size + _XZ_MEMORY)
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


def _decompressed(file: IO[bytes], xz_memory: int) -> "_Readable":
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file, mode="rb")
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if start.startswith(b"\xfd7zXZ"):
        return io.BufferedReader(_XzFile(file, xz_memory), _PIECE)
    return file


class _XzFile(io.RawIOBase):
    """As lzma.LZMAFile, but with a limit of memory: a file may ask for 4 GB."""

    def __init__(self, file: IO[bytes], memory: int) -> None:
        self._file, self._memory = file, memory
        self._decoder = self._new()

    def _new(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, self._memory)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Decompress into a buffer.  -> bytes, 0 at the end."""
        view = memoryview(buffer).cast("B")
        piece = b""
        while not piece:
            if self._decoder.eof:
                rest = self._decoder.unused_data.lstrip(b"\0") or self._next_stream()
                if not rest:
                    return 0
                self._decoder = self._new()
            else:
                rest = self._file.read(_PIECE) if self._decoder.needs_input else b""
                if self._decoder.needs_input and not rest:
                    raise EOFError("the compressed data end too early")
            piece = self._decoder.decompress(rest, len(view))
        view[: len(piece)] = piece
        return len(piece)

    def _next_stream(self) -> bytes:
        """Read on after the end of a stream, over zero bytes of padding."""
        while rest := self._file.read(_PIECE):
            if rest := rest.lstrip(b"\0"):
                return rest
        return b""
