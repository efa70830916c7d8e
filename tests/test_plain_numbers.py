"""Settings whose numbers come from NumPy arrays."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

import tervit_np as tv
from data_tools import Augment
from tervit_np import losses, ops
from tervit_np.models import CONFIGS
from tervit_np.param import Param
from tervit_np.train import Muon, Recipe, Stage
from tests.checks import BACKENDS

PAIRS = [
    (Stage("a", "float", np.int64(3), lr=np.float32(0.5)), Stage("a", "float", 3, lr=0.5)),
    (Recipe(batch_size=np.int64(8), betas=(np.float32(0.5), 0.75)), Recipe(8, betas=(0.5, 0.75))),
    (Augment(crop_padding=np.uint8(2), flip=np.bool_(False)), Augment(2, False)),
    (replace(CONFIGS["deit_shapes"], num_classes=np.int64(3)),
     replace(CONFIGS["deit_shapes"], num_classes=3)),
    (replace(CONFIGS["swin_cifar"], depths=(np.int64(2), np.int32(2))),
     replace(CONFIGS["swin_cifar"], depths=(2, 2))),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "plain"), PAIRS, ids=lambda each: type(each).__name__)
def test_numbers_of_numpy_become_those_of_python(settings, plain):
    """A run ended in "int64 is not JSON serializable", and a model refused np.int64(3) classes."""
    assert settings == plain
    assert json.dumps(asdict(settings)) == json.dumps(asdict(plain))


def test_the_number_of_classes_may_come_from_labels():
    model = tv.create_model("deit_shapes", num_classes=np.array([0, 1, 2]).max() + 1)
    assert model.head.weight.shape == (3, 64)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Augment(cutout=3.5), "augment: cutout is 3.5; expected a whole number"),
        (lambda: Augment(flip="no"), "augment: flip is 'no'; expected true or false"),
        (lambda: Augment(flip=0.5), "augment: flip is 0.5; expected true or false"),
        (lambda: Augment(randaugment_ops=True), "randaugment_ops is True; expected a whole number"),
        (lambda: Augment(mixup="0.2"), "augment: mixup is '0.2'; expected a number"),
        (lambda: Recipe(batch_size=2.5), "recipe: batch_size is 2.5; expected a whole number"),
        (lambda: Recipe(recompute="no"), "recipe: recompute is 'no'; expected true or false"),
        (
            lambda: Stage("a", "float", 1, hard="no"),
            "stage a: hard is 'no'; expected true or false",
        ),
        (lambda: Stage("a", "float", "1"), "stage a: epochs is '1'; expected a number"),
        (lambda: Stage("a", "float", 1, lr=10**400), "stage a: lr is 10*; expected a number"),
    ],
)
def test_settings_of_another_kind_are_refused(make, words):
    """Text counted as true, and half numbers ended a training in its first step."""
    with pytest.raises(ValueError, match=words):
        make()


X = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
OPERATIONS = {
    "cross_entropy": lambda number: losses.cross_entropy(X, np.array([0, 3]), number)[1],
    "distillation": lambda number: losses.distillation(X, X[::-1], number)[1],
    "layernorm": lambda number: ops.layernorm(X, X[0], X[1], number)[0],
    "softmax": lambda number: ops.softmax(X, number)[0],
    "softmax_backward": lambda number: ops.softmax_backward(X, X, number),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_float32_stays_float32_with_a_number_of_numpy(operation, backend):
    """A temperature of np.linspace made gradients float64, and with them all backward passes."""
    with tv.backend(backend):
        result, expected = (OPERATIONS[operation](kind(0.5)) for kind in (np.float64, float))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_momentum_of_numpy_gives_the_same_step(backend):
    """The direction became float64, which no compiled code takes."""
    params = [Param(X.copy()) for _ in range(2)]
    with tv.backend(backend):
        for param, kind in zip(params, (np.float64, float), strict=True):
            param.grad[...] = X[::-1]
            Muon([("fc1.weight", param)], 0.1, momentum=kind(0.9)).step()
    np.testing.assert_array_equal(params[0].data, params[1].data)
