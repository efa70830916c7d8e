import numpy as np
import pytest

from tervit_np.exercises.gradients import check_backward, locked
from tervit_np.verify.operators import Operator

X = np.random.default_rng(0).normal(size=(2, 3))
TRUE = "x (2, 3): dx, dscale"


def forward(x, scale):
    return x * scale, (x, scale)


def right(dy, cache):
    x, scale = cache
    return dy * scale, (dy * x).sum(axis=0)


def suspects(dy, cache):
    x, scale = cache
    return {"dscale": {"x is forgotten": dy.sum(axis=0), "it is not summed": dy * x}}


def findings(backward):
    operator = Operator("scaling", {"x": X, "scale": X[0] + 2}, forward, backward, {"D": 3.0})
    found = []
    for finding in check_backward([operator], suspects):  # as the judge does
        found.append(finding)
        if not finding.ok:
            break
    return found


def test_a_right_backward_passes():
    found = findings(right)
    assert [finding.what for finding in found] == [TRUE, "float32 stays float32"]
    assert all(finding.ok for finding in found)


@pytest.mark.parametrize(
    ("dscale", "why"),
    [
        (lambda dy, x: dy.sum(axis=0), "x is forgotten"),
        (lambda dy, x: dy * x, "it is not summed"),
        (lambda dy, x: -(dy * x).sum(axis=0), "the sign"),
        (lambda dy, x: (dy * x).sum(axis=0) / 3, "a factor of D is missing"),
        (lambda dy, x: (dy * x).sum(), "its shape is (), expected (3,)"),
        (lambda dy, x: np.full(3, np.nan), "not finite"),
    ],
)
def test_a_mistake_is_named_by_the_suspect_it_equals_or_by_its_numbers(dscale, why):
    found = findings(lambda dy, cache: (right(dy, cache)[0], dscale(dy, cache[0])))
    assert found[0] == ("x (2, 3): dx", "")
    assert found[1].what == "x (2, 3): dscale"
    assert why in found[1].why


def test_what_no_suspect_explains_is_shown_beside_the_truth():
    wrong = findings(lambda dy, cache: (dy + 1, right(dy, cache)[1]))[0]
    assert "(yours at [" in wrong.why
    assert ", by differences " in wrong.why


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (None, "nothing is returned, expected 2 arrays, dx, dscale: is the `return` missing?"),
        (X, "one array is returned, expected 2 arrays"),
        (3.0, "one float is returned"),
        ((X,), "1 values are returned"),
        ((X, [1.0]), "dscale is list, expected an array of real numbers"),
        ((X, np.ones(3, int)), "dscale is int64"),
    ],
)
def test_what_is_no_gradient_is_refused(result, why):
    found = findings(lambda dy, cache: result)[0]
    assert found.what == "x (2, 3)"
    assert why in found.why


def test_a_wider_type_is_found():
    found = findings(lambda dy, cache: tuple(g * np.float64(1) for g in right(dy, cache)))
    assert [finding.ok for finding in found] == [True, False]
    assert found[1].why == "dx is float64 where everything given is float32: what made it wider?"


def test_one_gradient_needs_no_tuple():
    def judged(backward):
        one = Operator("double", {"z": X}, lambda x: (2 * x, None), backward)
        return next(check_backward([one], lambda dy, cache: {}))

    assert judged(lambda dy, cache: 2 * dy) == ("z (2, 3): dz", "")
    assert judged(lambda dy, cache: (2 * dy,)).ok
    assert judged(lambda dy, cache: None).why.startswith("nothing is returned, expected one array")


def test_everything_given_is_read_only():
    given = []

    def keeps(dy, cache):
        given.extend([dy, *cache])
        return right(dy, cache)

    findings(keeps)
    assert not any(array.flags.writeable for array in given if array.dtype == np.float64)


def test_the_upstream_is_no_constant():
    """Under ones, a sum and its negative mean would be told apart by nothing but luck."""
    seen = []
    findings(lambda dy, cache: seen.append(dy) or right(dy, cache))
    assert np.unique(seen[0]).size == seen[0].size


def test_locked_copies():
    x = np.ones(2)
    assert not locked(x).flags.writeable
    assert x.flags.writeable
