"""A model small enough for a dense Hessian, and images for it."""

import pytest

import tervit_np as tv
from tests.analysis.surfaces.runs import measured, tiny_models
from tests.rounding import clear_images, generator


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
        model = tv.DeiT(config, generator(seed), dtype)
        model.head.weight.data[...] = generator(seed + 1).normal(size=model.head.weight.shape)
        return tv.quantize(model, plan)

    return make


@pytest.fixture(scope="session")
def sample():
    rng = generator(7)
    return rng.normal(size=(40, 3, 4, 4)).astype("f"), rng.integers(0, 3, 40)


@pytest.fixture(scope="session")
def clear_sample():
    """Images that are near no rounding boundary of some models; -> function of these."""

    def draw(*models):
        return clear_images(models, 40, (3, 4, 4), seed=7), generator(8).integers(0, 3, 40)

    return draw


@pytest.fixture(scope="session")
def surfaces(tiny, clear_sample):
    """Return all surfaces of three tiny models."""
    return measured(tiny, clear_sample(*tiny_models(tiny).values()))
