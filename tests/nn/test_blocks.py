from dataclasses import replace

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.analysis.activations import saved_activations
from tervit_np.losses import cross_entropy
from tests.golden.golden import SWIN_CASES

DEIT = tv.DeiTConfig(16, 4, 5, 12, 3, 3, drop_path=0.5)


def gradients(model, images, labels, bit_generator=np.random.PCG64):
    """Run one step.  -> logits and every gradient."""
    model.zero_grad()
    rng = np.random.Generator(bit_generator(5))
    logits, cache = model.forward(images, train=True, rng=rng)
    dx = model.backward(cross_entropy(logits, labels)[1], cache)
    return logits, dx, {name: p.grad.copy() for name, p in model.named_params()}


@pytest.mark.parametrize("plan", ["float", "ternary"])
@pytest.mark.parametrize("config", [DEIT, SWIN_CASES["four stages"]], ids=["deit", "swin"])
def test_recomputing_gives_the_same_bits(config, plan):
    """Drop path too: the second forward draws what the first drew."""
    model = tv.models.build(replace(config, drop_path=0.5), np.random.default_rng(0), "float32")
    tv.quantize(model, plan)
    rng = np.random.default_rng(1)
    size = config.image_size
    images = rng.normal(size=(4, 3, size, size)).astype(np.float32)
    labels = rng.integers(0, 5, 4)
    plain = gradients(model, images, labels)
    model.recompute = True
    less = gradients(model, images, labels)
    np.testing.assert_array_equal(plain[0], less[0])
    np.testing.assert_array_equal(plain[1], less[1])
    for name, gradient in plain[2].items():
        np.testing.assert_array_equal(gradient, less[2][name], err_msg=name)


def test_recomputing_draws_from_the_generator_it_was_given():
    model = tv.DeiT(DEIT, np.random.default_rng(0))
    images = np.random.default_rng(1).normal(size=(4, 3, 16, 16)).astype(np.float32)
    _, dx, _ = gradients(model, images, np.arange(4), np.random.Philox)
    model.recompute = True
    _, recomputed, _ = gradients(model, images, np.arange(4), np.random.Philox)
    np.testing.assert_array_equal(dx, recomputed)


def test_drop_path_drops_images_in_this_test():
    """The test above would pass without any randomness."""
    model = tv.DeiT(DEIT, np.random.default_rng(0))
    images = np.random.default_rng(1).normal(size=(4, 3, 16, 16)).astype(np.float32)
    one, two = (
        model.forward(images, train=True, rng=np.random.default_rng(seed))[0] for seed in (5, 6)
    )
    assert np.abs(one - two).max() > 1e-3


@pytest.mark.parametrize("name", ["deit_shapes", "swin_cifar"])
def test_recomputing_saves_most_activations(name):
    model = tv.create_model(name)
    everything = sum(row.bytes for row in saved_activations(model, 4))
    model.recompute = True
    assert sum(row.bytes for row in saved_activations(model, 4)) < 0.25 * everything


@pytest.mark.parametrize("name", ["deit_shapes", "swin_cifar"])
def test_a_backward_pass_without_caches_says_what_is_missing(name):
    model = tv.create_model(name)
    logits, cache = model.forward(np.zeros((1, 3, 32, 32), np.float32), keep_cache=False)
    with pytest.raises(ValueError, match="the forward pass ran with keep_cache=False"):
        model.backward(logits, cache)
