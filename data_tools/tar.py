"""Read tar archives that may be hostile: POSIX (ustar and pax), GNU and older ones.

An archive is a sequence of blocks of 512 bytes: a header, the contents, the next header. Python's
tarfile believes every size that a header claims, keeps a kilobyte for each member and never
compares the checksum of gzip. Here members are inside the archive, descriptions are short, and the
number of members is bounded by the size of the archive.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from data_tools.decompression import ERRORS, GrowthError, Stream
from data_tools.imageset import DataError

_BLOCK = 512
_MAX_DESCRIPTION = 1 << 16  # bytes of a long name or a pax header
_MAX_MEMBERS, _BYTES_PER_MEMBER = 50_000, 256  # as many, and one more for so many bytes
_ANY_MEMBER = 4_000_000  # bytes that a member may have, however small the compressed archive is
_FOLDER = b"5"
_FILES, _NO_CONTENTS = (b"0", b"\0", b"7"), (b"1", b"2", b"3", b"4", b"5", b"6")
_LONG_NAME, _PAX, _SPARSE = b"L", (b"x", b"X"), b"S"


class TarError(Exception):
    """The archive is damaged or incomplete."""


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    size: int
    is_plain: bool  # no link, device or file with holes
    offset: int  # of its contents in the archive, or in what a compressed one unpacks to


class _Header(NamedTuple):
    """A header block, with what the descriptions before it say."""

    name: str
    size: int
    kind: bytes
    sparse: bool


def members(path: Path) -> Iterator[Member]:
    """Yield each file, link and device; folders are left out.

    Raises
    ------
    DataError
        If the archive is damaged, incomplete, or compressed beyond measure.
    """
    return (member for member, _ in entries(path, lambda _: False))


def contents(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield name and contents of the plain files whose names are wanted; raises as `members`."""
    pairs = entries(path, wanted)
    return ((member.name, content) for member, content in pairs if content is not None)


def entries(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[Member, bytes | None]]:
    """Yield each member, and its contents if it is a plain file whose name is wanted.

    Raises as `members`.
    """
    with _opened(path) as stream:
        for member in _walk(stream):
            is_wanted = member.is_plain and wanted(member.name)
            yield member, _contents(stream, member) if is_wanted else None


@contextmanager
def _opened(path: Path) -> Iterator[Stream]:
    """Open an archive; turn whatever goes wrong while it is read into a DataError."""
    try:
        with closing(Stream(path)) as stream:
            yield stream
            stream.finish()
    except GrowthError as error:
        raise DataError(f"{path}: {error}; unpack it into a folder") from None
    except (TarError, *ERRORS) as error:
        raise DataError(
            f"{path}: not a readable tar archive, perhaps incomplete ({error}); download it again"
        ) from None


def _contents(stream: Stream, member: Member) -> bytes:
    """Read the contents of the member that the stream is at."""
    if stream.is_compressed and member.size > max(stream.archive_size, _ANY_MEMBER):
        raise GrowthError(f"one of its files has {member.size} bytes, more than the whole archive")
    return _exactly(stream, member.size)


def _exactly(stream: Stream, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise TarError("it ends within a file")
    return content


def _walk(stream: Stream) -> Iterator[Member]:
    """Yield the files, each while the stream is at its contents."""
    limit = _MAX_MEMBERS + stream.archive_size // _BYTES_PER_MEMBER
    for count, header in enumerate(_headers(stream)):
        if count > limit:
            raise GrowthError(f"it has more than {limit} members")
        start = stream.position
        size = 0 if header.kind in _NO_CONTENTS else header.size
        if not stream.is_compressed and start + size > stream.archive_size:
            raise TarError(f"a file of {size} bytes reaches beyond its end")
        if header.kind != _FOLDER and not header.name.endswith("/"):
            is_plain = header.kind in _FILES and not header.sparse
            yield Member(header.name, size, is_plain, start)
        stream.skip_to(start + _rounded(size))
        if stream.position < start + _rounded(size):
            raise TarError("it ends within a file")


def _headers(stream: Stream) -> Iterator[_Header]:
    """Yield the headers of members; each must be followed by its contents."""
    described: dict[str, str] = {}
    is_first = True
    while (block := stream.read(_BLOCK)) and (is_first or block.strip(b"\0")):
        is_first = False
        header = _parse(block)
        if header.kind == _LONG_NAME:
            described["path"] = _text(_description(stream, header.size))
        elif header.kind in _PAX:
            described |= _pax_records(_description(stream, header.size))
        elif header.kind in (b"K", b"g"):
            _description(stream, header.size)
        else:
            if header.kind == _SPARSE:
                _skip_map(stream, block)
            yield _described(header, described)
            described = {}
    if is_first or described:
        raise TarError("it is empty" if is_first else "it ends after a description")


def _parse(block: bytes) -> _Header:
    """Read a header block."""
    if len(block) < _BLOCK:
        raise TarError("it ends within a header")
    counted = block[:148] + b" " * 8 + block[156:]
    total = _number(block[148:156])
    # Some old programs counted bytes as signed numbers.
    if total != sum(counted) and total != sum(memoryview(counted).cast("b")):
        raise TarError("the checksum of a header is wrong")
    name = _text(block[:100])
    if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
        name = f"{prefix}/{name}"
    return _Header(name, _number(block[124:136]), block[156:157], False)


def _described(header: _Header, described: dict[str, str]) -> _Header:
    """Replace what the descriptions say better."""
    size = described.get("size", "")
    if size and not (size.isascii() and size.isdigit() and len(size) < 16):
        raise TarError("a size is damaged")
    is_sparse = header.kind == _SPARSE or any(key.startswith("GNU.sparse") for key in described)
    name = described.get("path", header.name)
    return _Header(name, int(size or header.size), header.kind, is_sparse)


def _number(field: bytes) -> int:
    """Read an octal number or, if the highest bit is set, a binary one."""
    if field[0] >= 0x80:
        return int.from_bytes(field[1:], "big") | (field[0] & 0x7F) << 8 * len(field[1:])
    digits = field.split(b"\0")[0].strip()
    if digits.strip(b"01234567"):
        raise TarError("a number in a header is damaged")
    return int(digits or b"0", 8)


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("utf-8", "surrogateescape")


def _rounded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _description(stream: Stream, size: int) -> bytes:
    """Read a long name or a pax header."""
    if size > _MAX_DESCRIPTION:
        raise TarError(f"a name or a description has {size} bytes")
    return _exactly(stream, _rounded(size))[:size]


def _pax_records(content: bytes) -> dict[str, str]:
    """Read lines of the form "LENGTH KEY=VALUE"; the length counts all of the line."""
    records, position = {}, 0
    while position < len(content):
        length, space, _ = content[position : position + 8].partition(b" ")
        if not space or not length.isdigit() or int(length) < 5:
            raise TarError("a pax header is damaged")
        record = content[position + len(length) + 1 : position + int(length)]
        key, equals, value = record.partition(b"=")
        if not equals or position + int(length) > len(content) or record[-1:] != b"\n":
            raise TarError("a pax header is damaged")
        records[_text(key)] = value[:-1].decode("utf-8", "surrogateescape")
        position += int(length)
    return records


def _skip_map(stream: Stream, block: bytes) -> None:
    """Skip the blocks after an old GNU header that say where the holes of a file are."""
    more = block[482]
    while more:
        more = _exactly(stream, _BLOCK)[504]
