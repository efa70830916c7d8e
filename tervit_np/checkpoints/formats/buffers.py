"""What Swin's files hold beside parameters: index tables and masks that follow from the shapes.

They are checked against our own and dropped: a file whose index runs the other way would load and
be wrong.
"""

import re
from collections.abc import Mapping

import numpy as np

from tervit_np.arrays import Array
from tervit_np.ops import relative_position_index, shift_mask

_INDEX = re.compile(r"relative_position_index$")
_MASK = re.compile(r"attn_mask$")


def without_buffers(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Check the buffers among the arrays and leave them out.

    Raises
    ------
    ValueError
        If a buffer is not what its shape says it must be.
    """
    parameters = {}
    for name, array in arrays.items():
        if _INDEX.search(name):
            _check(name, array, _index_like(array))
        elif _MASK.search(name):
            _check(name, array, _mask_like(array))
        else:
            parameters[name] = array
    return parameters


def _index_like(array: Array) -> Array | None:
    """Make the index for as many tokens; None where they fill no square window."""
    window = round(array.shape[0] ** 0.5) if array.ndim == 2 else 0
    return relative_position_index(window) if array.shape == (window**2, window**2) else None


def _mask_like(array: Array) -> Array | None:
    """Make the mask for as many windows of that size, shifted by half a window."""
    if array.ndim != 3:
        return None
    across, window = (round(n**0.5) for n in array.shape[:2])
    if array.shape != (across**2, window**2, window**2) or across < 2 or window < 2:
        return None
    return shift_mask(across * window, across * window, window, window // 2)


def _check(name: str, found: Array, expected: Array | None) -> None:
    if expected is None:
        raise ValueError(f"{name} is {found.shape}, which fits no square window")
    if not np.array_equal(found, expected):
        raise ValueError(f"{name} differs from what its shape says: the file is damaged, or its "
                         "windows are numbered otherwise")  # fmt: skip
