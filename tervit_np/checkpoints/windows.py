"""The windows and the image size of a Swin, as its tensors show them.

Each block has a bias table of (2 w - 1)^2 rows. Where a map is smaller than the window, its window
is the whole map. No parameter shows the size of a map that is larger, but a mask does.
"""

import re
from collections.abc import Iterable, Mapping
from math import isqrt

from tervit_np.arrays import Array
from tervit_np.checkpoints.formats.buffers import Map
from tervit_np.models.swin_config import SwinConfig

_TABLE = re.compile(r"layers\.(\d{1,4})\.blocks\.\d+\.attn\.relative_position_bias_table")


def table_window(name: str, table: Array) -> int:
    """Return the side of the window that a bias table ((2 w - 1)^2, H) belongs to.

    Raises
    ------
    ValueError
        If it belongs to no square window.
    """
    rows = len(table) if table.ndim == 2 else 0
    line = isqrt(rows)
    if line * line != rows or line % 2 == 0:
        raise ValueError(
            f"{name} is {table.shape}, expected (2 w - 1)^2 rows for square windows of w tokens"
        )
    return (line + 1) // 2


def stage_windows(arrays: Mapping[str, Array]) -> dict[int, int]:
    """Return the window of each stage that has bias tables.

    Raises
    ------
    ValueError
        If a table belongs to no square window, or the blocks of a stage have different ones.
    """
    windows: dict[int, int] = {}
    for name, array in arrays.items():
        if match := _TABLE.fullmatch(name):
            window = table_window(name, array)
            stage = int(match[1])
            if windows.setdefault(stage, window) != window:
                raise ValueError(
                    f"{name} belongs to windows of {window}, an earlier block of its stage to "
                    f"windows of {windows[stage]}"
                )
    return windows


def swin_sizes(
    arrays: Mapping[str, Array], config: SwinConfig, maps: Iterable[Map]
) -> dict[str, int]:
    """Return the window and the image size that tables and masks show.

    Raises
    ------
    ValueError
        If they contradict each other, as those of Swin S3 do.
    """
    windows = stage_windows(arrays)
    found = [windows[stage] for stage in sorted(windows)]
    if len(found) != len(config.depths):
        return {}  # a table is missing, which is named when the weights are loaded
    image_size = _image_size(config, found, list(maps))
    if found != [min(found[0], side) for side in map_sides(config, image_size)]:
        raise ValueError(
            f"the windows of its stages are {', '.join(map(str, found))} (their "
            "relative_position_bias_table): expected one size, or whole maps in the last stages; "
            "these are the weights of Swin S3 or of another relative of Swin"
        )
    return {"window": found[0], "image_size": image_size}


def map_sides(config: SwinConfig, image_size: int) -> list[int]:
    """Return the side of the map in each stage."""
    return [image_size // config.patch_size >> stage for stage in range(len(config.depths))]


def _image_size(config: SwinConfig, windows: list[int], maps: list[Map]) -> int:
    """Infer the image size.

    Masks show it. Without them it is that of the configuration or, if its maps do not split into
    the windows, that at which the last map is one window.
    """
    if maps:
        return _size_of_masks(config, windows, maps)
    if all(side % window == 0 for side, window in zip(config.sides, windows, strict=True)):
        return config.image_size
    return windows[-1] * config.patch_size << len(windows) - 1


def _size_of_masks(config: SwinConfig, windows: list[int], maps: list[Map]) -> int:
    """Return the image size that all masks show; ValueError if they contradict each other."""
    sizes = {}
    for name, stage, side, window in maps:
        if stage >= len(windows) or windows[stage] != window:
            raise ValueError(f"{name} belongs to windows of {window}, the bias tables do not")
        sizes[side * config.patch_size << stage] = name
    if len(sizes) > 1:
        words = " and ".join(f"{name} to images of {size}" for size, name in sizes.items())
        raise ValueError(f"its masks contradict each other: {words} pixels")
    return next(iter(sizes))
