import numpy as np
import pytest

from tervit_np.nn import Block
from tests.checks import ROUNDOFF64, as_operator, check, check_accumulation, close, fill


class Drawn(Block):
    """A block that drops the same images in every forward."""

    def forward(self, x):
        return super().forward(x, True, np.random.default_rng(7))


@pytest.mark.parametrize(("rate", "form"), [(0.0, "erf"), (0.4, "tanh")])
def test_a_block_passes_all_checks(rate, form):
    rng = np.random.default_rng(0)
    block = fill(Drawn(4, 2, 6, rate, form, "float64"), rng)
    check(as_operator(block, rng.normal(size=(5, 3, 4))), tolerance=3e-5)


def test_gradients_accumulate():
    rng = np.random.default_rng(1)
    block = fill(Block(4, 2, 6, 0.0, "erf", "float64"), rng)
    check_accumulation(block, rng.normal(size=(2, 3, 4)), rng)


def test_a_block_normalises_before_each_branch():
    rng = np.random.default_rng(2)
    block, x = fill(Block(6, 3, 10, 0.0, "erf", "float64"), rng), rng.normal(size=(2, 4, 6))
    middle = x + block.attn.forward(block.norm1.forward(x)[0])[0]
    expected = middle + block.mlp.forward(block.norm2.forward(middle)[0])[0]
    close(block.forward(x)[0], expected, ROUNDOFF64)
    assert block.norm1.eps == block.norm2.eps == 1e-6


def test_branches_drop_different_images():
    block = fill(Block(4, 2, 6, 0.5, "erf", "float64"), np.random.default_rng(3))
    x = np.random.default_rng(4).normal(size=(64, 2, 4))
    _, cache = block.forward(x, True, np.random.default_rng(5))
    assert (cache.drop1 != cache.drop2).any()
    both = ((cache.drop1 == 0) & (cache.drop2 == 0)).ravel()
    y, _ = block.forward(x, True, np.random.default_rng(5))
    np.testing.assert_array_equal(y[both], x[both])
    assert both.any()
    assert (y[~both] != x[~both]).any(axis=(1, 2)).all()


def test_input_and_dy_stay_unchanged():
    rng = np.random.default_rng(6)
    block = fill(Block(4, 2, 6, 0.0, "erf", "float64"), rng)
    x, dy = rng.normal(size=(2, 2, 3, 4))
    copies = x.copy(), dy.copy()
    _, cache = block.forward(x)
    block.backward(dy, cache)
    np.testing.assert_array_equal((x, dy), copies)
