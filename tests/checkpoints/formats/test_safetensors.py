import json

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.checkpoints.formats.safetensors import read_safetensors


def file_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize(
    "dtype", ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1"]
)
def test_arrays_survive_a_round_trip(tmp_path, dtype):
    state = {
        "matrix": np.arange(6).reshape(2, 3).astype(dtype),
        "scalar": np.array(1).astype(dtype),
        "empty": np.zeros((0, 3), dtype),
    }
    tv.save_safetensors(state, tmp_path / "x.safetensors")
    arrays, _ = read_safetensors(tmp_path / "x.safetensors")
    for name, value in state.items():
        np.testing.assert_array_equal(arrays[name], value)
        assert arrays[name].dtype == value.dtype
        assert arrays[name].shape == value.shape
    assert arrays["matrix"].flags.writeable


@pytest.mark.parametrize("view", [lambda x: x.T, lambda x: x[::-1], lambda x: x[:, ::2]])
def test_strided_arrays_are_written_in_c_order(tmp_path, view):
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    tv.save_safetensors({"x": view(x)}, tmp_path / "x.safetensors")
    np.testing.assert_array_equal(read_safetensors(tmp_path / "x.safetensors")[0]["x"], view(x))


def test_big_endian_arrays_are_converted(tmp_path):
    tv.save_safetensors({"x": np.arange(3, dtype=">f4")}, tmp_path / "x.safetensors")
    np.testing.assert_array_equal(read_safetensors(tmp_path / "x.safetensors")[0]["x"], [0, 1, 2])


def test_bfloat16_is_widened(tmp_path):
    bits = np.array([1.5, -2.0], np.float32).view(np.uint32) >> 16
    data = bits.astype("<u2").tobytes()
    (tmp_path / "x.safetensors").write_bytes(file_of({"x": entry("BF16", (2,), (0, 4))}, data))
    np.testing.assert_array_equal(read_safetensors(tmp_path / "x.safetensors")[0]["x"], [1.5, -2])


def test_a_model_survives_a_round_trip(tmp_path):
    model = tv.create_model("deit_shapes", depth=1, seed=1)
    tv.save_safetensors(model.state_dict(), tmp_path / "x.safetensors")
    other = tv.create_model("deit_shapes", depth=1, seed=2)
    other.load_state_dict(tv.load_checkpoint(tmp_path / "x.safetensors"))
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, other.state_dict()[name])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "truncated in its header"),
        (b"\x05\x00", "truncated in its header"),
        ((2**40).to_bytes(8, "little") + b"{}", "truncated in its header"),
        (file_of(b"{not json"), "not JSON"),
        (file_of(b"[1, 2]"), "not a JSON object"),
        (file_of({"x": [1]}), "entry of x is damaged"),
        (file_of({"x": entry(shape=[1] * 40 + [2])}, b"12345678"), "or too many"),
        (file_of({"x": entry(), "__metadata__": {"a": 1}}, b"12345678"), "not an object of texts"),
        (file_of({"x": entry(), "__metadata__": [1]}, b"12345678"), "not an object of texts"),
        (file_of(b"[" * 1_600_000), "its header has 1600000 bytes, expected up to"),
        (file_of({"x": entry("F99")}, b"12345678"), "unknown dtype 'F99'"),
        (file_of({"x": entry(shape=(3,))}, b"12345678"), "does not fill its 8 bytes"),
        (file_of({"x": entry(shape=(-2,))}, b"12345678"), "not integers from 0 up"),
        (file_of({"x": entry(shape=(True, 2))}, b"12345678"), "not integers from 0 up"),
        (file_of({"x": entry()}, b"1234"), "truncated"),
        (file_of({"x": entry()}, b"123456789"), "truncated"),
        (file_of({"x": entry(offsets=(8, 16))}, b"1" * 16), "leaves a gap"),
        (file_of({"x": entry(), "y": entry(offsets=(4, 12))}, b"1" * 12), "overlaps"),
        (file_of({"x": entry(shape=(2**62, 2**62), offsets=(0, 8))}, b"1" * 8), "does not fill"),
    ],
)
def test_damaged_files_are_refused(tmp_path, content, words):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read_safetensors(path)


def test_mutations_are_read_or_refused(tmp_path):
    tv.save_safetensors({"w": np.ones((5, 7), np.float32), "b": np.zeros(7)}, tmp_path / "good")
    good = (tmp_path / "good").read_bytes()
    rng, path, refused = np.random.default_rng(0), tmp_path / "x.safetensors", 0
    for i in range(500):
        bad = bytearray(good)
        for position in rng.integers(0, 160, 1 + i % 3):
            bad[position] = rng.integers(256)
        path.write_bytes(bad[: rng.integers(len(bad))] if i % 5 == 0 else bad)
        try:
            assert sum(a.nbytes for a in read_safetensors(path)[0].values()) <= 2 * len(good)
        except ValueError:
            refused += 1
    assert refused > 300


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    tv.save_safetensors({"x": np.ones(3)}, path)
    before = path.read_bytes()

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        tv.save_safetensors({"x": np.zeros(3)}, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


def test_dtypes_without_a_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="x is complex128"):
        tv.save_safetensors({"x": np.ones(2, complex)}, tmp_path / "x.safetensors")


@pytest.mark.parametrize("metadata", [{"epoch": 3}, {3: "epoch"}, {"a": None}, ["a"], "text"])
def test_metadata_that_could_not_be_read_are_refused(tmp_path, metadata):
    with pytest.raises(ValueError, match="metadata is .*; expected {text: text}"):
        tv.save_safetensors({"x": np.ones(2)}, tmp_path / "x.safetensors", metadata)
    assert not list(tmp_path.iterdir())


def test_no_array_has_the_name_of_the_metadata(tmp_path):
    with pytest.raises(ValueError, match="__metadata__ names no array"):
        tv.save_safetensors({"__metadata__": np.ones(2)}, tmp_path / "x.safetensors")
