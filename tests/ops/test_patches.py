import numpy as np
import pytest

from tervit_np.ops import patchify, unpatchify
from tervit_np.verify.operators import Operator
from tests.checks import check

SHAPES = [(2, 3, 4, 6, 2), (1, 1, 3, 3, 3), (2, 2, 5, 3, 1), (1, 3, 8, 4, 4)]


@pytest.mark.parametrize(("b", "c", "h", "w", "patch"), SHAPES)
def test_patchify_passes_all_checks(b, c, h, w, patch):
    images = np.random.default_rng(0).normal(size=(b, c, h, w))
    check(Operator("patchify", {"x": images}, lambda x: (patchify(x, patch), x.shape), unpatchify))


@pytest.mark.parametrize(("b", "c", "h", "w", "patch"), SHAPES)
def test_tokens_run_row_by_row_vectors_over_channel_row_column(b, c, h, w, patch):
    images = np.arange(b * c * h * w).reshape(b, c, h, w)
    vectors = patchify(images, patch)
    grid_w = w // patch
    for i, j in np.ndindex(h // patch, grid_w):
        cut = images[:, :, i * patch : (i + 1) * patch, j * patch : (j + 1) * patch]
        np.testing.assert_array_equal(vectors[:, i * grid_w + j], cut.reshape(b, -1))
    np.testing.assert_array_equal(unpatchify(vectors, images.shape), images)


@pytest.mark.parametrize(("height", "width"), [(6, 8), (8, 6)])
def test_sizes_that_do_not_divide_are_refused(height, width):
    with pytest.raises(
        ValueError, match=f"{height} x {width} images do not split into patches of 4"
    ):
        patchify(np.ones((1, 3, height, width)), 4)
