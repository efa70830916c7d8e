import math

import numpy as np
import pytest

from tervit_np.losses import cross_entropy, distillation, hard_distillation, log_softmax
from tervit_np.verify.operators import Operator
from tests.checks import ROUNDOFF32, ROUNDOFF64, check, close
from tests.golden.golden import stored

N, C = 4, 5
LABELS = np.array([0, 4, 2, 2])
SOFT = np.random.default_rng(9).dirichlet(np.ones(C), N)
TEACHER = np.random.default_rng(8).normal(size=(N, C))


@pytest.mark.parametrize(
    ("name", "loss"),
    {
        "labels": lambda z: cross_entropy(z, LABELS),
        "smoothing": lambda z: cross_entropy(z, LABELS, smoothing=0.2),
        "soft": lambda z: cross_entropy(z, SOFT),
        "soft, smoothing": lambda z: cross_entropy(z, SOFT, 0.1),
        "distillation": lambda z: distillation(z, TEACHER, 1.0),
        "distillation, T = 3": lambda z: distillation(z, TEACHER, 3.0),
        "hard": lambda z: hard_distillation(z, TEACHER),
    }.items(),
)
def test_losses_pass_all_checks(name, loss):
    logits = np.random.default_rng(0).normal(size=(N, C))
    check(Operator(name, {"logits": logits}, loss, lambda dy, gradient: dy * gradient))


@pytest.mark.parametrize("name", ["plain", "smooth", "soft", "soft-smooth", "hard", "distilled"])
def test_values_and_gradients_match_pytorch(name):
    golden = stored("operators")
    z, teacher = golden["losses/student"], golden["losses/teacher"]
    labels, soft = golden["losses/labels"], golden["losses/soft"]
    loss, gradient = {
        "plain": lambda: cross_entropy(z, labels),
        "smooth": lambda: cross_entropy(z, labels, smoothing=0.2),
        "soft": lambda: cross_entropy(z, soft),
        "soft-smooth": lambda: cross_entropy(z, soft, smoothing=0.1),
        "hard": lambda: hard_distillation(z, teacher),
        "distilled": lambda: distillation(z, teacher, temperature=3.0),
    }[name]()
    assert loss == pytest.approx(float(golden[f"losses/{name}/loss"]), rel=ROUNDOFF64)
    close(gradient, golden[f"losses/{name}/gradient"], ROUNDOFF64)


def test_uniform_logits_cost_ln_c():
    loss, gradient = cross_entropy(np.zeros((3, 8)), np.array([1, 2, 3]))
    assert loss == pytest.approx(math.log(8))
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=ROUNDOFF64)


def test_smoothing_counts_the_true_class_in_the_uniform_part():
    z = np.log([[0.5, 0.3, 0.2]])
    target = np.array([0.1 / 3, 0.9 + 0.1 / 3, 0.1 / 3])
    loss, gradient = cross_entropy(z, np.array([1]), smoothing=0.1)
    assert loss == pytest.approx(-(target * z[0]).sum())
    np.testing.assert_allclose(gradient[0], [0.5, 0.3, 0.2] - target)


def test_integer_labels_and_their_one_hot_rows_are_the_same():
    z = np.random.default_rng(1).normal(size=(N, C))
    one, two = cross_entropy(z, LABELS, 0.1), cross_entropy(z, np.eye(C)[LABELS], 0.1)
    assert one[0] == two[0]
    np.testing.assert_array_equal(one[1], two[1])


def test_a_student_equal_to_its_teacher_has_loss_0():
    loss, gradient = distillation(TEACHER, TEACHER + 2.5, temperature=2.0)
    assert loss == pytest.approx(0, abs=ROUNDOFF64)
    assert np.abs(gradient).max() < ROUNDOFF64
    assert distillation(TEACHER[::-1], TEACHER, temperature=2.0)[0] > 0


def test_the_gradient_keeps_its_size_over_temperatures():
    """Hinton's factor T^2; without it the gradient would fall like 1/T^2."""
    student = np.random.default_rng(2).normal(size=(N, C))
    sizes = [np.abs(distillation(student, TEACHER, t)[1]).sum() for t in (30.0, 60.0)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)


def test_extreme_logits_stay_finite():
    for dtype in ("float32", "float64"):
        z = np.array([[1e4, -1e4, 0.0]], dtype)
        loss, gradient = cross_entropy(z, np.array([1]))
        assert loss == pytest.approx(2e4)
        np.testing.assert_array_equal(gradient, [[1, -1, 0]])


def test_a_class_of_probability_0_adds_nothing():
    """Though its logarithm is -infinity, by a logit of -infinity or one that is too far below."""
    for lowest in (-np.inf, -3e38):
        z = np.array([[3e38, lowest, 0.0]], np.float32)
        loss, gradient = cross_entropy(z, np.array([0]))
        assert loss == 0
        np.testing.assert_array_equal(gradient, 0)
        assert cross_entropy(z, np.array([1]))[0] == math.inf
        other = np.array([[1.0, -np.inf, 1.0]], np.float32)
        assert distillation(other, other)[0] == 0
        loss, gradient = distillation(other, z)
        assert loss == pytest.approx(math.log(2))
        np.testing.assert_allclose(gradient, [[-0.5, 0, 0.5]], rtol=ROUNDOFF32)
    loss = cross_entropy(np.array([[0.0, -np.inf, 0.0]]), np.array([[0.5, 0, 0.5]]))[0]
    assert loss == pytest.approx(math.log(2))


def test_log_softmax_ignores_a_shift():
    z = np.array([[1000.0, 1000.0]])
    np.testing.assert_allclose(log_softmax(z), -math.log(2), rtol=ROUNDOFF64)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0, 1, 2, 5]), r"labels span 0\.\.5, expected 0\.\.4"),
        (np.array([0, 1, 2, -1]), r"labels span -1\.\.2, expected 0\.\.4"),
        (np.array([0.0, 1.0, 2.0, 3.0]), "must be integers, got float64"),
        (np.array([0, 1, 2]), r"labels \(3,\); expected \(4,\) integers or \(4, 5\) soft"),
        (np.ones((5, 4)) / 4, r"labels \(5, 4\)"),
        (np.full((N, C), 0.3), "must sum to 1"),
        (np.full((N, C), np.nan), "must sum to 1"),
    ],
)
def test_wrong_labels_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        cross_entropy(np.zeros((N, C)), labels)


def test_wrong_logits_and_teachers_are_refused():
    for shape in ((5,), (0, 5), (2, 3, 5)):
        with pytest.raises(ValueError, match=r"logits are \(.*expected \(B, C\) with at least one"):
            cross_entropy(np.zeros(shape), np.zeros(shape[0], int))
    for loss in (hard_distillation, distillation):
        with pytest.raises(ValueError, match=r"student is \(4, 5\), teacher \(4, 6\)"):
            loss(np.zeros((N, C)), np.zeros((N, C + 1)))


@pytest.mark.parametrize("temperature", [0.0, -1.0, 1e-45, 1e300, math.nan, math.inf])
def test_a_temperature_must_be_in_range(temperature):
    with pytest.raises(ValueError, match="temperature is .*expected 1e-6 to 1e6"):
        distillation(TEACHER, TEACHER, temperature)


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: cross_entropy(z, np.array([2])),
        lambda z: distillation(z, np.array([[1.0, 2.0, 4.0]])),
        lambda z: distillation(np.array([[1.0, 2.0, 4.0]]), z),
        lambda z: hard_distillation(z, np.array([[1.0, 2.0, 4.0]])),
        log_softmax,
    ],
)
def test_logits_are_an_array_of_floats(loss):
    """Of integers every logarithm was cut off: the cross-entropy of 1, 2, 4 was 0."""
    with pytest.raises(ValueError, match="logits are int64, expected floating-point numbers"):
        loss(np.array([[1, 2, 4]]))
    pair = (np.array([[1.0, 2.0, 4.0]]),) * 2
    with pytest.raises(ValueError, match=r"logits are a tuple, expected an array.*a distilled"):
        loss(pair)


@pytest.mark.parametrize("smoothing", [-0.1, 1.1, math.nan])
def test_smoothing_must_be_between_0_and_1(smoothing):
    with pytest.raises(ValueError, match="smoothing is .*expected 0 to 1"):
        cross_entropy(np.zeros((N, C)), LABELS, smoothing)
