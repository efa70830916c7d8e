"""Archives of arrays that claim more than they hold, and headers that are not plain."""

import io
import time
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from tervit_np.checkpoints.formats.npz_archive import read_arrays
from tervit_np.checkpoints.npz import is_npz_checkpoint, load_model, read_npz


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.npz"


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def archive_of(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", ">f4", "i8", "i1", "u1", "u4", "?"])
@pytest.mark.parametrize("shape", [(), (3,), (0, 4), (2, 3), (1, 2, 3, 4)])
def test_arrays_of_numbers_are_read(path, dtype, shape):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    stored = {"c": array, "f": array.T}
    np.savez(path, **stored)
    for name, found in read_arrays(path).items():
        np.testing.assert_array_equal(found, stored[name])
        assert (found.dtype, found.shape) == (array.dtype, stored[name].shape)
        assert found.flags.writeable


HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"
DAMAGED = {  # text of the header, with a true CRC
    "no end": HEADER[:-2],
    "a string without an end": HEADER.replace("'<f4'", "'<f4"),
    "unbalanced": HEADER.replace("(2,)", "((2,)"),
    "objects": HEADER.replace("<f4", "|O"),
    "fields": HEADER.replace("'<f4'", "[('a', '<f4')]"),
    "dates": HEADER.replace("<f4", "<M8[s]"),
    "an unknown size": HEADER.replace("<f4", "<f5"),
    "negative": HEADER.replace("(2,)", "(-2,)"),
    "more than there is": HEADER.replace("(2,)", "(2, 1000000000000)"),
    "huge": HEADER.replace("(2,)", f"({'9' * 5000},)"),
    "many axes": HEADER.replace("(2,)", f"({'1, ' * 100}2)"),
    "long": HEADER.replace("(2,)", "(2,)" + " " * 100_000),
    "nested": "(" * 50_000,
    "code": "__import__('os').system('true')",
    "empty": "",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_headers_that_are_not_plain_are_refused(path, kind):
    text = DAMAGED[kind].encode()
    version = 1 if len(text) < 65536 else 2
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    content = b"\x93NUMPY" + bytes([version, 0]) + length + text + bytes(8)
    archive_of(path, {"a": content, "meta": npy(np.zeros(2, np.uint8))})
    with pytest.raises(ValueError, match="x.npz: a damaged checkpoint .a"):
        read_npz(path)


def test_every_bit_of_a_header_is_under_the_checksum(path):
    np.savez(path, meta=np.zeros(2, np.uint8), a=np.ones(3))
    good = path.read_bytes()
    start = good.index(b"{'descr': '<f8'")
    for bit in range(8 * 70):
        bad = bytearray(good)
        bad[start + bit // 8] ^= 1 << bit % 8
        path.write_bytes(bad)
        with pytest.raises(ValueError, match="damaged checkpoint"):
            read_npz(path)


def bounded(path):
    """Read a file that must be refused within a second, twice its size and 32 MB."""
    tracemalloc.start()
    began = time.perf_counter()
    try:
        with pytest.raises(ValueError) as info:
            load_model(path)
        assert tracemalloc.get_traced_memory()[1] < 2 * path.stat().st_size + 32_000_000
        assert time.perf_counter() - began < 10
    finally:
        tracemalloc.stop()
    return str(info.value)


@pytest.mark.parametrize("name", ["a", "meta"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_compressed_members_are_not_unpacked(path, name, compression):
    content = npy(np.zeros(100_000_000, np.uint8))
    members = {"meta": npy(np.zeros(2, np.uint8)), name: content}
    archive_of(path, members, compression)
    assert "is compressed, which checkpoints are not" in bounded(path) or "claim" in bounded(path)


def test_members_that_lie_on_each_other_are_refused(path):
    """A thousand entries of the directory that name the same bytes."""
    data = npy(np.zeros(1_000_000, np.uint8))
    local = zipfile.ZipInfo("meta.npy")
    local.CRC, local.file_size, local.compress_size = zlib.crc32(data), len(data), len(data)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("meta.npy", data)
        info = archive.getinfo("meta.npy")
        for i in range(1000):
            copy = zipfile.ZipInfo(f"a{i}.npy")
            copy.CRC, copy.file_size, copy.compress_size = info.CRC, len(data), len(data)
            copy.header_offset = info.header_offset
            archive.filelist.append(copy)
        archive._didModify = True
    assert "members claim" in bounded(path)


def test_a_long_list_of_members_is_not_read(path):
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(65_000):
            copy = zipfile.ZipInfo(f"{i:020}.npy")
            copy.CRC = copy.file_size = copy.compress_size = copy.header_offset = 0
            archive.filelist.append(copy)
        archive._didModify = True
    assert "not a checkpoint" in bounded(path)
    assert not is_npz_checkpoint(path)


def test_two_members_of_one_name_are_refused(path):
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "w") as archive:
        for value in (1.0, 2.0):
            archive.writestr("a.npy", npy(np.array(value)))
    with pytest.raises(ValueError, match="it holds a twice"):
        read_arrays(path)


def test_what_is_not_an_array_is_refused(path):
    archive_of(path, {"a": b"hello, this is no array at all"})
    with pytest.raises(ValueError, match="a is not an array"):
        read_arrays(path)
