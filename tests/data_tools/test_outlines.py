import numpy as np
import pytest

from data_tools.outlines import OUTLINES

LINE = np.linspace(-1.2, 1.2, 241)
X, Y = np.meshgrid(LINE, LINE)


@pytest.mark.parametrize("outline", OUTLINES, ids=lambda o: o.__name__)
def test_every_figure_fills_its_square(outline):
    inside = outline(X, Y) < 0
    assert 0.08 < inside.mean() < 0.5
    assert np.abs(X[inside]).max() > 0.5
    assert max(np.abs(X[inside]).max(), np.abs(Y[inside]).max()) < 1.05


@pytest.mark.parametrize("outline", OUTLINES, ids=lambda o: o.__name__)
def test_distances_grow_no_faster_than_space(outline):
    d = outline(X, Y)
    step = LINE[1] - LINE[0]
    assert np.abs(np.diff(d, axis=0)).max() <= 1.01 * step
    assert np.abs(np.diff(d, axis=1)).max() <= 1.01 * step


def test_no_two_figures_are_alike():
    masks = [outline(X, Y) < 0 for outline in OUTLINES]
    for i, a in enumerate(masks):
        for b in masks[:i]:
            assert (a & b).sum() / (a | b).sum() < 0.93
