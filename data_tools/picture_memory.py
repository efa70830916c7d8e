"""What a picture may need: the memory of twice its file and 32 MB, and a time to match.

Decoders take a file at its word: a PNG of 20 kB may describe a gigabyte of pixels, and a directory
of EXIF or TIFF may name the same bytes a thousand times. `metadata_bytes` looks at a file before a
decoder does, `fit_in_memory` at what the decoder says before it decodes. A JPEG that is too large
is decoded at a half, a quarter or an eighth of its size; any other picture is refused.
"""

import re
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_SPARE = 29_000_000  # bytes besides the size of the file; the file itself is in memory, too
JPEG = ("JPEG", "MPO")  # Pillow's names
_MAX_SCANS = 100  # of a JPEG; each one visits all pixels
_FRUGAL = (*JPEG, "PNG", "BMP", "DIB", "GIF", "PPM", "TGA", "PCX", "DCX", "MSP", "XBM",
           "TIFF")  # decoded straight into the picture  # fmt: skip
_LOADING = {  # bytes a pixel while it is decoded
    "WEBP": 14,  # 16 in truth, but 1920 x 1080 pixels shall fit
    "AVIF": 14, "JPEG2000": 25, "SGI": 8,
    "BLP": 100, "DDS": 32, "QOI": 16,  # these decoders are slow
}  # fmt: skip
_LOADING_OTHERS = 16
_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}  # others 4
_TEXT = re.compile(rb"zTXt|iTXt|iCCP")  # chunks of a PNG that unpack to 1 MB at most
_TEXT_BYTES = 1_000_000
_ICONS, _ICON_ENTRY = (b"\0\0\1\0", b"\0\0\2\0"), 800  # bytes of an entry of 16 bytes
_NESTED = re.compile(  # headers of pictures in pictures: PNG, JPEG 2000, JPEG
    rb"IHDR(?P<png>.{8})|\xff\x4f\xff\x51.{4}(?P<jpeg2000>.{8})"
    rb"|\xff[\xc0-\xc2]..\x08(?P<jpeg>.{4})",
    re.DOTALL,
)
_DIRECTORY = re.compile(rb"II[*+]\0|MM\0[*+]")
_MAX_DIRECTORIES = 20
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
               16: 8, 17: 8, 18: 8}  # fmt: skip
_STRIPS = (273, 279, 324, 325)  # tags of TIFF: offsets and sizes of strips and tiles
_NUMBER, _STRIP = 40, 300  # bytes of a number in a directory, and of a strip
_COMPRESSION, _ROWS_PER_STRIP, _TILE_WIDTH, _TILE_LENGTH = 259, 278, 322, 323


class TooLargeError(ValueError):
    """The picture would need more memory or time than its file is worth."""


class _Segment(NamedTuple):
    """A part of a JPEG before its pixels."""

    marker: int
    content: bytes


def metadata_bytes(content: bytes) -> int:
    """Return how much memory the metadata of a picture may take.

    Raises
    ------
    TooLargeError
        If that is more than the file is worth, or a JPEG has too many scans.
    """
    size = _TEXT_BYTES * len(_TEXT.findall(content)) if content.startswith(b"\x89PNG") else 0
    if content[:4] in _ICONS:
        size += _ICON_ENTRY * int.from_bytes(content[4:6], "little")
    if content.startswith(b"SIMPLE") and b"ZCMPTYPE" in content:
        raise TooLargeError(
            "compressed FITS files are not read, because they may unpack to any size"
        )
    if content.startswith(b"\xff\xd8"):
        if content.count(b"\xff\xda") > _MAX_SCANS:
            raise TooLargeError(f"it has more than {_MAX_SCANS} scans")
        size += sum(map(_directory_bytes, _jpeg_directories(content)))
    else:
        starts = [match.start() for match in _DIRECTORY.finditer(content)]
        if len(starts) > _MAX_DIRECTORIES:
            raise TooLargeError(f"its metadata begin in {len(starts)} places")
        size += sum(_directory_bytes(content[start:]) for start in starts)
    if size > len(content) + _SPARE:
        raise TooLargeError("its metadata describe more than the file can hold")
    return size


def _jpeg_directories(content: bytes) -> Iterator[bytes]:
    """Yield the directories of EXIF and of further pictures, each put together from its parts."""
    segments = list(_segments(content))
    for marker, name in ((0xE1, b"Exif\0\0"), (0xE2, b"MPF\0")):
        parts = [s.content for s in segments if s.marker == marker and s.content.startswith(name)]
        yield b"".join(part[len(name) :] for part in parts)


def _segments(content: bytes) -> Iterator[_Segment]:
    """Yield the segments of a JPEG up to its first scan, with that one's header."""
    position = 2
    while position + 4 <= len(content):
        marker = content[position + 1]
        if content[position] != 0xFF or marker in (0x01, 0xFF) or 0xD0 <= marker <= 0xD9:
            position += 1  # padding, or damage that decoders skip
            continue
        size = int.from_bytes(content[position + 2 : position + 4], "big")
        yield _Segment(marker, content[position + 4 : position + 2 + size])
        if marker == 0xDA:
            return
        position += 2 + size


def _directory_bytes(block: bytes) -> int:
    """Return the size of all values in the first directory of EXIF or TIFF."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 16:
        return 0
    is_big = struct.unpack(f"{order}H", block[2:4])[0] == 43
    start, head, entry = ("Q", "Q", "HHQ8x") if is_big else ("I", "H", "HHI4x")
    head, entry = f"{order}{head}", f"{order}{entry}"
    (position,) = struct.unpack_from(order + start, block, 8 if is_big else 4)
    if position + struct.calcsize(head) > len(block):
        return 0
    (count,) = struct.unpack_from(head, block, position)
    position += struct.calcsize(head)
    stop = min(position + count * struct.calcsize(entry), len(block))
    stop -= (stop - position) % struct.calcsize(entry)
    values = struct.iter_unpack(entry, block[position:stop])
    return sum(_value_bytes(tag, kind, number, len(block)) for tag, kind, number in values)


def _value_bytes(tag: int, kind: int, count: int, available: int) -> int:
    size = _TYPE_BYTES.get(kind, 0) * count
    if size > available:  # decoders leave it out
        return 0
    numbers = 0 if kind in (1, 2, 6, 7) else count
    return size + numbers * (_STRIP if tag in _STRIPS else _NUMBER)


def fit_in_memory(file: "ImageFile", content: bytes, metadata: int, rotated: bool) -> None:
    """Let a JPEG be decoded at a fraction of its size, if need be.

    Raises
    ------
    TooLargeError
        If the picture would need more memory than its file is worth.
    """
    budget = len(content) + _SPARE - metadata - _buffer_bytes(file, content)
    a_pixel = _loading(file) + _converting(file) + (4 if rotated else 0)
    width, height = file.size
    needed = a_pixel * _pixels(file, content)
    if needed > budget and file.format in JPEG:
        scale = next((s for s in (2, 4, 8) if needed < s * s * budget), 8)
        file.draft(None, (width // scale, height // scale))
        needed = a_pixel * file.width * file.height
    if needed > budget:
        raise TooLargeError(
            f"{width} x {height} pixels need more memory than twice the size of the file and "
            "32 MB; make the picture smaller"
        )


def _pixels(file: "ImageFile", content: bytes) -> int:
    """Return the pixels of the largest picture in the file."""
    pixels = file.width * file.height
    if file.format not in ("ICO", "CUR", "ICNS", "BLP"):
        return pixels
    for match in _NESTED.finditer(content):
        form = ">HH" if match["jpeg"] else ">II"
        width, height = struct.unpack(form, match["png"] or match["jpeg2000"] or match["jpeg"])
        pixels = max(pixels, width * height)
    return pixels


def _loading(file: "ImageFile") -> int:
    """Return the bytes that a pixel takes while it is decoded."""
    if file.format in _FRUGAL:
        return _STORED.get(file.mode, 4)
    return _LOADING.get(file.format or "", _LOADING_OTHERS)


def _converting(file: "ImageFile") -> int:
    """Return the bytes that a pixel takes more while it becomes RGB."""
    if file.mode == "RGB":
        return 0
    return 14 if file.mode.startswith("I") else 4


def _buffer_bytes(file: "ImageFile", content: bytes) -> int:
    """Return the bytes that a decoder takes besides the pixels of the picture."""
    if file.format in JPEG:
        return _coefficient_bytes(file, content)
    tags = getattr(file, "tag_v2", {}) if file.format == "TIFF" else {}
    if tags.get(_COMPRESSION, 1) == 1:
        return 0
    rows = min(int(tags.get(_ROWS_PER_STRIP, file.height)), file.height)
    tile = int(tags.get(_TILE_WIDTH, 0)) * int(tags.get(_TILE_LENGTH, 0))
    return max(2 * _STORED.get(file.mode, 2) * rows * file.width, 8 * tile)


def _coefficient_bytes(file: "ImageFile", content: bytes) -> int:
    """Return the bytes that a JPEG of several scans takes at any scale."""
    frame, scan = b"", b""
    for segment in _segments(content):
        if 0xC0 <= segment.marker <= 0xCF and segment.marker not in (0xC4, 0xC8, 0xCC):
            frame = segment.content
        if segment.marker == 0xDA:
            scan = segment.content
    count = frame[5] if len(frame) > 5 else 0
    factors = [(f >> 4, f & 15) for f in frame[7 : 6 + 3 * count : 3]]
    is_progressive = "progressive" in file.info or "progression" in file.info
    if not factors or (not is_progressive and scan[:1] == frame[5:6]):
        return 0
    most = max(h for h, _ in factors) * max(v for _, v in factors)
    samples = file.width * file.height * sum(h * v for h, v in factors) // max(most, 1)
    return 2 * samples
