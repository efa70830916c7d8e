from dataclasses import replace

import numpy as np
import pytest

import tervit_np as tv
from data_tools import normalise
from data_tools.progress import Progress
from tervit_np.kernels import has_tile, selected_variant
from tervit_np.losses import cross_entropy
from tervit_np.train import evaluate
from tervit_np.train.evaluate import cached_batch_size
from tests.checks import BACKENDS
from tests.rounding import assert_same, clear
from tests.train.conftest import colours


def test_accuracy_loss_and_error(model, data):
    result = evaluate(model, data.test, batch_size=7)
    right = result.logits.argmax(axis=1) == data.test.labels
    assert result.accuracy == right.mean()
    assert result.loss == cross_entropy(result.logits, data.test.labels)[0]
    p = result.accuracy
    assert result.error == pytest.approx(np.sqrt(p * (1 - p) / 24))


@pytest.mark.parametrize(("size", "count"), [(8, 64), (32, 64), (96, 28), (224, 8), (1024, 8)])
def test_batches_of_large_images_are_small(size, count):
    assert cached_batch_size(size) == count


@pytest.mark.parametrize("right", [0, 24])
def test_none_or_all_right_still_leaves_an_interval(model, data, right):
    """At 0 of 24, Wilson's interval ends at z^2 / (n + z^2) = 13.8 %."""
    result = evaluate(model, data.test)._replace(accuracy=right / 24)
    assert result.error == 0
    ends = (0, 0.1380) if right == 0 else (0.8620, 1)
    assert result.interval == pytest.approx(ends, abs=1e-4)
    words = "0.0 % (95 % interval 0.0 to 13.8 %)" if right == 0 else "95 % interval 86.2 to 100.0 %"
    assert words in result.accuracy_text()


def test_the_interval_is_the_usual_one_in_the_middle(model, data):
    result = evaluate(model, data.test)._replace(accuracy=0.5)
    low, high = result.interval
    assert low + high == pytest.approx(1)
    assert high - low == pytest.approx(3.92 * result.error, rel=0.08)
    assert result.accuracy_text() == "50.0 ± 10.2 %"


def test_bright_and_dark_may_be_swapped(model, data):
    swapped = replace(data.test, images=255 - data.test.images)
    result = evaluate(model, data.test, inverted=True)
    np.testing.assert_array_equal(result.logits, evaluate(model, swapped).logits)


def test_threads_change_nothing(model, data):
    one, two = (evaluate(model, data.test, threads=n, batch_size=5) for n in (1, 2))
    np.testing.assert_array_equal(one.logits, two.logits)


def test_it_says_how_far_it_is(model, data, monkeypatch, capsys):
    due = Progress.due
    monkeypatch.setattr(Progress, "due", lambda self, done: due(self, done) or True)
    loud = evaluate(model, data.test, batch_size=10, quiet=False)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" pictures, ")[0] for line in lines] == ["10 of 24", "20 of 24", "24 of 24"]
    assert lines[0].endswith(", time left unknown")  # after the first batch
    assert all(" a second, " in line and line.endswith("s left") for line in lines[1:])
    quiet = evaluate(model, data.test, batch_size=10)
    assert capsys.readouterr().err == ""
    np.testing.assert_array_equal(loud.logits, quiet.logits)


@pytest.mark.rounding
@pytest.mark.skipif(
    "numba" not in BACKENDS or not has_tile(selected_variant()), reason="no kernel is compiled"
)
def test_ternary_models_run_on_packed_kernels_and_it_says_so(model, data, monkeypatch):
    float_ = evaluate(model, data.test)
    assert (float_.kernel, float_.kernel_note) == ("", "")
    tv.quantize(model, "ternary")
    images = clear_colours(model, 24)
    packed = evaluate(model, images)
    assert packed.kernel == selected_variant()
    assert packed.kernel_note == f" (packed, {packed.kernel})"
    monkeypatch.delenv("TERVIT_KERNEL", raising=False)  # a compiled kernel needs Numba
    with tv.backend("numpy"):
        plain = evaluate(model, images)
    assert plain.kernel == ""
    assert_same(packed.logits, plain.logits)


def clear_colours(model, count):
    """Pictures of which no value is near a rounding boundary of the model."""
    many = colours(20 * count, "test", 2)
    pixels, _ = many.pixels(np.arange(len(many)))
    kept = clear([model], normalise(pixels, many.mean, many.std)).nonzero()[0]
    assert len(kept) >= count
    return many.take(kept[:count])


def test_refusals(model, data):
    with pytest.raises(ValueError, match="empty"):
        evaluate(model, data.test.take(np.arange(0)))
    other = replace(data.test, classes=("a", "b"), labels=data.test.labels % 2)
    with pytest.raises(ValueError, match="2 classes, the model 3"):
        evaluate(model, other)
