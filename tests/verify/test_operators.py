import numpy as np

from tervit_np import losses, ops
from tervit_np.verify.operators import Operator, operators


def test_every_operator_of_the_package_is_checked():
    """By name: each public backward and each loss belongs to some operator here."""
    names = {operator.name.split()[0] for operator in operators(np.random.default_rng(0))}
    backwards = {n.removesuffix("_backward") for n in ops.__all__ if n.endswith("_backward")}
    assert backwards - names == set()
    assert {"patchify", "im2col"} <= names
    public = {"cross_entropy", "distillation", "hard_distillation"}
    assert {n for n in public if hasattr(losses, n)} <= names


def test_sizes_cannot_be_taken_for_one_another():
    """Axes of one input differ in length, and no two lengths of an operator share a value."""
    for operator in operators(np.random.default_rng(0)):
        for name, x in operator.inputs.items():
            inner = [n for n in x.shape if n > 1]
            assert len(set(inner)) == len(inner), f"{operator.name} {name} {x.shape}"
        values = list((operator.sizes or {}).values())
        assert len(set(values)) == len(values), operator.name


def test_differences_do_not_care_who_writes_where():
    """Values are one question and manners another: copies keep them apart."""

    def rude(dy, x):
        dy *= 2 * x
        return dy

    x = np.random.default_rng(0).normal(size=(2, 3))
    operator = Operator("square", {"x": x}, lambda x: (x * x, x), rude)
    assert all(found.ok for found in operator.differences(np.random.default_rng(1)))


def test_two_gradients_of_one_operator_are_told_apart():
    x, y = np.random.default_rng(0).normal(size=(2, 3))
    operator = Operator(
        "product", {"x": x, "y": y}, lambda x, y: (x * y, (x, y)), lambda dy, c: (dy * c[1], dy)
    )
    found = operator.differences(np.random.default_rng(1))
    assert [(d.name, d.ok) for d in found] == [("product dx", True), ("product dy", False)]
