"""The buffers in Swin's files: index tables and masks that follow from the shapes.

They are compared with ours and dropped: a file with another order of relative positions would load
and give wrong results.
"""

import re
from collections.abc import Mapping

import numpy as np

from tervit_np.arrays import Array
from tervit_np.ops import relative_position_index, shift_mask

_INDEX = re.compile(r"relative_position_index$")
_MASK = re.compile(r"attn_mask$")


def drop_buffers(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Check the buffers among the arrays and drop them.

    Raises
    ------
    ValueError
        If a buffer differs from the one that follows from its shape.
    """
    parameters = {}
    for name, array in arrays.items():
        if _INDEX.search(name):
            _check(name, array, _expected_index(array))
        elif _MASK.search(name):
            _check(name, array, _expected_mask(array))
        else:
            parameters[name] = array
    return parameters


def _expected_index(array: Array) -> Array | None:
    """Compute the index for as many tokens; None if they do not fill a square window."""
    window = round(array.shape[0] ** 0.5) if array.ndim == 2 else 0
    return relative_position_index(window) if array.shape == (window**2, window**2) else None


def _expected_mask(array: Array) -> Array | None:
    """Compute the mask for as many windows of that size, shifted by half a window."""
    if array.ndim != 3:
        return None
    columns, window = (round(n**0.5) for n in array.shape[:2])
    if array.shape != (columns**2, window**2, window**2) or columns < 2 or window < 2:
        return None
    return shift_mask(columns * window, columns * window, window, window // 2)


def _check(name: str, buffer: Array, expected: Array | None) -> None:
    if expected is None:
        raise ValueError(f"{name} is {buffer.shape}, which fits no square window")
    if not np.array_equal(buffer, expected):
        raise ValueError(
            f"{name} differs from the one expected for its shape: the file is damaged, or numbers "
            "tokens or windows in another order"
        )
