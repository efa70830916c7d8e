import numpy as np
import pytest

from tervit_np.verify.diagnosis import likely_mistake, wrong_shape
from tervit_np.verify.gradcheck import GradientCheck

TRUE = np.random.default_rng(0).normal(size=(4, 4))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (-TRUE, "sign"),
        (2 * TRUE, "counted twice"),
        (TRUE / 2, "residual"),
        (TRUE * 3, "3 = sqrt(K) times the true gradient: 1/sqrt(K) is missing"),
        (TRUE / 9, "= 1/K times the true gradient: a factor of K is missing"),
        (TRUE * 5, "1/batch is missing"),
        (TRUE / 3, "factor of sqrt(K) is missing"),
        (TRUE * 81, "1/K^2 is missing"),
        (TRUE * 1.23, "constant factor"),
        (0 * TRUE, "never computed"),
        (TRUE.T, "transposed"),
        (TRUE + np.arange(4.0)[:, None], "not removed"),
        (np.where(np.eye(4) > 0, TRUE + 1, TRUE), "4 of 16 elements"),
        (np.full((4, 4), np.nan), "not finite"),
        (TRUE[0], "shape is (4,), expected (4, 4): one sum too many"),
        (TRUE.sum(), "shape is (), expected (4, 4): one sum too many"),
        (TRUE[None], "drop keepdims"),
        (TRUE.reshape(2, 8), "reshape it"),
        (np.ones((3, 4, 4)), "a sum is missing"),
        (np.ones((3, 5)), "a sum or a transpose is missing"),
        (TRUE[::-1] @ TRUE, "unrelated"),
    ],
)
def test_each_mistake_is_named(wrong, words):
    assert words in likely_mistake(GradientCheck("x", wrong, TRUE), {"K": 9, "batch": 5})


def test_shapes_of_exchanged_or_lost_axes_are_named():
    assert wrong_shape((5, 4), (4, 5)) == "its shape is (5, 4), expected (4, 5): it is transposed"
    assert wrong_shape((6,), (6, 1)).endswith("keepdims=True keeps the axis that is summed over")
