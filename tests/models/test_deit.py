import itertools

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.losses import cross_entropy
from tervit_np.verify.adjoint import LIMIT, adjoint_checks
from tervit_np.verify.golden import CASES, filled_model, golden_checks, inputs
from tests.checks import BACKENDS, ROUNDOFF64, as_operator, check, fill, relative_error

TINY = {"image_size": 4, "patch_size": 2, "num_classes": 3, "dim": 4, "depth": 2, "heads": 2}
SHAPES = {
    "plain": TINY | {"mlp_ratio": 1.5},
    "distilled": TINY | {"distilled": True, "depth": 1, "mlp_ratio": 2.5},
    "conv, mean, tanh": TINY
    | {
        "image_size": 8,
        "patch_size": 4,
        "depth": 1,
        "stem": "conv",
        "pool": "mean",
        "gelu": "tanh",
    },
    "conv3": TINY | {"image_size": 8, "patch_size": 4, "depth": 1, "stem": "conv3"},
}


def tiny(dtype="float64", **overrides):
    return tv.DeiT(tv.DeiTConfig(**TINY | overrides), np.random.default_rng(0), dtype)


def has_pair(config):
    return isinstance(config, tv.DeiTConfig) and config.distilled


class Stacked:
    """A model whose logits are one array: a pair of heads becomes (2, B, C)."""

    def __init__(self, model):
        self.model, self.pair = model, has_pair(model.config)
        self.named_params, self.zero_grad = model.named_params, model.zero_grad

    def forward(self, images):
        self.model.dtype = images.dtype  # as_operator has cast the parameters
        logits, cache = self.model.forward(images)
        return np.stack(logits) if self.pair else logits, cache

    def backward(self, dy, cache):
        return self.model.backward(tuple(dy) if self.pair else dy, cache)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_gradient_matches_differences(shape, monkeypatch):
    monkeypatch.setattr("tervit_np.nn.Conv3Stem.WIDTHS", (3, 5))  # of 32 and 64, for speed
    config = tv.DeiTConfig(**SHAPES[shape])
    rng = np.random.default_rng(1)
    model = fill(tv.DeiT(config, rng, "float64"), rng)
    images = rng.normal(size=(2, 3, config.image_size, config.image_size))
    check(as_operator(Stacked(model), images), tolerance=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_float64_matches_the_golden_values(case):
    for quantity in golden_checks(case):
        assert quantity.error < ROUNDOFF64, f"{quantity.name}: {quantity.error:.1e}"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES)
def test_float32_matches_the_golden_values(case, backend):
    with tv.backend(backend):
        for quantity in golden_checks(case, "float32"):
            limit = 3e-4 if quantity.name.startswith("grad.") else 2e-5
            assert quantity.error < limit, f"{quantity.name}: {quantity.error:.1e}"


@pytest.mark.parametrize("overrides", [{}, {"distilled": True}, {"stem": "conv", "pool": "mean"}])
def test_the_adjoint_check_passes_after_training(overrides):
    """Gradients that are right at initialization may be wrong for larger weights."""
    model = tiny(image_size=8, patch_size=4, drop_path=0.2, **overrides)
    rng = np.random.default_rng(2)
    images, labels = rng.normal(size=(6, 3, 8, 8)), rng.integers(0, 3, 6)
    train(model, images, labels, steps=20, lr=0.01, rng=rng)
    for difference in adjoint_checks(model, images, rng):
        assert difference.error < LIMIT, f"{difference.name}: {difference.error:.1e}"


def train(model, images, labels, steps, lr, rng=None):
    """Fit by AdamW on the mean loss of all heads; return the last loss."""
    optimizer = tv.AdamW(model.named_params(), lr, weight_decay=0.0)
    for _ in range(steps):
        model.zero_grad()
        logits, cache = model.forward(images, train=rng is not None, rng=rng)
        heads = logits if isinstance(logits, tuple) else (logits,)
        losses = [cross_entropy(head, labels) for head in heads]
        gradients = tuple(d for _, d in losses)
        model.backward(gradients if len(heads) > 1 else gradients[0], cache)
        optimizer.step()
    return max(loss for loss, _ in losses)


@pytest.mark.parametrize("overrides", [{}, {"distilled": True}, {"stem": "conv", "pool": "mean"}])
def test_sixteen_images_are_memorised(overrides):
    config = tv.DeiTConfig(16, 4, 10, 32, 2, 2, init="xavier", **overrides)
    rng = np.random.default_rng(3)
    model = tv.DeiT(config, rng)
    images = rng.normal(size=(16, 3, 16, 16)).astype(np.float32)
    labels = np.arange(16) % 10
    assert train(model, images, labels, steps=60, lr=0.01) < 0.01
    np.testing.assert_array_equal(model.predict(images).argmax(axis=1), labels)


@pytest.mark.parametrize("name", ["deit_shapes", "deit_cifar", "deit_cifar_p4"])
def test_loss_at_initialization_is_ln_c(name):
    model = tv.create_model(name, seed=4)
    images = np.random.default_rng(5).normal(size=(40, 3, 32, 32)).astype(np.float32)
    loss, _ = cross_entropy(model.predict(images), np.arange(40) % 10)
    assert loss == pytest.approx(np.log(10), abs=0.02)


@pytest.mark.parametrize("case", CASES)
def test_gradients_of_a_batch_are_the_sum_over_its_parts(case):
    config = CASES[case]
    model = filled_model(config)
    images, _ = inputs(config, 5)
    rng = np.random.default_rng(6)
    shape = (1 + has_pair(config), 5, config.num_classes)
    upstream = rng.normal(size=shape)

    def gradients(part):
        model.zero_grad()
        stacked = Stacked(model)
        _, cache = stacked.forward(images[part])
        dy = upstream[:, part] if has_pair(config) else upstream[0, part]
        dimages = stacked.backward(dy, cache)
        return dimages, {name: p.grad.copy() for name, p in model.named_params()}

    dimages, of_batch = gradients(slice(0, 5))
    (d1, one), (d2, two) = gradients(slice(0, 2)), gradients(slice(2, 5))
    assert relative_error(np.concatenate([d1, d2]), dimages) < ROUNDOFF64
    for name, gradient in of_batch.items():
        assert relative_error(one[name] + two[name], gradient) < ROUNDOFF64, name


@pytest.mark.parametrize("shape", SHAPES)
def test_backward_accumulates_and_may_skip_the_images(shape):
    config = tv.DeiTConfig(**SHAPES[shape])
    model = Stacked(tv.DeiT(config, np.random.default_rng(7), "float64"))
    images = np.random.default_rng(8).normal(size=(2, 3, config.image_size, config.image_size))
    logits, cache = model.forward(images)
    dy = np.random.default_rng(9).normal(size=logits.shape)
    arrays = [p.grad for _, p in model.named_params()]
    assert model.backward(dy, cache).shape == images.shape
    once = [g.copy() for g in arrays]
    dlogits = tuple(dy) if model.pair else dy
    assert model.model.backward(dlogits, cache, input_grad=False).size == 0
    for (name, param), g, first in zip(model.named_params(), arrays, once, strict=True):
        assert param.grad is g
        np.testing.assert_array_equal(g, 2 * first, err_msg=name)


def test_forwards_do_not_depend_on_earlier_calls():
    model = tiny()
    rng = np.random.default_rng(10)
    one, two = rng.normal(size=(2, 3, 3, 4, 4))
    alone, cache = model.forward(one)
    model.forward(two)
    model.backward(np.ones_like(alone), cache)
    gradient = model.head.weight.grad.copy()
    model.zero_grad()
    again, cache = model.forward(one)
    model.backward(np.ones_like(alone), cache)
    np.testing.assert_array_equal(again, alone)
    np.testing.assert_array_equal(model.head.weight.grad, gradient)


def test_a_gradient_of_another_shape_is_refused():
    images = np.zeros((2, 3, 4, 4))
    one, pair = tiny(), tiny(distilled=True)
    right = np.ones((2, 3))
    for model, wrong in ((one, right[:1]), (one, (right, right)), (pair, right), (pair, (right,))):
        _, cache = model.forward(images)
        with pytest.raises(ValueError, match=r"dlogits have shapes .*, the logits \[\(2, 3\)"):
            model.backward(wrong, cache)


def test_drop_rates_grow_linearly_and_apply_in_training_only():
    model = tiny(depth=5, drop_path=0.4)
    np.testing.assert_allclose([b.drop_rate for b in model.blocks], [0, 0.1, 0.2, 0.3, 0.4])
    images = np.random.default_rng(11).normal(size=(8, 3, 4, 4))
    still, _ = model.forward(images, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(still, model.forward(images)[0])
    one, _ = model.forward(images, train=True, rng=np.random.default_rng(1))
    same, _ = model.forward(images, train=True, rng=np.random.default_rng(1))
    other, _ = model.forward(images, train=True, rng=np.random.default_rng(2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    with pytest.raises(ValueError, match="rng"):
        model.forward(images, train=True)


def block_names(i):
    norm1, norm2 = (f"blocks.{i}.norm{k}" for k in (1, 2))
    parts = (norm1, f"blocks.{i}.attn.qkv", f"blocks.{i}.attn.proj")
    parts += (norm2, f"blocks.{i}.mlp.fc1", f"blocks.{i}.mlp.fc2")
    return [f"{part}.{kind}" for part in parts for kind in ("weight", "bias")]


def test_names_and_their_order_are_the_official_ones():
    blocks = list(itertools.chain(*(block_names(i) for i in range(2))))
    patches = ["patch_embed.proj.weight", "patch_embed.proj.bias"]
    end = ["norm.weight", "norm.bias", "head.weight", "head.bias"]
    names = [name for name, _ in tiny().named_params()]
    assert names == ["cls_token", "pos_embed", *patches, *blocks, *end]
    names = [name for name, _ in tiny(distilled=True).named_params()]
    tokens = ["cls_token", "pos_embed", "dist_token"]
    assert names == [*tokens, *patches, *blocks, *end, "head_dist.weight", "head_dist.bias"]
    names = [name for name, _ in tiny(pool="mean").named_params()]
    assert names == ["pos_embed", *patches, *blocks, *end]


def test_shapes_are_the_official_ones():
    model = tv.create_model("deit_tiny_distilled_patch16_224", depth=1)
    shapes = {name: param.shape for name, param in model.named_params()}
    expected = {
        "cls_token": (1, 1, 192),
        "pos_embed": (1, 198, 192),
        "dist_token": (1, 1, 192),
        "patch_embed.proj.weight": (192, 3, 16, 16),
        "blocks.0.norm1.weight": (192,),
        "blocks.0.attn.qkv.weight": (576, 192),
        "blocks.0.attn.qkv.bias": (576,),
        "blocks.0.attn.proj.weight": (192, 192),
        "blocks.0.mlp.fc1.weight": (768, 192),
        "blocks.0.mlp.fc2.weight": (192, 768),
        "head.weight": (1000, 192),
        "head_dist.bias": (1000,),
    }
    assert {name: shapes[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 10, "patch_size": 4}, "image_size 10 is not a multiple of patch_size 4"),
        ({"dim": 6, "heads": 4}, "dim 6 is not a multiple of heads 4"),
        ({"heads": 0}, "heads is 0, expected a positive integer"),
        ({"depth": 0}, "depth is 0, expected a positive"),
        ({"dim": 4.0}, r"dim is 4\.0, expected a positive integer"),
        ({"num_classes": -1}, "num_classes is -1"),
        ({"stem": "cnn"}, "stem is 'cnn'; expected one of linear, conv, conv3"),
        ({"pool": "max"}, "pool is 'max'; expected one of cls, mean"),
        ({"gelu": "exact"}, "gelu is 'exact'; expected one of erf, tanh"),
        ({"init": "he"}, "init is 'he'; expected one of deit, xavier"),
        ({"distilled": True, "pool": "mean"}, 'pool must be "cls"'),
        ({"distilled": "no"}, "distilled is 'no', expected True or False"),
        ({"stem": "conv"}, "conv stem needs patch_size and dim in multiples of 4, found 2 and 4"),
        ({"stem": "conv3"}, "conv3 stem needs patch_size 4, found 2"),
        ({"mlp_ratio": 0.1}, r"mlp_ratio is 0\.1; the MLP would have no hidden units"),
        ({"mlp_ratio": float("nan")}, "mlp_ratio is nan"),
        ({"mlp_ratio": 1e9}, r"mlp_ratio is 1000000000\.0, expected a number up to 256"),
        ({"depth": 300_000}, "depth is 300000, expected at most 1024"),
        ({"image_size": 800_000}, "image_size is 800000, expected at most 16384"),
        ({"num_classes": True}, "num_classes is True, expected a positive integer"),
        ({"drop_path": 1.0}, r"drop_path is 1\.0, expected at least 0 and below 1"),
        ({"drop_path": -0.1}, r"drop_path is -0\.1"),
    ],
)
def test_invalid_configurations_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        tv.DeiTConfig(**TINY | change)


@pytest.mark.parametrize("dtype", ["int8", "float16", "complex64", "number", None, object])
def test_parameters_are_float32_or_float64(dtype):
    with pytest.raises(ValueError, match="expected float32 or float64"):
        tiny(dtype)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"distilled": True, "mlp_ratio": 1.7},
        {"pool": "mean"},
        {"dim": 8, "patch_size": 4, "stem": "conv", "heads": 2},
        {"patch_size": 4, "stem": "conv3"},
    ],
)
def test_parameters_are_counted_without_building_a_model(change):
    config = tv.DeiTConfig(**TINY | change)
    assert config.parameters == tv.DeiT(config, None).num_params()
