"""A model small enough for a dense Hessian, and images for it."""

import numpy as np
import pytest

import tervit_np as tv
from tests.analysis.surfaces.runs import measured


@pytest.fixture(scope="session")
def tiny():
    """Return a function of (plan, dtype, seed) that builds a model of 188 quantizable weights."""

    def make(plan="float", dtype="float32", seed=0, **options):
        size = {
            "image_size": 4,
            "patch_size": 2,
            "dim": 4,
            "depth": 1,
            "heads": 2,
            "mlp_ratio": 2.0,
        }
        config = tv.DeiTConfig(num_classes=3, init="xavier", **size | options)
        model = tv.DeiT(config, np.random.default_rng(seed), dtype)
        model.head.weight.data[...] = np.random.default_rng(seed + 1).normal(
            size=model.head.weight.shape
        )
        return tv.quantize(model, plan)

    return make


@pytest.fixture(scope="session")
def sample():
    rng = np.random.default_rng(7)
    return rng.normal(size=(40, 3, 4, 4)).astype("f"), rng.integers(0, 3, 40)


@pytest.fixture(scope="session")
def surfaces(tiny, sample):
    """Return all surfaces of three tiny models."""
    return measured(tiny, sample)
