"""Examples of each class side by side, the classes' names beside them."""

import numpy as np

from data_tools.imageset import Array, LabelledSet
from data_tools.wordnet import in_words

_GAP = 2  # pixels between pictures, before zooming
_INK, _TEXT_SIZE = 40, 14  # grey level; pixels


def gallery(images: LabelledSet, columns: int = 14, rows: int = 20, zoom: int = 2) -> Array:
    """Lay out the first images of the first classes.  -> uint8 (height, width, 3).

    One class a row, its name at the left, at most `rows` of them, each pixel enlarged `zoom` times.
    """
    from PIL import Image, ImageDraw, ImageFont

    names = in_words(images.classes)[:rows]
    cell = (images.size + _GAP) * zoom
    font = ImageFont.load_default(_TEXT_SIZE)
    margin = round(max(font.getlength(name) for name in names)) + _TEXT_SIZE
    pictures = _sheet(images, columns, len(names)).repeat(zoom, axis=0).repeat(zoom, axis=1)
    page = np.full((len(pictures), margin + pictures.shape[1], 3), 255, np.uint8)
    page[:, margin:] = pictures
    canvas = Image.fromarray(page)
    draw = ImageDraw.Draw(canvas)
    for row, name in enumerate(names):
        place = (margin - _TEXT_SIZE / 2, row * cell + (cell - _GAP * zoom) / 2)
        draw.text(place, name, (_INK,) * 3, font, anchor="rm")
    return np.asarray(canvas)


def _sheet(images: LabelledSet, columns: int, rows: int) -> Array:
    """Lay out the pictures alone.  -> uint8 (rows * cell, columns * cell, 3)."""
    side = images.size
    cell = side + _GAP
    sheet = np.full((rows * cell, columns * cell, 3), 255, np.uint8)
    for row in range(rows):
        pictures, _ = images.pixels(np.flatnonzero(images.labels == row)[:columns])
        for column, picture in enumerate(pictures):
            top, left = row * cell, column * cell
            sheet[top : top + side, left : left + side] = picture
    return sheet
