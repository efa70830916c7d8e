import numpy as np
import pytest

from tervit_np.ops import col2im, im2col
from tervit_np.verify.operators import Operator
from tests.checks import ROUNDOFF64, check, close

SHAPES = [  # batch, height, width, channels, kernel, stride, padding
    (2, 5, 4, 3, 3, 2, 1),
    (1, 8, 8, 2, 3, 2, 1),
    (2, 4, 6, 1, 2, 2, 0),
    (1, 5, 5, 2, 3, 1, 0),
    (1, 6, 5, 2, 3, 1, 2),
    (1, 7, 7, 1, 1, 3, 0),
    (1, 3, 2, 2, 2, 1, 4),  # windows outside of the image
]


@pytest.mark.parametrize(("b", "h", "w", "c", "kernel", "stride", "padding"), SHAPES)
def test_convolution_passes_all_checks(b, h, w, c, kernel, stride, padding):
    x = np.random.default_rng(0).normal(size=(b, h, w, c))

    def forward(x):
        return im2col(x, kernel, stride, padding), x.shape

    def backward(dy, shape):
        return col2im(dy, shape, kernel, stride, padding)

    check(Operator("im2col", {"x": x}, forward, backward))


@pytest.mark.parametrize(("b", "h", "w", "c", "kernel", "stride", "padding"), SHAPES)
def test_windows_follow_the_formula(b, h, w, c, kernel, stride, padding):
    x = np.random.default_rng(1).normal(size=(b, h, w, c))
    columns = im2col(x, kernel, stride, padding)
    out_h, out_w = ((n + 2 * padding - kernel) // stride + 1 for n in (h, w))
    assert columns.shape == (b, out_h, out_w, kernel * kernel * c)
    windows = columns.reshape(b, out_h, out_w, kernel, kernel, c)
    for i, j, r, k in np.ndindex(out_h, out_w, kernel, kernel):
        row, column = stride * i + r - padding, stride * j + k - padding
        inside = 0 <= row < h and 0 <= column < w
        expected = x[:, row, column] if inside else np.zeros((b, c))
        np.testing.assert_array_equal(windows[:, i, j, r, k], expected)


def test_a_pixel_in_several_windows_gets_the_sum():
    counts = col2im(np.ones((1, 3, 3, 9)), (1, 5, 5, 1), 3, 1, 0)[0, :, :, 0]
    edge = np.array([1, 2, 3, 2, 1])
    np.testing.assert_array_equal(counts, np.outer(edge, edge))


def test_col2im_is_the_adjoint_of_im2col():
    """<im2col(x), y> = <x, col2im(y)>, exactly the same products in another order."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2, 6, 7, 3))
    columns = im2col(x, 3, 2, 1)
    y = rng.normal(size=columns.shape)
    close((columns * y).sum(), (x * col2im(y, x.shape, 3, 2, 1)).sum(), ROUNDOFF64)
