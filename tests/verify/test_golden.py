import math
from dataclasses import replace

import numpy as np
import pytest

from tervit_np.verify.golden import (
    CASES,
    ValueCheck,
    filled_model,
    golden_checks,
    inputs,
    uniform_from_name,
)


@pytest.mark.parametrize("case", CASES)
def test_float64_agrees_to_roundoff(case):
    comparisons = golden_checks(case)
    names = [name for name, _ in filled_model(CASES[case]).named_params()]
    assert {c.name for c in comparisons} == {"logits", "loss", "grad.images"} | {
        f"grad.{n}" for n in names
    }
    for comparison in comparisons:
        assert comparison.actual.shape == comparison.expected.shape, comparison.name
        assert comparison.error < 1e-13, comparison.name


@pytest.mark.parametrize("case", CASES)
def test_float32_agrees_to_its_digits(case):
    assert max(c.error for c in golden_checks(case, "float32")) < 1e-4


@pytest.mark.parametrize("case", CASES)
def test_no_golden_value_is_zero(case):
    """A zero would agree with a gradient that is never computed."""
    for comparison in golden_checks(case):
        assert np.abs(comparison.expected).max() > 1e-4, comparison.name


def test_nan_is_never_right():
    assert ValueCheck("x", np.array([np.nan, 1.0]), np.ones(2)).error == math.inf
    assert ValueCheck("x", np.array([1.0, 2.0]), np.array([1.0, 4.0])).error == 0.5


def test_uniform_depends_on_the_name_alone():
    """SplitMix64 of the positions: any change would make every stored value wrong."""
    values = uniform_from_name("images", (2, 3))
    np.testing.assert_array_equal(values, uniform_from_name("images", (6,)).reshape(2, 3))
    assert not np.array_equal(values, uniform_from_name("image", (2, 3)))
    many = uniform_from_name("many", (10000,))
    assert (np.abs(many) <= 1).all()
    assert abs(many.mean()) < 0.02
    assert abs(many.std() - 1 / math.sqrt(3)) < 0.01


def test_inputs_fit_their_case():
    config = replace(CASES["plain"], num_classes=3)
    images, labels = inputs(config, 5)
    assert images.shape == (5, 3, config.image_size, config.image_size)
    assert labels.max() < 3
