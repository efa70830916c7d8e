import numpy as np
import pytest

from tervit_np.analysis.surfaces.gaps import quantized
from tervit_np.analysis.surfaces.interpolation import crossings, interpolation
from tervit_np.analysis.surfaces.runner import image_losses
from tests.rounding import SAME


def mean_loss(model, sample):
    return image_losses(model, *sample).mean(dtype=float)


@pytest.mark.rounding
def test_both_ends_have_the_losses_of_their_models(tiny, clear_sample):
    start, end = tiny(), tiny("ternary", seed=4)
    sample = clear_sample(end)
    floats, ternary = interpolation(start, end, *sample, [0.0, 0.5, 1.0]).curves
    assert floats.loss[0] == mean_loss(start, sample)
    assert ternary.loss[0] == mean_loss(quantized(start, "ternary"), sample)
    assert floats.loss[2] == pytest.approx(mean_loss(quantized(end, "float"), sample), abs=SAME)
    assert ternary.loss[2] == pytest.approx(mean_loss(end, sample), abs=SAME)
    assert (floats.name, ternary.name) == ("float", "ternary")
    middle = quantized(start, "float")
    for (_, p), (_, q) in zip(middle.named_params(), end.named_params(), strict=True):
        p.data = (p.data + q.data) / 2
    assert floats.loss[1] == pytest.approx(mean_loss(middle, sample), abs=SAME)


@pytest.mark.rounding
def test_the_line_ends_at_a_model_with_learned_scales(tiny, clear_sample):
    end = tiny("seq", seed=4)
    for _, param in end.quantizer_params():
        param.data *= 0.8  # as training moves them
    sample = clear_sample(end)
    floats, ternary = interpolation(tiny(), end, *sample, [0.0, 1.0]).curves
    assert floats.loss[1] == pytest.approx(mean_loss(quantized(end, "float"), sample), abs=SAME)
    assert ternary.loss[1] == pytest.approx(mean_loss(end, sample), abs=SAME)


def test_the_default_grid_contains_both_ends(tiny, sample):
    found = interpolation(tiny(), tiny("ternary", seed=4), *sample)
    x = found.curves[0].x
    assert {-0.5, 0.0, 1.0, 1.5} <= set(x)
    assert len(x) == 41
    assert found.minima == tuple(x[curve.loss.argmin()] for curve in found.curves)


def test_crossings_are_interpolated():
    x = np.array([0.0, 1.0, 2.0, 3.0])
    assert crossings(x, np.array([3.0, 1.0, -1.0, -2.0])) == (1.5,)
    assert crossings(x, np.array([1.0, -3.0, -1.0, 1.0])) == (0.25, 2.5)
    assert crossings(x, np.array([1.0, 0.0, -1.0, -1.0])) == (1.0,)
    assert crossings(x, np.ones(4)) == ()
    assert crossings(x, np.zeros(4)) == ()
