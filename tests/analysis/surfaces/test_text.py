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
    three_kinds = tuple(Gap(k, loss + g, g, 0.02, before - g, 0.03) for k, g, before in rows)
    return Gaps(latent, loss, 0.01, three_kinds)


def test_gaps_are_described_by_their_signs():
    closed = text.describe_gaps((gaps("float", 0.01, 0.9, 0.7), gaps("ternary", 0, 0.1, 0.1)))
    assert "from 0.500 to 1.200" in closed
    assert "a gap of +0.700 ± 0.020" in closed
    assert "channels save 0.200 ± 0.030, more than twice its error" in closed
    assert "which is within twice its error" in closed
    assert "After ternary training the gap of its latent weights is +0.100 ± 0.020" in closed
    turned = text.describe_gaps((gaps("float", 0.1, 0.7, 0.9), gaps("ternary", 0, 0.1, -0.2)))
    assert "channels cost 0.200 ± 0.030" in turned
    assert "8 bits the gap is +0.1000 ± 0.0200, more than twice its error" in turned
    assert "0.500 unrounded and 0.300 rounded" in turned
    assert "no worse a float model" in turned
    worse = text.describe_gaps((gaps("float", 0, 1, 1), gaps("ternary", 0, 0.1, -0.2, loss=0.6)))
    assert "a worse float model than the float solution" in worse


def test_a_gap_within_twice_its_error_is_neither_closed_nor_reversed():
    sentences = text.describe_gaps((gaps("float", 0, 1, 1), gaps("ternary", 0, 0.1, -0.03)))
    assert "reverses" not in sentences
    assert "its latent weights is -0.030 ± 0.020, which is within twice its error." in sentences


def test_rounding_that_lowers_the_loss_does_not_raise_it():
    sentences = text.describe_gaps((gaps("float", 0, 0.1, -0.2), gaps("ternary", 0, 0.1, 0.1)))
    assert "takes the loss from 0.500 to 0.300" in sentences
    assert "raises" not in sentences


def plane(*distances):
    names = ("float", "8-bit", "ternary")
    rows = zip(names, distances, strict=True)
    heights = tuple(Height(n, 0.2 + d, 0.01, 0.2 + d, d, 0.01) for n, d in rows)
    return Plane(("a", "b"), np.ones((3, 2)), (), heights)


def test_planes_are_described_by_their_distances():
    sentences = text.describe_planes(plane(0, 0.001, 0.8), plane(0, 0.001, 0.2))
    assert "is 0.800 ± 0.010 above" in sentences
    assert "is 0.200 ± 0.010 above the float one, 25 % of that" in sentences
    sentences = text.describe_planes(plane(0, 0, 1), plane(0, 0, -0.3))
    assert "is 0.300 ± 0.010 below the float one" in sentences
    sentences = text.describe_planes(plane(0, 0, 1), plane(0, 0, 0.015))
    assert "differ by 0.015 ± 0.010, which is within twice its error" in sentences


@pytest.mark.parametrize("distance", [0, -0.5, 0.015])
def test_a_distance_within_its_error_is_nothing_to_take_percent_of(distance):
    sentences = text.describe_planes(plane(0, 0, distance), plane(0, 0, 0.2))
    assert "is 0.200 ± 0.010 above the float one. (" in sentences


def curve(name, slope, reach=0.6):
    x = np.linspace(-reach, reach, 9)
    return Curve(name, x, 0.2 + slope * np.abs(x), np.full(9, 0.01))


def test_lines_are_described_by_their_rises():
    names = ("float", "8-bit", "ternary-latent", "ternary-effective")
    far = tuple(curve(n, s) for n, s in zip(names, (1, 1, 4, 1), strict=True))
    stairs = Stairs(curve("stairs", 1, 1e-4), np.zeros(9), 1234)
    sentences = text.describe_lines(far, far, stairs)
    assert "rises by 0.150 (float)" in sentences
    assert "and 0.600 (ternary, latent" in sentences
    assert "steep in the latent weights" in sentences
    assert "1,234 codes" in sentences
    even = tuple(curve(n, 1) for n in names)
    assert "about equally steep" in text.describe_lines(even, far, stairs)
    turned = tuple(curve(n, s) for n, s in zip(names, (1, 1, 1, 4), strict=True))
    assert "steeper in the quantized weights" in text.describe_lines(turned, far, stairs)
    flat = tuple(curve(n, 0) for n in names)
    assert "about equally steep" in text.describe_lines(flat, far, stairs)


@pytest.mark.parametrize(("bump", "words"), [(0, "no barrier between"), (3, "a barrier of 3.000")])
def test_a_barrier_is_described_if_there_is_one(bump, words):
    x = np.array([-0.5, 0, 0.5, 1, 1.5])
    floats = Curve("float", x, np.array([0.3, 0.2, 0.2, 0.4, 0.9]), np.full(5, 0.01))
    ternary = Curve("ternary", x, np.array([2, 1, 1 + bump, 0.3, 0.4]), np.full(5, 0.01))
    sentences = text.describe_interpolation(Interpolation((floats, ternary), (0.9,), (0.0, 1.0)))
    assert "equal at 0.90" in sentences
    assert words in sentences
    assert "goes from 1.000 to 0.300" in sentences
    apart = text.describe_interpolation(Interpolation((floats, ternary), (), (0.0, 1.0)))
    assert "they do not cross on this line" in apart
    one = text.describe_interpolation(Interpolation((floats, floats), (), (0.0, 0.0)))
    assert "they are equal on this whole line" in one


@pytest.mark.parametrize(("second", "words"), [(0.95, "predicts even the"), (0.4, "too large a")])
def test_predictions_are_described_by_their_accuracy(second, words):
    eight = Prediction("8-bit", 0.001, 0.0, 0.0011, 1.0, 0.1, 1e-5)
    three = Prediction("ternary, channel-wise", 1.0, 0.1, second, 500.0, 300.0, 0.17)
    sentences = text.describe_predictions((eight, three))
    assert "Here inputs are float" in sentences  # so the 8-bit gap is not that of describe_gaps
    assert "is 0.00110, the measured gap 0.00100" in sentences
    assert f"is {100 * second:.0f} % of the measured gap" in sentences
    assert "500 times as large as the gap" in sentences
    assert words in sentences


def test_estimates_are_compared_with_a_gap_of_any_size():
    eight = Prediction("8-bit", 0.0, 0.0, 0.0, 0.0, 0.1, 1e-5)
    none = Prediction("ternary, channel-wise", 0.0, 0.0, 0.0, 500.0, 300.0, 0.17)
    assert "It does not change the loss" in text.describe_predictions((eight, none))
    large = none._replace(gap=1000.0)
    sentences = text.describe_predictions((eight, large))
    assert "is 0.5 times as large as the gap. Ternary" in sentences


def test_eigenvalues_are_described(surfaces):
    sentences = text.describe_curvature(surfaces)
    top = surfaces.curvature[2].spectrum.largest
    assert f"and {top:.2f} for the ternary one" in sentences
    above = [
        c._replace(spectrum=c.spectrum._replace(values=np.ones(3))) for c in surfaces.curvature
    ]
    assert "minimum" not in text.describe_curvature(surfaces._replace(curvature=tuple(above)))


def test_rises_and_roughness_equal_those_by_hand():
    assert text.rise_at(curve("x", 2), 0.15) == pytest.approx(0.3)
    smooth = Curve("x", np.arange(4.0), np.array([0.0, 1, 2, 3]), np.zeros(4))
    rough = smooth._replace(loss=np.array([0.0, 2, 1, 3]))
    assert text.roughness(smooth) == 0
    assert text.roughness(rough) == pytest.approx(4 / 3)
