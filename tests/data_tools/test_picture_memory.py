"""Pictures that are far larger than their files, and metadata that name the same bytes again."""

import gzip
import io
import json
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from data_tools import DataError
from data_tools.picture_memory import TooLargeError, metadata_bytes
from data_tools.pictures import open_picture

MEASURE = """
import json, resource, sys, time
from pathlib import Path
from data_tools import DataError
from data_tools.pictures import open_picture

def status(key):
    return 1024 * int(Path("/proc/self/status").read_text().split(key)[1].split()[0])

results = {}
for small, large in zip(sys.argv[1::2], sys.argv[2::2]):
    open_picture(Path(small).read_bytes(), small)
    content = Path(large).read_bytes()
    Path("/proc/self/clear_refs").write_text("5")
    before, start = status("VmRSS:"), time.process_time()
    try:
        size = open_picture(content, large)[0].size
    except DataError as error:
        size = str(error)
    grown = len(content) + status("VmHWM:") - before
    results[Path(large).stem] = size, grown, len(content), time.process_time() - start
print(json.dumps(results))
"""


def saved(side, kind, mode="RGB", **options):
    buffer = io.BytesIO()
    Image.new(mode, (side, side)).save(buffer, kind, **options)
    return buffer.getvalue()


BOMBS = {  # format, mode, side, options
    "png": ("PNG", "RGB", 4000, {}),
    "png 1 bit": ("PNG", "1", 9000, {}),
    "png fits": ("PNG", "RGBA", 1850, {}),
    "png grey": ("PNG", "L", 2380, {}),
    "gif": ("GIF", "P", 4000, {}),
    "jpeg": ("JPEG", "RGB", 6000, {}),
    "jpeg cmyk": ("JPEG", "CMYK", 4000, {}),
    "jpeg scans": ("JPEG", "RGB", 4000, {"progressive": True}),
    "webp": ("WEBP", "RGB", 2500, {"lossless": True}),
    "tiff": ("TIFF", "RGB", 3000, {"compression": "tiff_deflate"}),
    "tiff strip": ("TIFF", "L", 2000, {"compression": "tiff_lzw", "strip_size": 10**9}),
    "jpeg2000": ("JPEG2000", "RGB", 1500, {}),
    "pcx": ("PCX", "L", 3000, {}),
    "dds": ("DDS", "RGB", 800, {}),
}
READ = {"png fits": [1850, 1850], "png grey": [2380, 2380], "jpeg": [1500, 1500],
        "jpeg cmyk": [1000, 1000], "dds": [800, 800], "tiff strip": [2000, 2000]}  # fmt: skip


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_and_time_are_bounded_by_the_size_of_the_file(tmp_path):
    """A picture fits, is decoded at a fraction of its size (JPEG), or is refused."""
    arguments = []
    for name, (kind, mode, side, options) in BOMBS.items():
        for prefix, pixels in (("small ", 16), ("", side)):
            file = tmp_path / f"{prefix}{name}.x"
            file.write_bytes(saved(pixels, kind, mode, **options))
            arguments.append(str(file))
    run = [sys.executable, "-W", "error", "-c", MEASURE, *arguments]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    for name, (size, grown, file_size, seconds) in json.loads(done.stdout).items():
        assert grown < 2 * file_size + 32e6, name
        assert seconds < 2, name
        if name in READ:
            assert size == READ[name], name
        else:
            assert "the picture is too large: " in size, name


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks, size=(8, 8)):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes((size[0] + 1) * min(size[1], 8))))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def directory(order, entries, tail=0):
    """A directory of EXIF or TIFF: (tag, type, count, offset)."""
    rows = b"".join(struct.pack(f"{order}HHII", *entry) for entry in entries)
    start = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return start + struct.pack(f"{order}H", len(entries)) + rows + bytes(4 + tail)


def jpeg(*segments):
    parts = [b"\xff" + bytes([m]) + struct.pack(">H", len(s) + 2) + s for m, s in segments]
    return b"\xff\xd8" + b"".join(parts) + saved(8, "JPEG")[2:]


OVERLAPPING = [(tag, 7, 30_000, 100) for tag in range(1000, 2700)]
NUMBERS = [(1000, 4, 800_000, 100)]
HOSTILE = {
    "text that unpacks to megabytes": png(
        *[chunk(b"zTXt", b"a%d\0\0" % i + zlib.compress(bytes(900_000))) for i in range(40)]
    ),
    "exif that names the same bytes again": jpeg(
        (0xE1, b"Exif\0\0" + directory("<", OVERLAPPING, 30_000))
    ),
    "the same in a png": png(chunk(b"eXIf", directory(">", OVERLAPPING, 30_000))),
    "tags of a tiff that name the same bytes": directory("<", OVERLAPPING, 30_000),
    "a million numbers": directory(">", NUMBERS, 3_300_000),
    "a million strips": directory("<", [(273, 4, 200_000, 100)], 900_000),
    "a JPEG of many scans": saved(8, "JPEG") + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * 300,
    "a picture in an icon": b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0"
    + struct.pack("<II", 200, 22)
    + png(size=(30_000, 30_000)),
    "fifty thousand icons": b"\0\0\1\0\x50\xc3" + bytes(800_000) + png(),
    "a FITS file that unpacks": b"".join(
        line.ljust(80)
        for line in (b"SIMPLE  =                    T", b"ZCMPTYPE= 'GZIP_1  '", b"END")
    ).ljust(2880)
    + gzip.compress(bytes(20_000_000)),
    "a picture of no height": png(size=(8, 2**31 - 1)),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_metadata_are_refused(content, traced):
    def refuse():
        with pytest.raises(DataError, match="x: (the picture is too large|not a readable picture)"):
            open_picture(content, "x")

    refuse()  # import what is needed
    assert traced(refuse)[1] < 2 * len(content) + 8e6


def test_usual_metadata_are_no_reason_to_refuse():
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8298] = 6, "camera" * 100, "somebody"
    exif[0x9286] = b"x" * 20_000
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        content = saved(64, kind, exif=exif)
        assert metadata_bytes(content) < 1e5
        assert open_picture(content, "x")[1] in ("rotated", "RGB")
    text = png(*[chunk(b"tEXt", b"Comment\0" + b"x" * 5000)] * 50)
    assert open_picture(text, "x")[0].size == (8, 8)


def test_damaged_metadata_never_escape():
    rng = np.random.default_rng(0)
    good = [
        jpeg((0xE1, b"Exif\0\0" + directory("<", OVERLAPPING[:20], 50))),
        directory(">", OVERLAPPING[:20], 50),
        png(chunk(b"eXIf", directory(">", OVERLAPPING[:5], 50))),
        saved(16, "TIFF"),
    ]
    for i in range(2000):
        bad = bytearray(good[i % 4])
        for offset in rng.integers(0, len(bad), 1 + i % 5):
            bad[offset] = rng.integers(256)
        try:
            metadata_bytes(bytes(bad[: rng.integers(len(bad) + 1)]))
        except TooLargeError:
            pass
