import json
import os
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.checkpoints.npz import FORMAT, load_model, read_npz, write_npz
from tervit_np.models import plan_of
from tervit_np.quant import Ternary, UniformAct, UniformWeight

ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "b.weight": np.array([1.5], np.float32)}
META = {"format": FORMAT, "note": "naïve"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


@pytest.fixture
def model():
    config = tv.DeiTConfig(8, 4, 3, 8, 2, 2, distilled=True, drop_path=0.1, mlp_ratio=1.5)
    return tv.DeiT(config, np.random.default_rng(0))


IMAGES = np.random.default_rng(1).normal(size=(2, 3, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("plan", ["float", "int8", "ternary"])
def test_a_model_comes_back_with_its_quantizers(path, model, plan):
    tv.quantize(model, plan)
    tv.save_checkpoint(model, path, extra={"accuracy": 0.5})
    again, extra = load_model(path)
    assert extra == {"accuracy": 0.5}
    assert again.config == model.config
    np.testing.assert_array_equal(again.predict(IMAGES), model.predict(IMAGES))


def test_a_custom_plan_comes_back(path, model):
    plan = tv.quant.Plan(
        [
            (r".*\.mlp\.fc1", Ternary("tensor", 0.4, clip=1.5), UniformAct(6, "minmax", "tensor")),
            (r".*\.products", tv.quant.Identity(), UniformAct(8)),
            (r"head", UniformWeight(4, "tensor"), tv.quant.Identity()),
        ]
    )
    tv.save_checkpoint(tv.quantize(model, plan), path)
    again, _ = load_model(path)
    np.testing.assert_array_equal(again.predict(IMAGES), model.predict(IMAGES))
    for (name, one), (_, two) in zip(model.quantizable(), again.quantizable(), strict=True):
        assert repr(one.weight_quant) == repr(two.weight_quant), name
        assert repr(one.act_quant) == repr(two.act_quant), name


def test_weights_come_back_by_official_name(path, model):
    tv.save_checkpoint(model, str(path))
    state = tv.load_checkpoint(str(path))
    assert list(state) == [name for name, _ in model.named_params()]
    for name, param in model.named_params():
        assert state[name].dtype == np.float32
        np.testing.assert_array_equal(state[name], param.data)


def test_double_precision_comes_back(path):
    model = tv.DeiT(tv.DeiTConfig(8, 4, 3, 8, 1, 2), np.random.default_rng(0), "float64")
    tv.save_checkpoint(model, path)
    again, _ = load_model(path)
    assert again.dtype == np.float64
    np.testing.assert_array_equal(again.head.weight.data, model.head.weight.data)


def test_missing_folders_are_created(tmp_path):
    write_npz(tmp_path / "new" / "folder" / "x.npz", ARRAYS, META)
    arrays, meta = read_npz(tmp_path / "new" / "folder" / "x.npz")
    assert meta == META
    for name, value in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], value)
        assert arrays[name].dtype == value.dtype


class Unwritable:
    """Raises an error when written, as on a full disk."""

    def __array__(self, *_, **__):
        raise OSError(28, "No space left on device")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(path):
    write_npz(path, ARRAYS, META)
    before = path.read_bytes()
    with pytest.raises(OSError, match="No space left"):
        write_npz(path, ARRAYS | {"z": Unwritable()}, META)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_an_interrupted_write_leaves_the_old_file(path, monkeypatch):
    write_npz(path, ARRAYS, META)
    before = path.read_bytes()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_npz(path, {"a": np.zeros(1)}, META)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_any_damage_is_refused_or_harmless(path):
    """Flip each byte in turn: never a wrong value, never another kind of error."""
    write_npz(path, ARRAYS, META)
    good = path.read_bytes()
    refused = 0
    for i in range(len(good)):
        path.write_bytes(good[:i] + bytes([good[i] ^ 0xFF]) + good[i + 1 :])
        try:
            arrays, meta = read_npz(path)
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
        else:
            assert meta == META
            for name, value in arrays.items():
                np.testing.assert_array_equal(value, ARRAYS[name])
    assert refused > len(good) / 2


def test_every_truncated_file_is_refused(path):
    write_npz(path, ARRAYS, META)
    good = path.read_bytes()
    for length in range(len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(ValueError, match="truncated|damaged"):
            read_npz(path)


def saved(array):
    return lambda file: np.save(file, array)


def zipped(file, **arrays):
    np.savez(file, **arrays)


def text(value):
    return np.frombuffer(value.encode(), np.uint8)


STRANGERS = {
    "plain text": (lambda f: f.write(b"hello"), "not a checkpoint of tervit_np"),
    "nothing": (lambda f: None, "not a checkpoint of tervit_np"),
    "one array": (saved(np.ones(3)), "not a checkpoint of tervit_np"),
    "arrays": (lambda f: zipped(f, a=np.ones(2)), "an archive, but not a checkpoint"),
    "words": (lambda f: zipfile.ZipFile(f, "w").writestr("meta", "hi"), "an archive, but not"),
    "pickle": (
        lambda f: zipped(f, meta=np.array([{}], object)),
        "meta is not an array of plain numbers",
    ),
    "no JSON": (lambda f: zipped(f, meta=text("{")), "damaged"),
    "endless JSON": (lambda f: zipped(f, meta=text("[" * 100_000)), "damaged"),
    "a list": (lambda f: zipped(f, meta=text("[1]")), "not a checkpoint of this version"),
    "the future": (
        lambda f: zipped(f, meta=text('{"format": "tervit_np 99"}')),
        "not a checkpoint of this version .expected 'tervit_np 1'",
    ),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", STRANGERS)
def test_other_files_are_refused(path, name):
    write, message = STRANGERS[name]
    with open(path, "wb") as file:
        write(file)
    with pytest.raises(ValueError, match=message):
        tv.load_checkpoint(path)


def test_of_a_packed_file_it_is_said_what_reads_it(tmp_path, model):
    packed = tmp_path / "model.safetensors"
    tv.export(tv.quantize(model, "ternary"), packed)
    with pytest.raises(
        ValueError, match="not an .npz archive.*; load_packed reads .* pretrained reads"
    ):
        load_model(packed)
    weights = packed.rename(tmp_path / "model.bin")
    with pytest.raises(ValueError, match="not an .npz archive\\)$"):
        load_model(weights)


def test_absent_files_and_folders_are_refused(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    for path, words in (
        (tmp_path / "absent.npz", "absent.npz: no such file"),
        (tmp_path / "folder.npz", "folder.npz is a folder; name a file in it"),
        (Path(os.devnull), "is not a regular file"),
    ):
        for load in (tv.load_checkpoint, load_model, tv.load_packed):
            with pytest.raises(ValueError, match=words):
                load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda meta: meta.pop("config"), "description of the model is damaged"),
        (lambda meta: meta.update(model="VGG"), "description of the model is damaged"),
        (lambda meta: meta["config"].update(depth=0), "depth is 0"),
        (lambda meta: meta["config"].update(depth=300_000), "depth is 300000, expected at most"),
        (lambda meta: meta["config"].update(depth=1000), "describes a model of 1000 blocks"),
        (lambda meta: meta["config"].update(dim=60_000), "and holds 35 arrays of"),
        (lambda meta: meta["config"].update(image_size=16_384), "it is damaged, or arrays are"),
        (lambda meta: meta["config"].update(num_classes=2**20), "describes a model"),
        (lambda meta: meta["config"].update(mlp_ratio=1e308), "mlp_ratio is 1e.308, expected"),
        (lambda meta: meta["config"].update(mlp_ratio="x" * 99), "mlp_ratio is 'xxx"),
        (lambda meta: meta["config"].update(patch_size=2**40), "patch_size is 1099511627776"),
        (lambda meta: meta["config"].update(colour="red"), "description of the model is damaged"),
        (lambda meta: meta["config"].update(depth=3), "missing blocks.2.norm1.weight"),
        (lambda meta: meta["config"].update(dim=16), r"cls_token is \(1, 1, 8\)"),
        (lambda meta: meta.update(dtype="int8"), "expected float32 or float64"),
        (lambda meta: meta.update(plan="ternary"), "a plan is a list"),
        (lambda meta: meta.update(plan=[[".*", {"rule": "exec"}, {"rule": "Identity"}]]), "exec"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(path, model, change, message):
    tv.save_checkpoint(model, path)
    arrays, meta = read_npz(path)
    meta = json.loads(json.dumps(meta))
    change(meta)
    write_npz(path, arrays, meta)
    with pytest.raises(ValueError, match=message):
        load_model(path)


@pytest.mark.parametrize(
    "change",
    [
        {"window": 8192, "image_size": 16_384},
        {"window": 64, "image_size": 1024},
        {"depths": [1000, 1000]},
        {"depths": [1] * 100_000, "heads": [1] * 100_000},
        {"dim": 4096},
        {"image_size": 8192, "window": 4},
    ],
)
def test_the_description_of_a_swin_is_bounded_by_its_arrays(path, change):
    """Index tables, masks and parameters are counted before any is allocated."""
    tv.save_checkpoint(tv.create_model("swin_cifar", depths=(1, 2), dim=8), path)
    arrays, meta = read_npz(path)
    write_npz(path, arrays, meta | {"config": meta["config"] | change})
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="model.npz: "):
            load_model(path)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_a_model_that_diverged_is_not_written(path, model):
    tv.save_checkpoint(model, path)
    before = path.read_bytes()
    for value in (np.nan, np.inf):
        model.blocks[1].norm1.bias.data[0] = value
        with pytest.raises(ValueError, match=r"not written: blocks\.1\.norm1\.bias holds NaN"):
            tv.save_checkpoint(model, path)
    assert path.read_bytes() == before


def test_a_description_that_could_not_be_read_again_is_not_written(path, model):
    with pytest.raises(ValueError, match="the description has 2000.* bytes, at most 1500000 fit"):
        tv.save_checkpoint(model, path, extra={"classes": "x" * 2_000_000})
    assert not path.exists()


@pytest.mark.parametrize(("own", "given"), [("lsq", "float"), ("float", "lsq"), ("qema", "lat")])
def test_a_plan_without_what_the_quantizers_have_learned_is_not_written(path, own, given):
    """`load_model` refused the file: it missed scales, or found some that the plan has not."""
    model = tv.quantize(tv.create_model("deit_shapes"), own)
    with pytest.raises(ValueError, match=r"weight_quant\.\w+ belongs to the plan or to the model"):
        tv.save_checkpoint(model, path, plan=given)
    assert not path.exists()


def test_a_plan_may_be_a_name(path):
    tv.save_checkpoint(tv.create_model("deit_shapes"), path, plan="ternary")
    assert repr(plan_of(tv.load_model(path)[0])).count("ternary") == 1


@pytest.mark.parametrize(
    ("extra", "words"),
    [([1], r"extra is \[1\], expected a dictionary"), ({"a": np.float32(1)}, "is no JSON")],
)
def test_extra_that_would_be_lost_is_not_written(path, extra, words):
    with pytest.raises(ValueError, match=words):
        tv.save_checkpoint(tv.create_model("deit_shapes"), path, extra=extra)
    assert not path.exists()


def test_a_buffer_that_could_not_be_loaded_is_not_written(path):
    model = tv.quantize(tv.create_model("deit_shapes"), "qema")
    model.buffers()[0][1].reshape(-1)[0] = np.nan
    with pytest.raises(ValueError, match=r"weight_quant\.\w+ holds NaN or infinite values"):
        tv.save_checkpoint(model, path)
