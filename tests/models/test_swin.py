from dataclasses import replace

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.analysis.attention import attention_map
from tervit_np.losses import cross_entropy
from tervit_np.verify.adjoint import LIMIT, adjoint_checks
from tervit_np.verify.frozen import freeze
from tervit_np.verify.golden import filled_model, forward_backward, inputs
from tests.checks import ROUNDOFF64
from tests.golden.golden import SWIN_CASES, fingerprint, stored

COUNTS = {"tiny": 28_288_354, "small": 49_606_258, "base": 87_768_224}


def errors(case, dtype):
    """Yield (name, relative error) of logits, loss and the fingerprint of every gradient."""
    config = SWIN_CASES[case]
    ours = fingerprint(forward_backward(filled_model(config, dtype), *inputs(config, 2)))
    golden = {k: stored("swin")[f"{case}/{k}"] for k in ("logits", "loss", "names", "gradients")}
    assert set(ours["names"]) == set(golden["names"])
    for name in ("logits", "loss"):
        yield name, np.abs(ours[name] - golden[name]).max() / np.abs(golden[name]).max()
    rows = dict(zip(ours["names"], ours["gradients"], strict=True))
    for name, expected in zip(golden["names"], golden["gradients"], strict=True):
        yield name, np.abs(rows[name] - expected).max() / expected[0]


@pytest.mark.parametrize("case", SWIN_CASES)
def test_float64_matches_the_golden_values(case):
    for name, error in errors(case, "float64"):
        assert error < ROUNDOFF64, name


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("case", SWIN_CASES)
def test_float32_matches_the_golden_values(case, backend):
    if backend == "numba":
        pytest.importorskip("numba")
    with tv.backend(backend):
        for name, error in errors(case, "float32"):
            assert error < (2e-5 if name in ("logits", "loss") else 3e-4), name


@pytest.mark.parametrize("plan", ["float", "ternary"])
@pytest.mark.parametrize("case", ["window 2", "window 4", "window 8, shrinking"])
def test_every_gradient_matches_differences(case, plan):
    config = SWIN_CASES[case]
    model = freeze(tv.quantize(filled_model(config), plan))
    checks = list(adjoint_checks(model, inputs(config, 2)[0], np.random.default_rng(0)))
    assert max(d.error for d in checks) < LIMIT, max(checks, key=lambda d: d.error).name


@pytest.mark.parametrize("plan", ["float", "ternary"])
def test_every_gradient_matches_differences_after_a_stem(monkeypatch, plan):
    monkeypatch.setattr("tervit_np.nn.Conv3Stem.WIDTHS", (3, 5))
    config = replace(SWIN_CASES["window 2"], image_size=16, patch_size=4, stem="conv3")
    model = freeze(tv.quantize(filled_model(config), plan))
    images = inputs(config, 2)[0]
    checks = list(adjoint_checks(model, images, np.random.default_rng(0)))
    assert {"patch_embed.conv1.weight", "patch_embed.norm.bias"} <= {c.name for c in checks}
    assert max(c.error for c in checks) < LIMIT, max(checks, key=lambda c: c.error).name


@pytest.mark.parametrize(
    "size", [pytest.param(s, marks=() if s == "tiny" else pytest.mark.slow) for s in COUNTS]
)
def test_parameters_are_counted_as_published(size):
    model = tv.create_model(f"swin_{size}_patch4_window7_224")
    assert model.num_params() == COUNTS[size]
    assert len(model.named_params()) == (173 if size == "tiny" else 329)


def test_names_and_their_order_are_the_official_ones():
    names = [n for n, _ in tv.create_model("swin_cifar").named_params()]
    embed = [f"patch_embed.{m}.{p}" for m in ("proj", "norm") for p in ("weight", "bias")]
    assert names[:4] == embed
    block = "layers.0.blocks.1"
    assert [n for n in names if n.startswith(block)] == [
        f"{block}.{name}"
        for name in (
            "norm1.weight", "norm1.bias", "attn.relative_position_bias_table", "attn.qkv.weight",
            "attn.qkv.bias", "attn.proj.weight", "attn.proj.bias", "norm2.weight", "norm2.bias",
            "mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias",
        )
    ]  # fmt: skip
    assert [n for n in names if "downsample" in n] == [
        f"layers.0.downsample.{n}" for n in ("reduction.weight", "norm.weight", "norm.bias")
    ]
    assert names[-4:] == ["norm.weight", "norm.bias", "head.weight", "head.bias"]


def test_the_ternary_plan_covers_blocks_and_merging():
    model = tv.quantize(tv.create_model("swin_cifar"), "ternary")
    ternary = [n for n, m in model.quantizable() if isinstance(m.weight_quant, tv.quant.Ternary)]
    assert "layers.0.downsample.reduction" in ternary
    assert "layers.1.blocks.3.mlp.fc2" in ternary
    assert not {"head", "patch_embed.proj"} & set(ternary)


def test_sixteen_images_are_memorised():
    model = tv.create_model("swin_cifar", image_size=16, dim=16, depths=(2, 2), window=2, seed=1)
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(16, 3, 16, 16)).astype(np.float32), np.arange(16) % 10
    optimizer = tv.AdamW(model.named_params(), 5e-3, weight_decay=0.0)
    for _ in range(80):
        model.zero_grad()
        logits, cache = model.forward(images, train=True, rng=rng)
        loss, dlogits = cross_entropy(logits, labels)
        model.backward(dlogits, cache, input_grad=False)
        optimizer.step()
    assert loss < 0.02


def test_a_saved_model_comes_back(tmp_path):
    model = tv.quantize(tv.create_model("swin_cifar", depths=(1, 1), seed=3), "ternary")
    tv.save_checkpoint(model, tmp_path / "swin.npz")
    loaded, _ = tv.load_model(tmp_path / "swin.npz")
    x = np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32)
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))


def test_attention_maps_average_to_one():
    x = np.random.default_rng(0).normal(size=(3, 3, 32, 32)).astype(np.float32)
    maps = attention_map(tv.create_model("swin_cifar"), x)
    assert maps.shape == (3, 4, 4)
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"heads": (2,)}, "differ in length"),
        ({"heads": (3, 4)}, "not a multiple of 3 heads"),
        ({"window": 3}, "does not split into windows of 3"),
        ({"image_size": 20}, "does not split into windows|does not halve"),
        ({"gelu": "relu"}, "gelu is 'relu'; expected one of erf, tanh"),
        ({"init": "he"}, "init is 'he'; expected one of deit, xavier"),
        ({"stem": "conv"}, "stem is 'conv'; expected one of linear, conv3"),
        ({"stem": "conv3", "patch_size": 2}, "conv3 stem needs patch_size 4, found 2"),
        ({"dim": 0}, "dim is 0, expected a positive integer"),
        ({"drop_path": 1.0}, r"drop_path is 1\.0"),
        ({"depths": (1,) * 11}, "there are 11 depths, expected 1 to 10"),
        ({"depths": 2}, r"depths is 2, expected a size for each stage, such as \(2, 4\)"),
        ({"heads": None}, "heads is None, expected a size for each stage"),
        ({"depths": "24"}, "depth is '2', expected a positive integer"),
        ({"depths": (True, 1)}, "depth is True, expected a positive integer"),
        ({"window": 2**15}, "window is 32768, expected at most 16384"),
        ({"mlp_ratio": float("inf")}, "mlp_ratio is inf, expected a number up to 256"),
    ],
)
def test_invalid_configurations_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        tv.create_model("swin_cifar", **change)


@pytest.mark.parametrize("depths", [[2, 1], np.array([2, 1]), [np.int64(2), 1], (np.int8(2), 1)])
def test_sizes_of_stages_may_be_of_numpy(depths):
    """Stored as Python's, which JSON has."""
    config = tv.create_model("swin_cifar", depths=depths).config
    assert config.depths == (2, 1)
    assert [type(depth) for depth in config.depths] == [int, int]


@pytest.mark.parametrize(
    "change",
    [{}, {"window": 2, "mlp_ratio": 1.3}, {"depths": (3, 2), "heads": (2, 2)}, {"stem": "conv3"}],
)
def test_parameters_and_buffers_are_counted_without_building_a_model(change):
    model = tv.create_model("swin_cifar", **change)
    assert model.config.parameters == model.num_params()
    buffers = [
        value.nbytes
        for _, module in model.named_modules()
        for name, value in vars(module).items()
        if name in ("mask", "relative_position_index") and value is not None
    ]
    assert model.config.buffer_bytes == sum(buffers)
