import numpy as np
import pytest

from tervit_np.analysis.surfaces import text
from tervit_np.analysis.surfaces.curvature import Prediction
from tervit_np.analysis.surfaces.directions import Curve
from tervit_np.analysis.surfaces.gaps import Gap, Gaps
from tervit_np.analysis.surfaces.interpolation import Interpolation
from tervit_np.analysis.surfaces.planes import Height, Plane
from tervit_np.analysis.surfaces.stairs import Stairs


def gaps(latent, eight, layer, channel, loss=0.5):
    kinds = ("8-bit", "ternary, layer-wise", "ternary, channel-wise")
    rows = zip(kinds, (eight, layer, channel), (0, eight, layer), strict=True)
    found = tuple(Gap(k, loss + g, g, 0.02, before - g, 0.03) for k, g, before in rows)
    return Gaps(latent, loss, 0.01, found)


def test_words_about_gaps_follow_the_signs():
    closed = text.about_gaps((gaps("float", 0.01, 0.9, 0.7), gaps("ternary", 0, 0.1, 0.1)))
    assert "from 0.500 to 1.200" in closed
    assert "a gap of +0.700 ± 0.020" in closed
    assert "saves 0.200 ± 0.030, more than its error" in closed
    assert "which these images cannot show" in closed
    assert "After ternary training +0.100 ± 0.020 of it is left" in closed
    turned = text.about_gaps((gaps("float", 0.1, 0.7, 0.9), gaps("ternary", 0, 0.1, -0.2)))
    assert "costs 0.200 ± 0.030" in turned
    assert "8 bits the gap is +0.1000 ± 0.0200, more than its error" in turned
    assert "0.500 as they are and 0.300 when rounded" in turned
    assert "no worse a float model" in turned
    worse = text.about_gaps((gaps("float", 0, 1, 1), gaps("ternary", 0, 0.1, -0.2, loss=0.6)))
    assert "a worse float model than the float solution" in worse


def plane(*distances):
    names = ("float", "8-bit", "ternary")
    rows = zip(names, distances, strict=True)
    heights = tuple(Height(n, 0.2 + d, 0.01, 0.2 + d, d, 0.01) for n, d in rows)
    return Plane(("a", "b"), np.ones((3, 2)), (), heights)


def test_words_about_planes():
    said = text.about_planes(plane(0, 0.001, 0.8), plane(0, 0.001, 0.2))
    assert "lies 0.800 ± 0.010 above" in said
    assert "lies 0.200 ± 0.010 above the float one: 25 % of the distance is left" in said
    said = text.about_planes(plane(0, 0, 1), plane(0, 0, -0.3))
    assert "lies 0.300 ± 0.010 below the float one" in said
    said = text.about_planes(plane(0, 0, 1), plane(0, 0, 0.015))
    assert "differ by 0.015 ± 0.010, which these images cannot tell from nothing" in said


def curve(name, slope, reach=0.6):
    x = np.linspace(-reach, reach, 9)
    return Curve(name, x, 0.2 + slope * np.abs(x), np.full(9, 0.01))


def test_words_about_lines():
    names = ("float", "8-bit", "ternary-latent", "ternary-effective")
    far = tuple(curve(n, s) for n, s in zip(names, (1, 1, 4, 1), strict=True))
    stairs = Stairs(curve("stairs", 1, 1e-4), np.zeros(9), 1234)
    said = text.about_lines(far, far, stairs)
    assert "rises by 0.150 (float)" in said
    assert "and 0.600 (ternary, latent" in said
    assert "belongs to the latent weights" in said
    assert "1,234 codes" in said
    even = tuple(curve(n, 1) for n in names)
    assert "about equally steep" in text.about_lines(even, far, stairs)


@pytest.mark.parametrize(("bump", "sentence"), [(0, "No barrier lies"), (3, "A barrier of 3.000")])
def test_words_about_the_way_between(bump, sentence):
    x = np.array([-0.5, 0, 0.5, 1, 1.5])
    floats = Curve("float", x, np.array([0.3, 0.2, 0.2, 0.4, 0.9]), np.full(5, 0.01))
    ternary = Curve("ternary", x, np.array([2, 1, 1 + bump, 0.3, 0.4]), np.full(5, 0.01))
    said = text.about_interpolation(Interpolation((floats, ternary), (0.9,), (0.0, 1.0)))
    assert "equal at 0.90" in said
    assert sentence in said
    assert "falls from 1.000 to 0.300" in said
    apart = text.about_interpolation(Interpolation((floats, ternary), (), (0.0, 1.0)))
    assert "equal at nowhere on this line" in apart


@pytest.mark.parametrize(("second", "sentence"), [(0.95, "reaches as far"), (0.4, "too long a")])
def test_words_about_predictions(second, sentence):
    eight = Prediction("8-bit", 0.001, 0.0, 0.0011, 1.0, 0.1, 1e-5)
    three = Prediction("ternary, channel-wise", 1.0, 0.1, second, 500.0, 300.0, 0.17)
    said = text.about_predictions((eight, three))
    assert "estimate is 0.00110 where 0.00100 is measured" in said
    assert f"gives {100 * second:.0f} % of the measured gap" in said
    assert "500 times as large as the gap" in said
    assert sentence in said


def test_words_about_eigenvalues(surfaces):
    said = text.about_curvature(surfaces)
    top = surfaces.curvature[2].spectrum.largest
    assert f"and {top:.2f} for the ternary one" in said
    above = [
        c._replace(spectrum=c.spectrum._replace(values=np.ones(3))) for c in surfaces.curvature
    ]
    assert "minimum" not in text.about_curvature(surfaces._replace(curvature=tuple(above)))


def test_rises_and_roughness_by_hand():
    assert text.rise_at(curve("x", 2), 0.15) == pytest.approx(0.3)
    smooth = Curve("x", np.arange(4.0), np.array([0.0, 1, 2, 3]), np.zeros(4))
    rough = smooth._replace(loss=np.array([0.0, 2, 1, 3]))
    assert text.roughness(smooth) == 0
    assert text.roughness(rough) == pytest.approx(4 / 3)
