from concurrent.futures import Executor, Future, ProcessPoolExecutor

import numpy as np
import pytest

from tervit_np.analysis.surfaces.affine_models import AffineModels
from tervit_np.analysis.surfaces.directions import random_direction
from tervit_np.analysis.surfaces.partial_results import PartialResults, fingerprint
from tervit_np.analysis.surfaces.runner import Runner, image_losses
from tervit_np.losses import cross_entropy
from tervit_np.quant import StaticAct, Ternary

POINTS = [(x,) for x in (-0.5, 0.0, 0.25, 0.5)]


class Counting(Executor):
    """Runs and counts tasks at once, in the caller's thread."""

    def __init__(self):
        self.calls = 0

    def submit(self, fn, /, *args, **kwargs):
        self.calls += 1
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@pytest.fixture
def models(tiny):
    model = tiny("ternary")
    return AffineModels(model, (random_direction(model),))


@pytest.mark.rounding
@pytest.mark.parametrize("options", [{}, {"distilled": True}])
def test_the_mean_over_images_is_the_cross_entropy(tiny, clear_sample, options):
    model = tiny("int8", **options)
    sample = clear_sample(model)
    losses = image_losses(model, *sample)
    expected = cross_entropy(model.predict(sample[0]), sample[1])[0]
    assert losses.mean(dtype=float) == pytest.approx(expected, abs=1e-6)
    assert losses[3] == pytest.approx(
        cross_entropy(model.predict(sample[0][3:4]), sample[1][3:4])[0], abs=1e-6
    )


def test_any_executor_gives_the_same_bits(models, sample):
    expected = np.stack([image_losses(models.at(point), *sample) for point in POINTS])
    np.testing.assert_array_equal(Runner().losses("line", models, *sample, POINTS), expected)
    with ProcessPoolExecutor(1) as pool:
        found = Runner(pool).losses("line", models, *sample, POINTS)
    np.testing.assert_array_equal(found, expected)
    assert (expected[0] != expected[1]).any()


def test_a_stopped_measurement_continues(models, sample, tmp_path):
    whole = Runner(Counting()).losses("line", models, *sample, POINTS)
    partial, reports = PartialResults(tmp_path), []

    def stop_after_two(name, passes, is_new):
        reports.append((name, passes, is_new))
        if len(reports) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Runner(Counting(), partial, stop_after_two).losses("line", models, *sample, POINTS)
    assert reports == [("line", 1.0, True)] * 2
    remaining, new = Counting(), []
    runner = Runner(remaining, partial, lambda *report: new.append(report[2]))
    np.testing.assert_array_equal(runner.losses("line", models, *sample, POINTS), whole)
    assert remaining.calls == 2
    assert new == [False, False, True, True]


def test_stored_results_of_other_points_are_not_used(models, sample, tmp_path):
    partial = PartialResults(tmp_path)
    Runner(Counting(), partial).losses("line", models, *sample, POINTS)
    other = Counting()
    Runner(other, partial).losses("line", models, *sample, [(0.1,), *POINTS[1:]])
    assert other.calls == 4


def test_stored_results_of_other_directions_are_not_used(tiny, sample, tmp_path):
    """Here the same two arrays, which the two weights exchange."""
    model, partial = tiny(), PartialResults(tmp_path)
    first, second = "blocks.0.norm1.weight", "blocks.0.norm2.weight"
    one, two = (np.full(4, value, np.float32) for value in (0.5, -0.5))
    found = []
    for direction in ({first: one, second: two}, {second: one, first: two}):
        models, counting = AffineModels(model, (direction,)), Counting()
        found.append(Runner(counting, partial).losses("line", models, *sample, POINTS))
        assert counting.calls == 4
    assert (found[0] != found[1]).any()


@pytest.mark.parametrize(
    ("attribute", "quantizers"),
    [
        ("act_quant", (StaticAct(8, 0.1), StaticAct(8, 0.10001))),
        ("weight_quant", (Ternary(clip=2), Ternary(clip=2.0000001))),
    ],
)
def test_quantizers_that_look_alike_have_other_fingerprints(tiny, attribute, quantizers):
    """A `repr` shows three digits of a scale, six of other numbers."""
    prints = set()
    for quantizer in quantizers:
        model = tiny()
        setattr(next(iter(model.quantizable()))[1], attribute, quantizer)
        prints.add(fingerprint([model], []))
    assert len(prints) == 2


def test_what_a_quantizer_has_averaged_is_in_the_fingerprint(tiny):
    """Q-EMA rounds by the averages of its weights."""
    model = tiny("qema")
    before = fingerprint([model], [])
    next(iter(dict(model.buffers()).values()))[...] += 1
    assert fingerprint([model], []) != before


@pytest.mark.parametrize("count", [0, 39])
def test_every_image_needs_a_label(models, sample, count):
    with pytest.raises(ValueError, match="expected one each"):
        Runner().losses("line", models, sample[0][:count], sample[1][: max(count - 1, 0)], POINTS)
