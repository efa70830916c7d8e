"""Files written by PyTorch itself, in both containers, and what happens to bad ones."""

import os
import pickle
import zipfile

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.checkpoints.formats.torch_file import read_torch

torch = pytest.importorskip("torch")

OLDER = pytest.mark.parametrize("older", [False, True], ids=["zip", "older"])


def save(value, path, older):
    torch.save(value, path, _use_new_zipfile_serialization=not older)
    return path


def tensors():
    """Every dtype and every layout of a tensor in its storage."""
    base = torch.arange(24.0).reshape(4, 6)
    return {
        "plain": base,
        "transposed": base.T,
        "strided": base[1::2, ::3],
        "expanded": torch.arange(3.0).reshape(3, 1).expand(3, 4),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.ones(2, 2)),
        **{
            str(dtype).removeprefix("torch."): torch.arange(-3, 4).to(dtype)
            for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int8)
        },
        "bool": torch.tensor([True, False]),
    }


@OLDER
def test_every_kind_of_tensor_is_read(tmp_path, older):
    expected = tensors()
    arrays = read_torch(save(expected, tmp_path / "x.pth", older))
    assert list(arrays) == list(expected)
    for name, tensor in expected.items():
        is_bfloat16 = tensor.dtype == torch.bfloat16  # which NumPy does not have
        values = (tensor.float() if is_bfloat16 else tensor).detach().numpy()
        np.testing.assert_array_equal(arrays[name], values, err_msg=name)


@OLDER
@pytest.mark.parametrize("wrapper", [None, "model", "state_dict"])
def test_a_pytorch_state_dict_loads_into_our_model(tmp_path, older, wrapper):
    model = tv.create_model("deit_shapes", depth=2, dim=16, seed=1)
    state = {name: torch.from_numpy(value) for name, value in model.state_dict().items()}
    value = state if wrapper is None else {wrapper: state, "epoch": 3}
    path = save(value, tmp_path / "x.pth", older)
    other = tv.create_model("deit_shapes", depth=2, dim=16, seed=2)
    other.load_state_dict(tv.load_checkpoint(path))
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, other.state_dict()[name])


@OLDER
def test_a_state_dict_with_metadata_is_read(tmp_path, older):
    layer = torch.nn.Linear(3, 2)
    arrays = read_torch(save(layer.state_dict(), tmp_path / "x.pth", older))
    np.testing.assert_array_equal(arrays["weight"], layer.weight.detach().numpy())


@OLDER
def test_training_state_needs_lenient(tmp_path, older):
    import argparse

    value = {
        "model": {"w": torch.ones(2)},
        "args": argparse.Namespace(lr=0.1),
        "best": np.float64(0.5),
    }
    path = save(value, tmp_path / "x.pth", older)
    with pytest.raises(ValueError, match=r"names argparse\.Namespace|names numpy"):
        read_torch(path)
    np.testing.assert_array_equal(read_torch(path, lenient=True)["model.w"], [1, 1])


class Hostile:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@OLDER
@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("function", [os.system, eval, exec, open, __import__])
def test_nothing_is_ever_called(tmp_path, older, lenient, function):
    trap = tmp_path / "trap"
    word = f"touch {trap}" if function is os.system else f"open({str(trap)!r}, 'w')"
    path = save({"w": torch.ones(2), "x": Hostile(function, word)}, tmp_path / "x.pth", older)
    if lenient:
        assert list(read_torch(path, lenient=True)) == ["w"]
    else:
        with pytest.raises(ValueError, match=f"names .*{function.__name__}"):
            read_torch(path)
    assert not trap.exists()


def rebuilt(path, change):
    """Rewrite data.pkl of a zip container."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, change(content) if name.endswith("data.pkl") else content)
    return path


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"K\x04K\x06\x86", b"K\x05K\x06\x86"),  # one row more than the storage has
        (b"K\x06K\x01\x86", b"K\x07K\x01\x86"),  # strides that lead outside
        (b"K\x18t", b"K\x17t"),  # a storage shorter than its file
    ],
)
def test_tensors_outside_their_storage_are_refused(tmp_path, before, after):
    path = save({"w": torch.arange(24.0).reshape(4, 6)}, tmp_path / "x.pth", False)
    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if n.endswith("data.pkl"))
        assert before in archive.read(name)
    rebuilt(path, lambda content: content.replace(before, after))
    with pytest.raises(ValueError, match="outside its storage|bytes, expected"):
        read_torch(path)


@OLDER
def test_mutations_are_read_or_refused(tmp_path, older):
    """Flips, cuts and changed lengths: finite arrays of the right shape, or ValueError."""
    good = save(
        {"w": torch.randn(40, 30), "b": torch.randn(30)}, tmp_path / "g", older
    ).read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "bad.pth"
    refused = 0
    for i in range(400):
        bad = bytearray(good)
        if i % 4 == 0:
            bad = bad[: rng.integers(len(bad))]
        else:
            for _ in range(i % 4):
                bad[rng.integers(len(bad))] = rng.integers(256)
        path.write_bytes(bad)
        try:
            arrays = read_torch(path)
        except ValueError:
            refused += 1
        else:
            assert all(a.size <= 40 * 30 * 100 for a in arrays.values())
    assert refused > 100


@pytest.mark.parametrize("content", [b"", b"hello world", pickle.dumps({"a": 1}), b"PK\x03\x04"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.pth: not a readable PyTorch file"):
        read_torch(path)


@OLDER
def test_tensors_that_would_fill_memory_are_refused(tmp_path, older):
    """One number expanded to a large shape, and many tensors in one storage."""
    path = tmp_path / "x.pth"
    with pytest.raises(ValueError, match="its storages need 4 and its tensors 4000000000"):
        read_torch(save({"w": torch.ones(1).expand(10**9)}, path, older))
    base = torch.ones(1000)
    many = {str(i): base[i:] for i in range(100)}
    with pytest.raises(ValueError, match="its storages need 4000 and its tensors"):
        read_torch(save(many, path, older))


def test_compressed_members_are_refused(tmp_path):
    path = save({"w": torch.zeros(1000)}, tmp_path / "x.pth", False)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match=r"claims \d+ bytes in \d+"):
        read_torch(path)


@pytest.mark.parametrize("code", [b"r\xff\xff\xff\x7f", b"p2000000000\n", b"p-1\n"])
def test_a_large_memo_number_fills_no_memory(tmp_path, code):
    path = tmp_path / "x.pth"
    path.write_bytes(b"\x80\x02}" + code + b".")
    with pytest.raises(ValueError, match="not a readable PyTorch file"):
        read_torch(path)
