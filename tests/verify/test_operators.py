import numpy as np

from tervit_np import losses, ops
from tervit_np.verify.operators import Operator, operators


def test_every_operator_of_the_package_is_checked():
    """There is an operator here for each public backward and each loss."""
    names = {operator.name.split()[0] for operator in operators(np.random.default_rng(0))}
    backwards = {n.removesuffix("_backward") for n in ops.__all__ if n.endswith("_backward")}
    assert backwards - names == set()
    assert {"patchify", "im2col"} <= names
    public = {"cross_entropy", "distillation", "hard_distillation"}
    assert {n for n in public if hasattr(losses, n)} <= names


def test_axes_and_factors_of_an_operator_all_differ():
    """So that exchanged axes show, and a wrong ratio names one factor."""
    for operator in operators(np.random.default_rng(0)):
        for name, x in operator.inputs.items():
            inner = [n for n in x.shape if n > 1]
            assert len(set(inner)) == len(inner), f"{operator.name} {name} {x.shape}"
        values = list((operator.factors or {}).values())
        assert len(set(values)) == len(values), operator.name


def test_gradient_checks_allow_writing_into_arguments():
    """They check values alone; contracts check who writes where."""

    def overwriting(dy, x):
        dy *= 2 * x
        return dy

    x = np.random.default_rng(0).normal(size=(2, 3))
    operator = Operator("square", {"x": x}, lambda x: (x * x, x), overwriting)
    assert all(check.ok for check in operator.gradient_checks(np.random.default_rng(1)))


def test_each_gradient_of_an_operator_is_checked():
    x, y = np.random.default_rng(0).normal(size=(2, 3))
    operator = Operator(
        "product", {"x": x, "y": y}, lambda x, y: (x * y, (x, y)), lambda dy, c: (dy * c[1], dy)
    )
    checks = operator.gradient_checks(np.random.default_rng(1))
    assert [(d.name, d.ok) for d in checks] == [("product dx", True), ("product dy", False)]
