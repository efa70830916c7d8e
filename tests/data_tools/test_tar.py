"""Archives that are damaged, that lie about sizes, or that unpack to far more than they are."""

import bz2
import gzip
import io
import lzma
import tarfile
import time
import zlib

import numpy as np
import pytest

from data_tools import DataError, decompression
from data_tools.tar import contents, members

COMPRESSORS = {".tar": bytes, ".tar.gz": gzip.compress, ".tar.bz2": bz2.compress,
               ".tar.xz": lzma.compress}  # fmt: skip


def header(name=b"x", size=b"", kind=b"0", magic=b"ustar\x0000", prefix=b""):
    """A header block with the right checksum."""
    block = bytearray(512)
    for offset, field in ((0, name), (124, size), (156, kind), (257, magic), (345, prefix)):
        block[offset : offset + len(field)] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(content):
    return content + bytes(-len(content) % 512)


def octal(size):
    return b"%011o" % size


def binary(size):
    return b"\x80" + size.to_bytes(11, "big")


def pax(**records):
    lines = b""
    for key, value in records.items():
        record = f" {key.replace('__', '.')}={value}\n".encode()
        size = len(record) + 1
        while len(str(size)) + len(record) != size:
            size += 1
        lines += str(size).encode() + record
    return header(b"pax", octal(len(lines)), b"x") + padded(lines)


END = bytes(1024)
ONE = header(b"one", octal(5)) + padded(b"hello")


def write(folder, raw, suffix=".tar"):
    path = folder / f"x{suffix}"
    path.write_bytes(COMPRESSORS[suffix](raw))
    return path


def read(path):
    return dict(contents(path, lambda name: True))


def test_a_file_whose_first_read_fails_is_closed(tmp_path, monkeypatch):
    opened = []

    def fail(file, memory):
        opened.append(file)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(decompression, "_decompressed", fail)
    with pytest.raises(DataError, match="Input/output error"):
        read(write(tmp_path, ONE + END))
    assert opened[0].closed


@pytest.mark.parametrize("suffix", COMPRESSORS)
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_archives_of_every_form_are_read_as_tarfile_reads_them(tmp_path, suffix, form):
    files = {"a": b"", "b/ä.txt": b"x" * 511, "c/" + "n" * 90 + "/d": b"y" * 513}
    if form != tarfile.USTAR_FORMAT:
        files["long/" * 60 + "name"] = b"z"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1.5
            archive.addfile(info, io.BytesIO(content))
            for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE):
                other = tarfile.TarInfo(f"other{kind}")
                other.type, other.linkname = (
                    kind,
                    "/etc/passwd" * (1 if form == tarfile.USTAR_FORMAT else 20),
                )
                archive.addfile(other)
    path = write(tmp_path, buffer.getvalue(), suffix)
    assert read(path) == files
    assert [member.size for member in members(path) if member.is_plain] == [
        len(c) for c in files.values()
    ]


def test_sizes_in_binary_and_in_pax_headers_are_read(tmp_path):
    for raw in (
        header(b"x", binary(3)) + padded(b"abc"),
        pax(size=3) + header(b"x", octal(0)) + padded(b"abc"),
        header(b"x", b"        3 \0") + padded(b"abc"),
        pax(path="x", comment="y") + header(b"z", octal(3)) + padded(b"abc"),
        header(b"x", octal(3), magic=b"") + padded(b"abc"),
        header(b"g", octal(0), b"g") + header(b"x", octal(3)) + padded(b"abc"),
    ):
        assert read(write(tmp_path, raw + END)) == {"x": b"abc"}
        assert read(write(tmp_path, raw)) == {"x": b"abc"}  # some programs write no end


def test_files_with_holes_are_left_out(tmp_path):
    old = bytearray(header(b"holes", octal(5), b"S", magic=b"ustar  \0"))
    old[482] = 1
    old[148:156] = b" " * 8
    old[148:156] = b"%06o\0 " % sum(old)
    new = pax(GNU__sparse__major=1, GNU__sparse__minor=0) + header(b"more", octal(5))
    raw = bytes(old) + bytes(512) + padded(b"12345") + new + padded(b"12345") + ONE + END
    assert read(write(tmp_path, raw)) == {"one": b"hello"}


HOSTILE = {
    "a size of 2^40": header(b"x", binary(2**40)),
    "a size of 2^90": header(b"x", binary(2**87)),
    "a negative size": header(b"x", b"\xff" * 12),
    "a size beyond the end": header(b"x", octal(10**6)) + bytes(1024),
    "a pax size of thirty digits": pax(size="9" * 30) + header(b"x"),
    "a negative pax size": pax(size=-1) + header(b"x"),
    "a pax size in other digits": pax(size="٣") + header(b"x"),
    "a pax size beyond the end": pax(size=10**12) + header(b"x"),
    "a huge long name": header(b"n", binary(2**40), b"L"),
    "a long name of a megabyte": header(b"n", octal(2**20), b"L") + bytes(2**20) + ONE,
    "a huge pax header": header(b"n", octal(2**33 - 1), b"x"),
    "digits without end in a pax header": header(b"p", octal(5000), b"x") + padded(b"1" * 5000),
    "a pax record longer than its header": header(b"p", octal(6), b"x") + padded(b"99 a=b"),
    "a pax record of no length": header(b"p", octal(6), b"x") + padded(b"0 a=b\n"),
    "a pax record without a value": header(b"p", octal(6), b"x") + padded(b"6 aaa\n"),
    "a map of holes without end": header(b"h", octal(5), b"S")[:482] + b"\1" + bytes(29),
    "a description at the end": pax(path="x"),
    "letters for a size": header(b"x", b"12z"),
    "a wrong checksum": ONE + header(b"x", octal(0)).replace(b"x", b"y") + END,
    "part of a header": ONE + header(b"x", octal(0))[:100],
    "a file cut in its padding": header(b"x", octal(5)) + b"hello",
    "nothing": b"",
    "zeros alone": bytes(10240),
}  # fmt: skip


@pytest.mark.parametrize("suffix", COMPRESSORS)
@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_archives_that_lie_are_refused_at_once(tmp_path, raw, suffix, traced):
    path = write(tmp_path, raw, suffix)

    def refuse():
        with pytest.raises(DataError, match=r"x\.tar.*: (not a readable tar archive|.*unpack it)"):
            read(path)

    start = time.process_time()
    _, peak = traced(refuse)
    assert time.process_time() - start < 10
    assert peak < 10e6  # of which xz takes 8.5


def zeros(kind, size):
    """Compressed zeros, without as many in memory."""
    make = {
        ".tar.gz": lambda: zlib.compressobj(9, zlib.DEFLATED, 31),
        ".tar.bz2": bz2.BZ2Compressor,
        ".tar.xz": lzma.LZMACompressor,
    }[kind]()
    first = make.compress(header(b"bomb", binary(size)))
    rest = [make.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join([first, *rest, make.flush()])


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz"])
@pytest.mark.parametrize("size", [5 << 20, 60 << 20])
def test_bombs_are_refused(tmp_path, suffix, size, traced):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(zeros(suffix, size))

    def refuse():
        with pytest.raises(DataError, match="more than .*; unpack it into a folder"):
            read(path)

    start = time.process_time()
    _, peak = traced(refuse)
    assert peak < 2 * path.stat().st_size + 32e6
    assert time.process_time() - start < 10


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.xz"])
def test_too_many_members_are_refused(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr("data_tools.tar._MAX_MEMBERS", 1000)
    path = write(tmp_path, header(b"x", octal(0)) * 1200 + END, suffix)
    with pytest.raises(DataError, match=r"more than 10\d\d members; unpack it"):
        list(members(path))


def test_a_greedy_xz_dictionary_is_refused(tmp_path):
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 28}]
    path = tmp_path / "x.tar.xz"
    path.write_bytes(lzma.compress(ONE + END, filters=filters))
    with pytest.raises(DataError, match="[Mm]emory usage limit"):
        list(members(path))


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz"])
def test_archives_compressed_in_several_pieces_are_read(tmp_path, suffix):
    raw, compress = ONE + header(b"two", octal(3)) + padded(b"abc") + END, COMPRESSORS[suffix]
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"".join(compress(raw[i : i + 700]) for i in range(0, len(raw), 700)))
    assert read(path) == {"one": b"hello", "two": b"abc"}


GZIP = gzip.compress(ONE + END)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (GZIP[:3] + b"\x08" + GZIP[4:10] + b"n" * 10**7 + b"\0" + GZIP[10:], ["one"]),
        (GZIP[:3] + b"\x10" + GZIP[4:10] + b"c" * 10**7, None),
        (GZIP + bytes(10**7), ["one"]),
        (GZIP + bytes(10**7) + b"x", None),
        (gzip.compress(b"") * 50_000 + GZIP, ["one"]),
        (GZIP + gzip.compress(b"") * 50_000, ["one"]),
    ],
)
def test_names_padding_and_empty_streams_of_gzip_take_no_time(tmp_path, content, names):
    path = tmp_path / "x.tar.gz"
    path.write_bytes(content)
    start = time.process_time()
    if names is None:
        with pytest.raises(DataError, match="not a readable tar archive"):
            list(members(path))
    else:
        assert [member.name for member in members(path)] == names
    assert time.process_time() - start < 10


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz"])
def test_every_flipped_bit_is_found(tmp_path, suffix):
    """Also those that change pixels alone, and those in the checksum itself."""
    rng = np.random.default_rng(0)
    raw = header(b"noise", octal(3000)) + padded(rng.bytes(3000)) + END
    good = COMPRESSORS[suffix](raw)
    path = tmp_path / f"x{suffix}"
    same = refused = 0
    for offset in [*range(len(good) - 40, len(good)), *rng.integers(10, len(good), 300)]:
        bad = bytearray(good)
        bad[offset] ^= 1 << rng.integers(8)
        path.write_bytes(bad)
        try:
            assert read(path) == {"noise": raw[512:3512]}
            same += 1
        except DataError:
            refused += 1
    assert refused > 300 and same < 20
