from concurrent.futures import Executor, Future, ProcessPoolExecutor

import numpy as np
import pytest

from tervit_np.analysis.surfaces.affine_models import Family
from tervit_np.analysis.surfaces.directions import random_direction
from tervit_np.analysis.surfaces.partial_results import Parts
from tervit_np.analysis.surfaces.runner import Runner, image_losses
from tervit_np.losses import cross_entropy

POINTS = [(x,) for x in (-0.5, 0.0, 0.25, 0.5)]


class Counting(Executor):
    """Runs everything at once, in the caller's thread, and counts."""

    def __init__(self):
        self.calls = 0

    def submit(self, fn, /, *args, **kwargs):
        self.calls += 1
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@pytest.fixture
def family(tiny):
    model = tiny("ternary")
    return Family(model, (random_direction(model),))


@pytest.mark.parametrize("options", [{}, {"distilled": True}])
def test_the_mean_over_images_is_the_cross_entropy(tiny, sample, options):
    model = tiny("int8", **options)
    losses = image_losses(model, *sample)
    expected = cross_entropy(model.predict(sample[0]), sample[1])[0]
    assert losses.mean(dtype=float) == pytest.approx(expected, abs=1e-6)
    assert losses[3] == pytest.approx(
        cross_entropy(model.predict(sample[0][3:4]), sample[1][3:4])[0], abs=1e-6
    )


def test_any_executor_gives_the_same_bits(family, sample):
    expected = np.stack([image_losses(family.at(point), *sample) for point in POINTS])
    np.testing.assert_array_equal(Runner().losses("line", family, *sample, POINTS), expected)
    with ProcessPoolExecutor(1) as pool:
        found = Runner(pool).losses("line", family, *sample, POINTS)
    np.testing.assert_array_equal(found, expected)
    assert (expected[0] != expected[1]).any()


def test_a_stopped_measurement_goes_on_where_it_was(family, sample, tmp_path):
    whole = Runner(Counting()).losses("line", family, *sample, POINTS)
    parts, seen = Parts(tmp_path), []

    def stop_after_two(name, worth, measured):
        seen.append((name, worth, measured))
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Runner(Counting(), parts, stop_after_two).losses("line", family, *sample, POINTS)
    assert seen == [("line", 1.0, True)] * 2
    rest, told = Counting(), []
    runner = Runner(rest, parts, lambda *part: told.append(part[2]))
    np.testing.assert_array_equal(runner.losses("line", family, *sample, POINTS), whole)
    assert rest.calls == 2
    assert told == [False, False, True, True]


def test_other_points_are_not_taken_for_these(family, sample, tmp_path):
    parts = Parts(tmp_path)
    Runner(Counting(), parts).losses("line", family, *sample, POINTS)
    other = Counting()
    Runner(other, parts).losses("line", family, *sample, [(0.1,), *POINTS[1:]])
    assert other.calls == 4


@pytest.mark.parametrize("count", [0, 39])
def test_every_image_needs_a_label(family, sample, count):
    with pytest.raises(ValueError, match="expected one each"):
        Runner().losses("line", family, sample[0][:count], sample[1][: max(count - 1, 0)], POINTS)
