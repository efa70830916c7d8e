"""The figures of loss surfaces, read back from the Matplotlib figure that was saved."""

import importlib

import numpy as np
import pytest
from PIL import Image

from tervit_np.analysis import svg
from tervit_np.analysis.style import STAGE_COLOURS
from tervit_np.analysis.surfaces.directions import Curve, Grid2D, around_zero
from tervit_np.analysis.surfaces.gaps import Gap, Gaps
from tervit_np.analysis.surfaces.interpolation import Interpolation
from tervit_np.analysis.surfaces.planes import Height, Plane
from tervit_np.analysis.surfaces.stairs import Stairs

NAMES = ("float", "8-bit", "ternary-latent", "ternary-effective")


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Call the draw function of that name.  -> the axes of its wide figure."""

    def draw(name, *args):
        module = importlib.import_module(f"tervit_np.analysis.surfaces.figures.{name}")
        figures, save = [], svg.save
        monkeypatch.setattr(svg, "save", lambda f, path: figures.append(f) or save(f, path))
        getattr(module, f"draw_{name}")(*args, tmp_path / "x.png")
        with Image.open(tmp_path / "x.png") as picture:
            assert min(picture.size) > 350
        return figures[0].axes

    return draw


def curve(name, height, reach=0.6):
    x = around_zero(reach, 9)
    return Curve(name, x, height + x * x, np.full(9, 0.01))


def colours(ax):
    return [line.get_color() for line in ax.lines]


def test_interpolation_draws_curves_and_crossings(drawn):
    x = np.linspace(-0.5, 1.5, 9)
    curves = Curve("float", x, 0.2 + x * x, x * 0), Curve("ternary", x, 1.5 - x, x * 0)
    (ax,) = drawn("interpolation", Interpolation(curves, (0.75,), (0.0, 1.5)))
    lines = [line for line in ax.lines if len(line.get_xdata()) == 9]
    for line, each in zip(lines, curves, strict=True):
        assert line.get_color() == STAGE_COLOURS[each.name]
        np.testing.assert_array_equal(line.get_ydata(), each.loss)
    texts = {text.get_text() for text in ax.texts}
    assert {"0.200", "1.500", "1.200", "0.500", "equal at 0.75"} <= texts


def test_lines_are_drawn_at_three_scales(drawn):
    far = tuple(curve(n, i) for i, n in enumerate(NAMES))
    near = tuple(curve(n, i, 0.05) for i, n in enumerate(NAMES))
    stairs = Stairs(curve("stairs", 1, 2e-5), np.arange(9), 5000)
    above, left, right = drawn("lines", far, near, stairs)
    for ax in (above, left):
        green, blue = STAGE_COLOURS["ternary"], STAGE_COLOURS["float"]
        assert colours(ax) == [blue, STAGE_COLOURS["8-bit"], green, green]
        assert len({line.get_linestyle() for line in ax.lines[2:]}) == 2  # they differ in grey too
    assert [t.get_text() for t in above.figure.legends[0].get_texts()][2:] == [
        "ternary, latent weights moved",
        "ternary, quantized weights moved",
    ]
    titles = [ax.get_title(loc="left") for ax in (above, left, right)]
    assert titles == ["within ±0.6", "within ±0.05", "within ±2e-05, 8 codes flip"]


def test_grids_share_their_levels(drawn):
    x = around_zero(0.6, 5)
    bowl = x[:, None] ** 2 + 2 * x[None, :] ** 2
    grids = tuple(Grid2D(n, x, x, 0.1 + (i + 1) * bowl) for i, n in enumerate(NAMES[1:]))
    axes = drawn("grids", grids)[:3]
    levels = [tuple(ax.collections[0].levels) for ax in axes]
    assert len(set(levels)) == 1
    assert levels[0][0] == pytest.approx(0.1)
    assert levels[0][-1] == pytest.approx(0.1 + 3 * bowl.max())


def test_a_constant_loss_is_drawn(drawn):
    """As of a model whose head is 0; next to one that is not constant, too."""
    x = around_zero(0.6, 5)
    flat, bowl = np.full((5, 5), 2.3), 2.3 + x[:, None] ** 2 + x[None, :] ** 2
    for losses in ((flat, flat), (flat, flat + 1e-15 * bowl), (flat, bowl)):
        grids = tuple(Grid2D(n, x, x, loss) for n, loss in zip(NAMES[1:], losses, strict=False))
        for ax in drawn("grids", grids)[:2]:
            low, *_, high = ax.collections[0].levels
            assert low <= 2.3 < high
    even = plane(2.3, 2.3, 2.3)
    even = even._replace(grids=tuple(g._replace(loss=np.full((3, 3), 2.3)) for g in even.grids))
    left, right = drawn("stacked", {"one": even, "two": even})
    assert left.get_zlim() == right.get_zlim()
    assert left.get_zlim()[0] < 2.3 < left.get_zlim()[1]
    assert right.get_title(loc="left") == "two\n"


def plane(*centres):
    names, x = ("float", "8-bit", "ternary"), around_zero(1, 3)
    rows = list(zip(names, centres, strict=True))
    grids = tuple(Grid2D(n, x, x, np.full((3, 3), h) + 0.1 * x[:, None]) for n, h in rows)
    heights = tuple(Height(n, h, 0.01, h, h - centres[0], 0.02) for n, h in rows)
    layers = ("blocks.0.attn.qkv.weight", "layers.0.blocks.1.attn.qkv.weight")
    return Plane(layers, np.ones((3, 2)), grids, heights)


def test_stacked_surfaces_are_labelled(drawn):
    left, right = drawn("stacked", {"one": plane(0.2, 0.2, 1.0), "two": plane(0.2, 0.2, 0.25)})
    assert [t.get_text() for t in left.texts] == ["ternary 1.000", "8-bit 0.200", "float 0.200"]
    assert left.get_title(loc="left") == "one\n"
    assert right.get_title(loc="left") == "two\nvertical scale 4 times larger"
    assert left.get_xlabel() == "shift of blocks.0"
    assert left.get_ylabel() == "shift of layers.0.blocks.1"


def test_gaps_draw_every_loss(drawn):
    kinds = ("8-bit", "ternary, layer-wise", "ternary, channel-wise")
    rows = tuple(Gap(k, 0.2 + i, float(i), 0.1, 0.0, 0.1) for i, k in enumerate(kinds))
    (ax,) = drawn("gaps", (Gaps("float", 0.2, 0.05, rows), Gaps("ternary", 0.4, 0.05, rows)))
    points = [line for line in ax.lines if line.get_marker() in "os^"]
    assert [float(p.get_ydata()[0]) for p in points] == [0.2, 0.2, 1.2, 2.2, 0.4, 0.2, 1.2, 2.2]
    assert len({(p.get_marker(), p.get_markerfacecolor()) for p in points}) == 4
    assert [t.get_text() for t in ax.get_xticklabels()] == ["float", "ternary"]
