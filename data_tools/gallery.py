"""Examples of each class side by side."""

import numpy as np

from data_tools.imageset import Array, ImageSet

_GAP = 2


def gallery(images: ImageSet, columns: int = 14, rows: int = 20, zoom: int = 2) -> Array:
    """Lay out the first images of the first classes.  -> uint8 (height, width, 3).

    One class a row, at most `rows` of them, each pixel enlarged `zoom` times.
    """
    classes = range(min(len(images.classes), rows))
    side = images.images.shape[1]
    cell = side + _GAP
    sheet = np.full((len(classes) * cell, columns * cell, 3), 255, np.uint8)
    for row in classes:
        for column, i in enumerate(np.flatnonzero(images.labels == row)[:columns]):
            top, left = row * cell, column * cell
            sheet[top : top + side, left : left + side] = images.images[i]
    return sheet.repeat(zoom, axis=0).repeat(zoom, axis=1)
