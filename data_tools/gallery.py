"""A page of examples: one row of images for each class, with the name of the class."""

import numpy as np

from data_tools.imageset import Array, LabelledSet
from data_tools.wordnet import in_words

_GAP = 2  # pixels between pictures, before zooming
_INK, _TEXT_SIZE = 40, 14  # grey level; pixels


def gallery(images: LabelledSet, columns: int = 14, rows: int = 20, zoom: int = 2) -> Array:
    """Draw the first `columns` images of the first `rows` classes.  -> uint8 (height, width, 3).

    Each row begins with the name of its class; each pixel becomes `zoom` x `zoom` pixels.
    """
    from PIL import Image, ImageDraw, ImageFont

    names = in_words(images.classes)[:rows]
    cell = (images.size + _GAP) * zoom
    font = ImageFont.load_default(_TEXT_SIZE)
    margin = round(max(font.getlength(name) for name in names)) + _TEXT_SIZE
    pictures = _grid(images, columns, len(names)).repeat(zoom, axis=0).repeat(zoom, axis=1)
    page = np.full((len(pictures), margin + pictures.shape[1], 3), 255, np.uint8)
    page[:, margin:] = pictures
    canvas = Image.fromarray(page)
    draw = ImageDraw.Draw(canvas)
    for row, name in enumerate(names):
        right_middle = (margin - _TEXT_SIZE / 2, row * cell + (cell - _GAP * zoom) / 2)
        draw.text(right_middle, name, (_INK,) * 3, font, anchor="rm")
    return np.asarray(canvas)


def _grid(images: LabelledSet, columns: int, rows: int) -> Array:
    """Arrange the images, without names.  -> uint8 (rows * cell, columns * cell, 3)."""
    side = images.size
    cell = side + _GAP
    grid = np.full((rows * cell, columns * cell, 3), 255, np.uint8)
    for row in range(rows):
        pictures, _ = images.pixels(np.flatnonzero(images.labels == row)[:columns])
        for column, picture in enumerate(pictures):
            top, left = row * cell, column * cell
            grid[top : top + side, left : left + side] = picture
    return grid
