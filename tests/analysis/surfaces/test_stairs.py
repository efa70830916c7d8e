import numpy as np
import pytest

from tervit_np.analysis.surfaces.affine_models import AffineModels
from tervit_np.analysis.surfaces.directions import random_direction
from tervit_np.analysis.surfaces.stairs import stairs, ternary_codes


def test_codes_that_differ_are_counted(tiny, sample):
    model = tiny("ternary", dim=16, seed=1)
    direction = random_direction(model)
    result = stairs(model, *sample, direction, steps=9)
    origin = ternary_codes(model)
    assert result.codes == origin.size == 16 * 16 * 3 + 16 * 16 + 2 * 16 * 32
    assert (result.curve.x[4], result.changed[4]) == (0, 0)
    there = ternary_codes(AffineModels(model, (direction,)).at((float(result.curve.x[-1]),)))
    assert result.changed[-1] == (there != origin).sum() > 0


def test_the_loss_is_nearly_constant_between_flips(tiny, sample):
    model = tiny("ternary", dtype="float64", dim=16, seed=1)
    result = stairs(model, *sample, random_direction(model), steps=201)
    jump = np.abs(np.diff(result.curve.loss))
    same = np.diff(result.changed) == 0
    assert 0.2 < same.mean() < 1
    assert np.median(jump[same]) < 0.1 * np.median(jump[~same])


def test_models_without_flips_are_refused(tiny, sample):
    with pytest.raises(ValueError, match="no layer of this model is ternary"):
        stairs(tiny(), *sample, random_direction(tiny()))
    with pytest.raises(ValueError, match="flips fewer than 5 of"):
        stairs(tiny("ternary"), *sample, {"head.bias": np.ones(3, "f")})
