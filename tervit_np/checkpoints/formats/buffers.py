"""The buffers in Swin's files: index tables and masks that follow from the shapes.

They are compared with ours and dropped: a file with another order of relative positions would load
and give wrong results. A mask also shows how large the map of its stage is, which no parameter
does.
"""

import re
from collections.abc import Mapping
from math import isqrt
from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.ops import relative_position_index, shift_mask

_MAX_WINDOW = 32  # an index has the fourth power of it in numbers
_INDEX = re.compile(r"relative_position_index$")
_MASK = re.compile(r"(?:layers\.(\d{1,3})\.blocks\.\d+\.)?attn_mask$")


class Map(NamedTuple):
    """The map of a stage, as a mask shows it."""

    name: str  # of the mask
    stage: int
    side: int
    window: int


def drop_buffers(arrays: Mapping[str, Array]) -> tuple[dict[str, Array], list[Map]]:
    """Check the buffers among the arrays and drop them.  -> parameters, maps of the masks.

    Raises
    ------
    ValueError
        If a buffer differs from the one that follows from its shape.
    """
    parameters, maps = {}, []
    for name, array in arrays.items():
        if _INDEX.search(name):
            _check_index(name, array)
        elif match := _MASK.search(name):
            columns, window = _check_mask(name, array)
            maps.append(Map(name, int(match[1] or 0), columns * window, window))
        else:
            parameters[name] = array
    return parameters, maps


def _check_index(name: str, index: Array) -> None:
    """Compare an index (T, T) with that of a window of T tokens."""
    window = isqrt(index.shape[0]) if index.ndim == 2 else 0
    if not 0 < window <= _MAX_WINDOW or index.shape != (window**2, window**2):
        raise ValueError(_fits_no_window(name, index))
    if not np.array_equal(index, relative_position_index(window)):
        raise ValueError(_differs(name))


def _check_mask(name: str, mask: Array) -> tuple[int, int]:
    """Compare a mask (nW, T, T) with that of windows shifted by half their side.

    -> windows in a row of the map, side of a window

    Windows at no edge, at the right edge, at the lower edge and in the corner have one mask each,
    as on a map of two by two windows.
    """
    columns, window = (isqrt(n) for n in mask.shape[:2]) if mask.ndim == 3 else (0, 0)
    fits = mask.shape == (columns**2, window**2, window**2)
    if not fits or columns < 2 or not 2 <= window <= _MAX_WINDOW:
        raise ValueError(_fits_no_window(name, mask))
    expected = shift_mask(2 * window, 2 * window, window, window // 2)
    assert expected is not None
    windows = mask.reshape(columns, columns, window**2, window**2)
    inner, last = slice(0, -1), slice(-1, None)
    edges = [(inner, inner), (inner, last), (last, inner), (last, last)]
    if not all((windows[edge] == e).all() for edge, e in zip(edges, expected, strict=True)):
        raise ValueError(_differs(name))
    return columns, window


def _fits_no_window(name: str, buffer: Array) -> str:
    return f"{name} is {buffer.shape}, which fits no square window of at most {_MAX_WINDOW} tokens"


def _differs(name: str) -> str:
    return (
        f"{name} differs from the one expected for its shape: the file is damaged, or numbers "
        "tokens or windows in another order"
    )
