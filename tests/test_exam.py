"""The answers of docs/teaching/exam.md, computed with the library."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

import tervit_np as tv
from tervit_np import ops
from tervit_np.deploy import base3
from tervit_np.ops.layernorm import LayerNormCache

TEXT = (Path(__file__).parents[1] / "docs/teaching/exam.md").read_text(encoding="utf-8")
TEXT = " ".join(TEXT.split())
ONE = np.ones(4)


def says(words: str) -> bool:
    return words in TEXT


def test_points_sum_to_sixty():
    points = re.findall(r"## \d+\. [^(]+\((\d+) points", TEXT)
    assert len(points) == 13 and sum(map(int, points)) == 60


def test_linear_backward():
    x, weight = np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6]])
    _, cache = ops.linear(x, weight, np.zeros(1))
    dx, dweight, dbias = ops.linear_backward(np.array([[1.0], [-1]]), cache)
    assert dx.tolist() == [[5, 6], [-5, -6]] and dweight.tolist() == [[-2, -2]] and dbias == 0
    assert says("dx = dy W = [[5, 6], [-5, -6]], dW = dyᵀ x = [[-2, -2]], db = 0")


def test_cross_entropy():
    loss, dz = tv.losses.cross_entropy(np.log([[1.0, 2, 5]]), np.array([2]))
    assert loss == pytest.approx(math.log(8 / 5))
    np.testing.assert_allclose(dz, [[1 / 8, 1 / 4, -3 / 8]])
    assert says(f"loss ln(8/5) = {loss:.3f}, dz = (1/8, 1/4, -3/8)")


def test_an_upstream_of_ones_sees_the_path_through_the_mean_alone():
    xhat, rstd = np.array([[1.0, -1, 1, -1]]), 2.0
    through_mean = rstd * ONE.mean()
    through_variance = rstd * xhat * xhat.mean()
    assert (rstd * ONE - through_mean - through_variance == 0).all()
    assert (through_variance == 0).all() and through_mean == rstd
    assert says("The path through the variance is missing, and the check passes.")
    assert says("Without the path through the mean dx would be rstd g, and the check sees that.")


def test_the_true_gradient_of_a_ternary_row_goes_through_the_scale():
    w, h = np.array([[0.9, -0.2, 0.5, -1.2]]), 1e-6
    ternary = tv.quant.ternarize(w)
    moved = (tv.quant.ternarize(w + h * np.eye(4)[i]) for i in range(4))
    slopes = np.array([(m.scale[0] - ternary.scale[0]) / h for m in moved])
    np.testing.assert_allclose(slopes, ternary.codes[0] / 3, atol=1e-6)
    assert says("What is left of the gradient goes through the scale: one number for a row")


def test_layernorm_and_softmax_backward():
    cache = LayerNormCache(np.array([[1.0, -1, 1, -1]]), np.array([[2.0]]), ONE)
    dx, _, _ = ops.layernorm_backward(np.array([[4.0, 0, 0, 0]]), cache)
    assert dx.tolist() == [[4, 0, -4, 0]] and says("= (4, 0, -4, 0)")
    y, cache = ops.softmax(np.log([2.0, 1, 1]))
    dx = ops.softmax_backward(np.array([1.0, 0, 0]), cache)
    np.testing.assert_allclose(dx, [1 / 4, -1 / 8, -1 / 8])
    assert says("= (1/4, -1/8, -1/8)") and y[0] == pytest.approx(1 / 2)


def test_heads():
    x = np.arange(8).reshape(2, 4)
    assert x.reshape(2, 2, 2).transpose(1, 0, 2)[0].tolist() == [[0, 1], [4, 5]]
    assert x.reshape(2, 2, 2)[0].tolist() == [[0, 1], [2, 3]]
    assert says("Head 0 is [[0, 1], [4, 5]]. The reshape alone gives [[0, 1], [2, 3]]")


def test_three_values():
    w = np.array([[0.9, -0.2, 0.5, -1.2]])
    ternary, best = tv.quant.ternarize(w), tv.quant.ternarize(w, threshold="exact")
    assert ternary.codes.tolist() == best.codes.tolist() == [[1, 0, 1, -1]]
    error = ((ternary.dequantize() - w) ** 2).sum()
    assert says(f"/ 3 = {ternary.scale[0]:.3f}, error {error:.3f}")
    sums = np.cumsum(np.sort(np.abs(w[0]))[::-1])
    gains = sums**2 / np.arange(1, 5)
    assert says(", ".join(f"{gain:.4g}" for gain in gains))


def test_grids():
    grid = tv.quant.UniformWeight(8).encode(np.array([[-0.3, 1.27, 0.006]]))
    assert grid.codes.tolist() == [[-30, 127, 1]] and says("codes (-30, 127, 1)")
    codes = np.rint(np.array([-0.5, 0, 0.2, 1]) / 0.5) + 1
    assert codes.tolist() == [0, 1, 1, 3] and says("codes (0, 1, 1, 3)")


def test_packing():
    value = sum(digit * 3**i for i, digit in enumerate((2, 1, 1, 0, 2)))
    assert base3.encode(np.array([1, -1, 0, 0, 1], np.int8)) == math.ceil(256 * value / 243)
    assert says(f"+ 2 = {value}.") and says("/ 243⌉ = 186,")


def test_integers():
    q, t = np.array([3, -2]), np.array([1, -1])
    assert (q @ (t + 1), q.sum(), q @ t) == (6, 1, 5)
    assert 258 * 127 <= np.iinfo(np.int16).max < 259 * 127
    assert says(f"258 · 127 = {258 * 127:,} fits, 259 · 127 = {259 * 127:,} does not")


def test_five_seeds():
    found = np.array([0.2, -0.1, 0.4, 0.1, -0.1])
    mean, spread = found.mean(), found.std(ddof=1)
    error = spread / math.sqrt(5)
    low, high = mean - 2.78 * error, mean + 2.78 * error
    assert says(f"Mean {mean:.1f}, standard deviation {spread:.3f}, standard error {error:.3f}")
    assert says(f"interval {low:.2f} to {high:.2f}")
