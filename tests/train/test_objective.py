import numpy as np
import pytest

from tervit_np.losses import cross_entropy
from tervit_np.train import Stage
from tervit_np.train.objective import mean_logits, objective


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("teacher", [None, "soft", "hard"])
def test_the_gradient_matches_finite_differences(heads, teacher):
    rng = np.random.default_rng(3)
    stage = Stage("s", "float", 1, temperature=3.0, teacher_weight=0.3, hard=teacher == "hard")
    z = rng.normal(size=(heads, 5, 4))
    targets = rng.dirichlet(np.ones(4), 5)
    teacher_logits = None if teacher is None else rng.normal(size=(5, 4))

    def value(z):
        logits = tuple(z) if heads == 2 else z[0]
        return objective(logits, targets, teacher_logits, stage)

    gradient = value(z)[1]
    direction = rng.normal(size=z.shape)
    along = (value(z + 1e-6 * direction)[0] - value(z - 1e-6 * direction)[0]) / 2e-6
    assert along == pytest.approx(float((np.asarray(gradient) * direction).sum()), rel=1e-7)


def test_without_a_teacher_one_head_is_cross_entropy():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(3, 4)), np.array([0, 3, 1])
    loss, dlogits = objective(logits, labels, None, Stage("s", "float", 1))
    expected = cross_entropy(logits, labels)
    assert loss == expected[0]
    np.testing.assert_array_equal(dlogits, expected[1])


def test_mean_logits_averages_two_heads():
    pair = np.ones((2, 3)), np.zeros((2, 3))
    np.testing.assert_array_equal(mean_logits(pair), np.full((2, 3), 0.5))
    assert mean_logits(pair[0]) is pair[0]
