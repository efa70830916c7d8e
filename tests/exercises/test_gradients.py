import numpy as np
import pytest

from tervit_np.exercises.gradients import check_backward
from tervit_np.verify.operators import Operator

X = np.random.default_rng(0).normal(size=(2, 3))
TRUE = "x (2, 3): dx, dscale"


def forward(x, scale):
    return x * scale, (x, scale)


def right(dy, cache):
    x, scale = cache
    return dy * scale, (dy * x).sum(axis=0)


def known_mistakes(dy, cache):
    x, scale = cache
    return {"dscale": {"x is missing": dy.sum(axis=0), "it is not summed": dy * x}}


def findings_of(backward):
    """Return the findings up to the first that is wrong, as the grader does."""
    operator = Operator("scaling", {"x": X, "scale": X[0] + 2}, forward, backward, {"D": 3.0})
    findings = []
    for finding in check_backward([operator], known_mistakes):
        findings.append(finding)
        if not finding.ok:
            break
    return findings


def test_a_right_backward_passes():
    findings = findings_of(right)
    assert [finding.what for finding in findings] == [TRUE, "float32 stays float32"]
    assert all(finding.ok for finding in findings)


@pytest.mark.parametrize(
    ("dscale", "message"),
    [
        (lambda dy, x: dy.sum(axis=0), "x is missing"),
        (lambda dy, x: dy * x, "it is not summed"),
        (lambda dy, x: -(dy * x).sum(axis=0), "the sign"),
        (lambda dy, x: (dy * x).sum(axis=0) / 3, "a factor of D is missing"),
        (lambda dy, x: (dy * x).sum(), "its shape is (), expected (3,)"),
        (lambda dy, x: np.full(3, np.nan), "not finite"),
    ],
)
def test_a_wrong_gradient_is_explained(dscale, message):
    """By the known mistake that it equals, else by its numbers."""
    dx, wrong = findings_of(lambda dy, cache: (right(dy, cache)[0], dscale(dy, cache[0])))
    assert dx == ("x (2, 3): dx", "")
    assert wrong.what == "x (2, 3): dscale"
    assert message in wrong.message


def test_an_unknown_mistake_is_shown_with_the_true_value():
    wrong = findings_of(lambda dy, cache: (dy + 1, right(dy, cache)[1]))[0]
    assert "(yours at [" in wrong.message
    assert ", by differences " in wrong.message


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "nothing is returned, expected 2 arrays, dx, dscale: is the `return` missing?"),
        (X, "one array is returned, expected 2 arrays"),
        (3.0, "one float is returned"),
        ((X,), "1 values are returned"),
        ((X, [1.0]), "dscale is list, expected an array of real numbers"),
        ((X, np.ones(3, int)), "dscale is int64"),
    ],
)
def test_a_result_that_is_not_a_gradient_is_refused(result, message):
    finding = findings_of(lambda dy, cache: result)[0]
    assert finding.what == "x (2, 3)"
    assert message in finding.message


def test_a_wider_dtype_is_reported():
    findings = findings_of(lambda dy, cache: tuple(g * np.float64(1) for g in right(dy, cache)))
    assert [finding.ok for finding in findings] == [True, False]
    expected = "dx is float64, but dy and the cache are float32: what widened it?"
    assert findings[1].message == expected


def test_one_gradient_needs_no_tuple():
    def first(backward):
        operator = Operator("double", {"z": X}, lambda x: (2 * x, None), backward)
        return next(check_backward([operator], lambda dy, cache: {}))

    assert first(lambda dy, cache: 2 * dy) == ("z (2, 3): dz", "")
    assert first(lambda dy, cache: (2 * dy,)).ok
    nothing = first(lambda dy, cache: None)
    assert nothing.message.startswith("nothing is returned, expected one array")


def test_dy_and_the_cache_are_read_only():
    arguments = []

    def recording(dy, cache):
        arguments.extend([dy, *cache])
        return right(dy, cache)

    findings_of(recording)
    assert not any(array.flags.writeable for array in arguments if array.dtype == np.float64)


def test_the_upstream_is_not_constant():
    upstreams = []
    findings_of(lambda dy, cache: upstreams.append(dy) or right(dy, cache))
    assert np.unique(upstreams[0]).size == upstreams[0].size
