"""Exercise: images to patch vectors."""

from collections.abc import Iterator
from types import ModuleType

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import wrong_array
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng

TASK = """
A vision transformer reads an image as tokens. Cut images (B, C, H, W) into
patches of P x P pixels, P = patch, and return one vector for each:

    (B, C, H, W) -> (B, N, C P P)        N = (H / P) (W / P)

The tokens run over the image row by row: token 1 is the patch right of token 0.
The numbers of a patch run over (channel, row, column), as the weight of the
equivalent convolution, (D, C, P, P), does.

Nothing is computed, numbers only change places. The check begins with a picture
of 2 x 4 pixels for paper.
"""

HINTS = (
    "A row of pixels belongs to W / P patches, so the pixels of one patch do not follow each other "
    "in memory. Break H into (H / P, P) and W into (W / P, P) with one reshape, which moves "
    "nothing. Then put the axes into the wanted order.",
    "  (B, C, H/P, P, W/P, P)        reshape: grid and pixel of each axis\n"
    "  (B, H/P, W/P, C, P, P)        transpose: the grid first\n"
    "  (B, N, C P P)                 reshape: join grid, join patch",
    "  rows, columns = height // patch, width // patch\n"
    "  x = images.reshape(batch, channels, rows, patch, columns, patch)\n"
    "  x = x.transpose(0, 2, 4, 1, 3, 5)\n"
    "  return x.reshape(batch, rows * columns, channels * patch * patch)",
)

PLAIN = """
rows, columns = height // patch, width // patch

# Break both axes of the image into the grid and the pixels of a patch.
x = images.reshape(batch, channels, rows, patch, columns, patch)

# The grid first, then (channel, row, column) of the patch.
x = x.transpose(0, 2, 4, 1, 3, 5)

return x.reshape(batch, rows * columns, channels * patch * patch)
"""


def check(module: ModuleType) -> Iterator[Finding]:
    """Check pictures on paper, then random ones, wide and high, and whole numbers."""
    rng = check_rng(1)
    small = np.arange(8.0)
    cases = {
        "on paper, one image [[0, 1, 2, 3], [4, 5, 6, 7]], patch 2": (
            small.reshape(1, 1, 2, 4),
            2,
        ),
        "two channels, [[0, 1], [2, 3]] and [[4, 5], [6, 7]], patch 2": (
            small.reshape(1, 2, 2, 2),
            2,
        ),
        "random images (2, 3, 4, 6), patch 2": (rng.normal(size=(2, 3, 4, 6)), 2),
        "random images (1, 2, 9, 3), patch 3": (rng.normal(size=(1, 2, 9, 3)), 3),
        "uint8 stays uint8": (rng.integers(0, 256, (2, 3, 4, 4)).astype(np.uint8), 2),
    }
    for what, (images, patch) in cases.items():
        true = _pixel_by_pixel(images, patch)
        result = module.patchify(read_only(images), patch)
        known = _known_mistakes(images, patch)
        yield Finding(what, wrong_array(result, true, "the result", known))


def _pixel_by_pixel(images: Array, patch: int) -> Array:
    """Cut out one patch after the other."""
    _, _, height, width = images.shape
    tokens = [
        images[:, :, top : top + patch, left : left + patch].reshape(len(images), -1)
        for top in range(0, height, patch)
        for left in range(0, width, patch)
    ]
    return np.stack(tokens, axis=1)


def _known_mistakes(images: Array, patch: int) -> dict[str, Array]:
    batch, channels, height, width = images.shape
    rows, columns = height // patch, width // patch
    shape = (batch, rows * columns, channels * patch * patch)
    x = images.reshape(batch, channels, rows, patch, columns, patch)
    return {
        f"reshape alone takes numbers that follow each other in memory, but the {patch} rows of a "
        "patch lie W apart: break both axes, then bring them together": images.reshape(shape),
        "the numbers of a patch run (row, column, channel); the convolution's weight is "
        "(D, C, P, P)": x.transpose(0, 2, 4, 3, 5, 1).reshape(shape),
        "the tokens run column by column; token 1 is right of token 0": (
            x.transpose(0, 4, 2, 1, 3, 5).reshape(shape)
        ),
        "rows and columns of a patch are exchanged": (x.transpose(0, 2, 4, 1, 5, 3).reshape(shape)),
        "the image is cut into rows and columns of pixels that lie H / P and W / P apart: the grid "
        "comes first when H breaks into (H / P, P)": (
            images.reshape(batch, channels, patch, rows, patch, columns)
            .transpose(0, 3, 5, 1, 2, 4)
            .reshape(shape)
        ),
    }


PATCHIFY = Exercise(
    name="patchify",
    module="ops.patches",
    chapter="04_tokens",
    title="cut images into patch vectors",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=(PLAIN,),
    wrong_answers=(
        WrongAnswer(
            "reshape only",
            "x = x.transpose(0, 2, 4, 1, 3, 5)",
            "",
            "break both axes, then bring them together",
        ),
        WrongAnswer(
            "channels last in a patch",
            "(0, 2, 4, 1, 3, 5)",
            "(0, 2, 4, 3, 5, 1)",
            "the convolution's weight is (D, C, P, P)",
        ),
        WrongAnswer(
            "column by column",
            "(0, 2, 4, 1, 3, 5)",
            "(0, 4, 2, 1, 3, 5)",
            "token 1 is right of token 0",
        ),
    ),
)
