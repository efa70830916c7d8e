import numpy as np

from data_tools import ImageSet
from data_tools.gallery import gallery


def colours():
    """Class 0 is red, class 1 green; three and one of them."""
    images = np.zeros((4, 8, 8, 3), np.uint8)
    labels = np.array([0, 1, 0, 0])
    images[np.arange(4), :, :, labels] = 255
    return ImageSet(
        "toy", "train", images, labels, ("red", "a longer name"), (0.5,) * 3, (0.2,) * 3
    )


def is_colour(page, colour):
    return (page == colour).all(axis=2)


def test_pictures_of_a_class_fill_its_row():
    page = gallery(colours(), columns=3, zoom=2)
    red, green = is_colour(page, (255, 0, 0)), is_colour(page, (0, 255, 0))
    assert (red.sum(), green.sum()) == (3 * 16 * 16, 16 * 16)
    assert not red[20:].any()
    assert not green[:20].any()


def test_names_are_drawn_at_the_left():
    page = gallery(colours(), columns=3, zoom=2)
    grey = (page[..., 0] == page[..., 1]) & (page[..., 0] == page[..., 2]) & (page[..., 0] < 128)
    first_picture = np.flatnonzero(is_colour(page, (255, 0, 0)).any(axis=0))[0]
    assert grey[:20].any()
    assert grey[20:].sum() > grey[:20].sum()  # the longer name
    assert np.flatnonzero(grey.any(axis=0))[-1] < first_picture


def test_the_number_of_rows_is_limited():
    assert gallery(colours(), rows=1, zoom=1).shape[0] == 10
