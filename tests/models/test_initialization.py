import math

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.models import initialize


def state(**options):
    config = tv.DeiTConfig(16, 8, 50, 64, 2, 2, **options)
    return tv.DeiT(config, np.random.default_rng(0), "float64").state_dict()


def looks_normal(a, std):
    """Mean and standard deviation within four standard errors, tails longer than uniform ones."""
    error = std / math.sqrt(a.size)
    return (
        abs(a.mean()) < 4 * error
        and abs(a.std() - std) < 4 * error / math.sqrt(2)
        and (a.size < 1_000 or np.abs(a).max() > 2.5 * std)
    )


def looks_uniform(a, bound):
    std = bound / math.sqrt(3)
    return (
        np.abs(a).max() <= bound
        and (a.size < 1_000 or np.abs(a).max() > 0.99 * bound)
        and abs(a.mean()) < 4 * std / math.sqrt(a.size)
        and abs(a.std() - std) < 4 * std / math.sqrt(a.size)
    )


@pytest.mark.parametrize("scheme", ["deit", "xavier"])
def test_both_schemes_agree_outside_matrices(scheme):
    s = state(init=scheme, distilled=True)
    for name, value in s.items():
        if "norm" in name and name.endswith("weight"):
            assert (value == 1).all(), name
        elif name.endswith("bias") and not name.startswith("patch_embed"):
            assert not value.any(), name
    for name in ("cls_token", "dist_token", "pos_embed"):
        assert looks_normal(s[name], 0.02), name
    bound = 1 / math.sqrt(3 * 8 * 8)
    assert looks_uniform(s["patch_embed.proj.weight"], bound)
    assert looks_uniform(s["patch_embed.proj.bias"], bound)


def test_deit_draws_normal_matrices():
    s = state()
    for name, value in s.items():
        if value.ndim == 2:
            assert looks_normal(value, 0.02), name


def test_xavier_draws_uniform_matrices():
    s = state(init="xavier")
    for name, value in s.items():
        if value.ndim == 2 and not name.startswith("head"):
            assert looks_uniform(value, math.sqrt(6 / sum(value.shape))), name
    assert looks_normal(s["head.weight"], 0.01)


@pytest.mark.parametrize("scheme", ["deit", "xavier"])
def test_convolutions_of_the_stem_start_as_in_pytorch(scheme):
    s = state(init=scheme, stem="conv")
    fans = {"conv1": 3 * 9, "conv2": 16 * 9, "proj": 32 * 2 * 2}
    for layer, fan_in in fans.items():
        for kind in ("weight", "bias"):
            assert looks_uniform(s[f"patch_embed.{layer}.{kind}"], 1 / math.sqrt(fan_in)), layer


def test_an_unknown_scheme_is_refused():
    with pytest.raises(ValueError, match="init is 'he'; expected one of deit, xavier"):
        initialize(tv.create_model("deit_shapes"), "he", np.random.default_rng(0))
