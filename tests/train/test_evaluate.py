from dataclasses import replace

import numpy as np
import pytest

from tervit_np.losses import cross_entropy
from tervit_np.train import evaluate


def test_accuracy_loss_and_error(model, data):
    result = evaluate(model, data.test, batch_size=7)
    right = result.logits.argmax(axis=1) == data.test.labels
    assert result.accuracy == right.mean()
    assert result.loss == cross_entropy(result.logits, data.test.labels)[0]
    p = result.accuracy
    assert result.error == pytest.approx(np.sqrt(p * (1 - p) / 24))


def test_threads_change_nothing(model, data):
    one, two = (evaluate(model, data.test, threads=n, batch_size=5) for n in (1, 2))
    np.testing.assert_array_equal(one.logits, two.logits)


def test_refusals(model, data):
    with pytest.raises(ValueError, match="empty"):
        evaluate(model, data.test.take(np.arange(0)))
    other = replace(data.test, classes=("a", "b"))
    with pytest.raises(ValueError, match="2 classes, the model 3"):
        evaluate(model, other)
