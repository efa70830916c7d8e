"""A batch without images has no logits and no gradients, on both backends."""

import numpy as np
import pytest

import tervit_np as tv
from tests.checks import BACKENDS

MODELS = ("deit_shapes", "deit_cifar", "deit_cifar_conv", "swin_cifar", "swin_cifar_conv")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("plan", ["float", "ternary", "int8-int4-quest", "ternary-int8-lsqplus"])
def test_no_images_give_no_logits_and_zero_gradients(backend, name, plan):
    with tv.backend(backend):
        model = tv.quantize(tv.create_model(name), plan)
        if plan.endswith("lsqplus"):
            tv.calibrate(model, np.random.default_rng(0).normal(size=(2, 3, 32, 32)))
        images = np.empty((0, 3, 32, 32), np.float32)
        logits, cache = model.forward(images, train=True, rng=np.random.default_rng(0))
        dimages = model.backward(logits, cache)
    assert logits.shape == (0, 10)
    assert dimages.shape == images.shape
    assert not any(param.grad.any() for _, param in model.named_params())
