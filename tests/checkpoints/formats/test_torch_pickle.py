"""Pickles of PyTorch files that were written by hand, in both containers."""

import struct
import time
import zipfile

import numpy as np
import pytest

from tervit_np.checkpoints.formats.torch_file import MAGIC, read_torch
from tervit_np.checkpoints.formats.torch_pickle import TensorReader

NAMES = b"\x8a\x0a" + MAGIC.to_bytes(10, "little")
TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQK\x00K\x02\x85K\x01\x85\x89"
    b"ccollections\nOrderedDict\n)RtR"
)
ITEM = b"X\x01\x00\x00\x00w" + TENSOR + b"s"
DATA = np.array([1, 2], "<f4").tobytes()


def zip_file(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", b"\x80\x02" + content)
        archive.writestr("x/data/0", DATA)
    return path


def older_file(path, content, version=b"M\xe9\x03", keys=b"]X\x01\x00\x00\x000a"):
    parts = [NAMES, version, b"}", content.removesuffix(b"."), keys]
    written = b"".join(b"\x80\x02" + part + b"." for part in parts)
    path.write_bytes(written + struct.pack("<Q", 2) + DATA)
    return path


CONTAINERS = pytest.mark.parametrize("write", [zip_file, older_file])
LENIENT = pytest.mark.parametrize("lenient", [False, True])
DOUBLED = b")" + b"2\x86" * 40
NAMESPACE = b"cargparse\nNamespace\n)\x81"


@CONTAINERS
@LENIENT
def test_a_state_dict_is_read(tmp_path, write, lenient):
    arrays = read_torch(write(tmp_path / "x.pth", b"}" + ITEM + b"."), lenient)
    np.testing.assert_array_equal(arrays["w"], [1, 2])


@CONTAINERS
@LENIENT
@pytest.mark.parametrize(
    "pair",
    [
        b"X\xe9\x03\x00\x00" + b"k" * 1001 + b"N",
        DOUBLED + b"N",
        b"N" + b"\x85" * 50_000 + b"N",
        b"(" + DOUBLED + b"\x91N",
        TENSOR + b"N",
    ],
    ids=["long", "doubled", "deep", "set", "tensor"],
)
def test_keys_are_never_compared_or_hashed(tmp_path, write, lenient, pair):
    """Strict reading refuses such a key, lenient reading leaves the pair out."""
    path = write(tmp_path / "x.pth", b"}" + pair + b"s" + ITEM + b".")
    start = time.process_time()
    if lenient:
        assert list(read_torch(path, True)) == ["w"]
    else:
        with pytest.raises(ValueError, match=r"a key is a \w+, expected a short text"):
            read_torch(path)
    assert time.process_time() - start < 10


@CONTAINERS
def test_many_skipped_objects_as_keys_take_no_time(tmp_path, write):
    keys = b"(" + (b"h\x00)RN") * 60_000 + b"u"
    path = write(tmp_path / "x.pth", b"cabc\nABC\n\x940}" + keys + ITEM + b".")
    start = time.process_time()
    assert list(read_torch(path, lenient=True)) == ["w"]
    assert time.process_time() - start < 10


@pytest.mark.parametrize("version", [DOUBLED, b"]", b"K\x05", b"X\x03\x00\x00\x00abc", b"N"])
def test_another_version_is_refused(tmp_path, version):
    path = older_file(tmp_path / "x.pth", b"}" + ITEM, version)
    with pytest.raises(ValueError, match="another version than 1001"):
        read_torch(path)


@pytest.mark.parametrize("keys", [b"}", b"X\x01\x00\x00\x000", b"]]a", b"]" + DOUBLED + b"a"])
def test_a_damaged_list_of_storages_is_refused(tmp_path, keys):
    with pytest.raises(ValueError, match="its list of storages is damaged"):
        read_torch(older_file(tmp_path / "x.pth", b"}" + ITEM, keys=keys))


@CONTAINERS
@pytest.mark.parametrize(
    "training_state",
    [
        NAMESPACE + b"}X\x02\x00\x00\x00lrK\x01sb",
        b"cnumpy.core.multiarray\nscalar\n)R",
        b"\x8f(K\x01K\x02\x90",
        b"(K\x01icollections\ndeque\n",
        b"(cdatetime\ndate\nK\x01o",
        b"cuuid\nUUID\n)}\x92",
    ],
)
def test_lenient_reading_skips_training_state(tmp_path, write, training_state):
    content = b"}X\x04\x00\x00\x00args" + training_state + b"s" + ITEM + b"."
    assert list(read_torch(write(tmp_path / "x.pth", content), lenient=True)) == ["w"]


@CONTAINERS
@LENIENT
@pytest.mark.parametrize(
    "name", [b"os\nsystem", b"builtins\neval", b"numpy\nload", b"torch\nload", b"pydoc\nlocate"]
)
def test_functions_are_never_called(tmp_path, write, lenient, name):
    called = b"c" + name + b"\n(X\x04\x00\x00\x00exittR"
    path = write(tmp_path / "x.pth", b"}X\x01\x00\x00\x00a" + called + b"s" + ITEM + b".")
    if lenient:
        assert list(read_torch(path, True)) == ["w"]
    else:
        with pytest.raises(ValueError, match=r"it names \w+\.\w+, which is not part of a tensor"):
            read_torch(path)


def test_the_state_dict_of_python_2_is_read():
    pairs = b"ccollections\nOrderedDict\n((lU\x01w" + TENSOR + b"\x86atR."
    (key,) = TensorReader(pairs, 0, False).load()
    assert key == "w"


@pytest.mark.parametrize("arguments", [b"K\x01\x85", b"]K\x01a\x85", b"]K\x01\x85a\x85", b"NN\x86"])
def test_dictionaries_are_made_of_pairs(arguments):
    with pytest.raises(ValueError, match="not made of pairs|wrong number of arguments"):
        TensorReader(b"ccollections\nOrderedDict\n" + arguments + b"R.", 0, False).load()


@CONTAINERS
def test_long_names_of_many_tensors_take_no_memory(tmp_path, write):
    """A kilobyte before each of ten thousand names, from a file of a sixth of that for one."""
    leaves = b"}(" + b"".join(b"X\x04\x00\x00\x00%04dh\x00" % i for i in range(9000)) + b"u"
    inner = TENSOR + b"\x940" + b"}X\xe8\x03\x00\x00" + b"k" * 1000 + leaves + b"s."
    with pytest.raises(ValueError, match="its names have more than 8000000 characters"):
        read_torch(write(tmp_path / "x.pth", inner))


@pytest.mark.parametrize("large", [False, True])
def test_a_long_list_of_members_is_refused_before_it_is_read(tmp_path, large):
    """With the end of usual archives, and with the one for more than 4 GB."""
    entry = b"PK\x01\x02" + bytes(42)
    directory = entry * 60_000
    end = b"PK\x05\x06" + bytes(4) + b"\xff\xff\xff\xff"
    if large:
        size = struct.pack("<QQQQ", 60_000, 60_000, len(directory), 0)
        directory += b"PK\x06\x06" + struct.pack("<QHHII", 44, 45, 45, 0, 0) + size
        directory += b"PK\x06\x07" + struct.pack("<IQI", 0, len(entry) * 60_000, 1)
        end += b"\xff" * 8 + bytes(2)
    else:
        end += struct.pack("<IIH", len(directory), 0, 0)
    (tmp_path / "x.pth").write_bytes(directory + end)
    with pytest.raises(ValueError, match="its list of members is too long"):
        read_torch(tmp_path / "x.pth")


@CONTAINERS
def test_the_number_of_tensors_is_bounded(tmp_path, write):
    more = b"".join(b"X\x05\x00\x00\x00%05dh\x00" % i for i in range(11_000))
    content = b"}X\x01\x00\x00\x00w" + TENSOR + b"\x94s(" + more + b"u."
    with pytest.raises(ValueError, match="names 11001 tensors"):
        read_torch(write(tmp_path / "x.pth", content))


def test_a_shape_of_huge_axes_is_refused():
    axes = b"(" + b"J\xff\xff\xff\x7f" * 31 + b"t(" + b"K\x00" * 31 + b"t"
    content = TENSOR.replace(b"K\x02\x85K\x01\x85", axes)
    with pytest.raises(ValueError, match="a tensor's shape is damaged"):
        TensorReader(content + b".", 0, False).load()
