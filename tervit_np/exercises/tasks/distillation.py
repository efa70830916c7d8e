"""Exercise: the loss of distillation and its gradient."""

import math
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import is_nan_or_infinite, wrong_array, wrong_number
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng

TASK = """
A student learns from the probabilities of a teacher. Both have logits z (B, C),
and both are softened by a temperature T:

    p = softmax(z / T)             p_s of the student, p_t of the teacher

    L = T^2 / B  sum_b sum_c  p_t log(p_t / p_s)

which is T^2 KL(p_t || p_s), a mean over the batch of B. The teacher is fixed.
Return L as a number, and dL/dz of the student's logits, (B, C), in their type,
whatever the teacher's type is.

log_softmax(z) is the logarithm of softmax(z) in each row, without overflow. Use
it for both. A probability may be 0 in floating point, and its logarithm -inf.

The check begins with an example for paper. Then it tries random logits, large
ones, and float32.
"""

HINTS = (
    "The logarithm of a ratio is a difference of logarithms. For the gradient begin with u = z / T "
    "and with what chapter 02 found: of -sum q log softmax(u), if q sums to 1, the gradient by u "
    "is softmax(u) - q. What does the chain rule add, from u to z?",
    "  L     = T^2 mean over b of sum_c p_t (log p_t - log p_s)\n"
    "  dL/du = T^2 (p_s - p_t) / B\n"
    "  dL/dz = dL/du / T = T (p_s - p_t) / B",
    "  log_s = log_softmax(student / temperature)\n"
    "  log_t = log_softmax(teacher / temperature)\n"
    "  p_s, p_t = np.exp(log_s), np.exp(log_t)\n"
    "  loss = temperature**2 * (p_t * (log_t - log_s)).sum() / batch\n"
    "  dstudent = temperature * (p_s - p_t) / batch",
)

PLAIN = """
batch = student.shape[0]
log_s = log_softmax(student / temperature)
log_t = log_softmax(teacher / temperature)
p_s, p_t = np.exp(log_s), np.exp(log_t)

loss = temperature**2 * (p_t * (log_t - log_s)).sum() / batch

# T^2 is the loss's; z / T divides by T once more.
dstudent = temperature * (p_s - p_t) / batch

return float(loss), dstudent.astype(student.dtype)
"""

_STUDENT = np.array([[0.0, 3 * math.log(3)]])  # divided by T = 3: p_s is [1/4, 3/4]
_TEACHER = np.array([[1.0, 1.0]])  # p_t is [1/2, 1/2]


def check(module: ModuleType) -> Iterator[Finding]:
    """Check on paper, with several temperatures, with large logits, in float32."""
    n = check_rng(1).normal
    student, teacher = n(size=(4, 5)), 2 * n(size=(4, 5))
    large = np.array([[2000.0, 0], [0, 2000]]), np.array([[0.0, 2000], [0, 2000]])
    narrow = student.astype(np.float32)
    cases: dict[str, tuple[Array, Array, float]] = {
        "on paper, z [[0, 3 ln 3]], teacher [[1, 1]], T 3, so p_s [1/4, 3/4], p_t [1/2, 1/2]": (
            _STUDENT,
            _TEACHER,
            3.0,
        ),
        "random logits (4, 5), T 2": (student, teacher, 2.0),
        "random logits (4, 5), T 1": (student, teacher, 1.0),
        "random logits (4, 5), T 0.5": (student, teacher, 0.5),
        "logits of 2000, T 1": (*large, 1.0),
        "float32 stays float32": (narrow, teacher.astype(np.float32), 3.0),
        "the student float32, the teacher float64": (narrow, teacher, 3.0),
    }
    for what, (s, t, temperature) in cases.items():
        result = module.distillation(read_only(s), read_only(t), temperature)
        yield Finding(what, _fault(result, s, t, temperature))


def _log_softmax(z: Array) -> Array:
    shifted = z - z.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _fault(result: Any, student: Array, teacher: Array, temperature: float) -> str:
    """Compare loss and gradient with the formulas; empty if both are right."""
    expected = "expected two, the loss and dL/dz"
    if result is None:
        return f"nothing is returned, {expected}: is the `return` missing?"
    if not isinstance(result, tuple | list) or len(result) != 2:
        return f"one result is returned, {expected}"
    rtol = 1e-9 if student.dtype == np.float64 else 1e-5
    s, t = (_log_softmax(z.astype(np.float64) / temperature) for z in (student, teacher))
    loss = temperature**2 * _kl(t, s)
    gradient = temperature * (np.exp(s) - np.exp(t)) / len(s)
    if is_nan_or_infinite(result[0]):
        return f"the loss is {result[0]}: log 0 is -inf; use log_softmax, not the log of p"
    return wrong_number(
        result[0], loss, "the loss", _wrong_losses(s, t, student, teacher, temperature), rtol
    ) or wrong_array(
        result[1],
        gradient.astype(student.dtype),
        "dL/dz",
        _wrong_gradients(s, t, student, teacher, temperature),
        rtol=rtol,
    )


def _kl(log_p: Array, log_q: Array) -> float:
    """Mean over rows of KL(p || q)."""
    return float((np.exp(log_p) * (log_p - log_q)).sum() / len(log_p))


def _wrong_losses(
    s: Array, t: Array, student: Array, teacher: Array, temperature: float
) -> dict[str, float]:
    """Return the losses under known mistakes, from log p of both and from the logits."""
    squared, (batch, classes) = temperature**2, s.shape
    hard_s, hard_t = _log_softmax(student), _log_softmax(teacher)
    entropy = -float((np.exp(t) * t).sum()) / batch
    teachers = "the teacher's probabilities weigh: KL(teacher || student)"
    return {
        f"it is KL(student || teacher); {teachers}": squared * _kl(s, t),
        f"it is KL(student || teacher), and T^2 is missing; {teachers}": _kl(s, t),
        "T^2 is missing: gradients shrink with 1 / T^2, and the loss of the labels wins": (
            _kl(t, s)
        ),
        "it has T, not T^2": temperature * _kl(t, s),
        "it is a sum; divide by B": squared * _kl(t, s) * batch,
        "it is divided by B C; divide by B": squared * _kl(t, s) / classes,
        "the logits are not divided by T": squared * _kl(hard_t, hard_s),
        "the logits are not divided by T, and T^2 is missing": _kl(hard_t, hard_s),
        "only the student's logits are divided by T; the teacher's are, too": (
            squared * _kl(hard_t, s)
        ),
        "only the teacher's logits are divided by T; the student's are, too": (
            squared * _kl(t, hard_s)
        ),
        "log_softmax is divided by T; divide z, and then take log_softmax": squared
        * float((np.exp(hard_t / temperature) * (hard_t - hard_s) / temperature).sum() / batch),
        "this is -sum p_t log p_s, the cross-entropy; KL has log p_t - log p_s": (
            squared * (_kl(t, s) + entropy)
        ),
        "the sign: it is log p_t - log p_s": -squared * _kl(t, s),
    }


def _wrong_gradients(
    s: Array, t: Array, student: Array, teacher: Array, temperature: float
) -> dict[str, Array]:
    """Return the gradients under known mistakes."""
    batch, classes = s.shape
    p_s, p_t = np.exp(s), np.exp(t)
    difference = (p_s - p_t) / batch
    hard = (np.exp(_log_softmax(student)) - np.exp(_log_softmax(teacher))) / batch
    inner = (p_s * (s - t)).sum(axis=1, keepdims=True)
    one = "T^2 is the loss's, z / T gives 1 / T, so one T is left"
    return {
        f"it has no factor T: {one}": difference,
        f"it has T^2, without the 1 / T of z / T: {one}": temperature**2 * difference,
        f"it is divided by T: {one}": difference / temperature,
        "it is not divided by B; the loss is a mean over the batch": (
            temperature * difference * batch
        ),
        "it is divided by B C; divide by B": temperature * difference / classes,
        "the sign: it is p_s - p_t": -temperature * difference,
        "the logits are not divided by T": temperature * hard,
        "p_t is missing": temperature * p_s / batch,
        "it is the gradient of KL(student || teacher)": (
            temperature * p_s * (s - t - inner) / batch
        ),
        "these are differences of logarithms; take p_s - p_t": temperature * (s - t) / batch,
    }


DISTILLATION = Exercise(
    name="distillation",
    module="losses",
    chapter="14_distillation",
    title="the loss of distillation",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=(PLAIN,),
    wrong_answers=(
        WrongAnswer(
            "student and teacher are exchanged",
            "(p_t * (log_t - log_s)).sum()",
            "(p_s * (log_s - log_t)).sum()",
            "it is KL(student || teacher); the teacher's probabilities weigh",
        ),
        WrongAnswer(
            "the factor of the loss is missing",
            "temperature**2 * (p_t",
            "(p_t",
            "T^2 is missing: gradients shrink with 1 / T^2",
        ),
        WrongAnswer(
            "the logarithm of probabilities",
            "log_s = log_softmax(student / temperature)",
            "e = np.exp(student / temperature - (student / temperature).max(1, keepdims=True))\n"
            "    log_s = np.log(e / e.sum(1, keepdims=True))",
            "log 0 is -inf; use log_softmax",
        ),
        WrongAnswer(
            "the gradient has no factor",
            "dstudent = temperature * (p_s - p_t)",
            "dstudent = (p_s - p_t)",
            "it has no factor T: T^2 is the loss's, z / T gives 1 / T",
        ),
        WrongAnswer(
            "the gradient is divided by classes as well",
            "(p_s - p_t) / batch",
            "(p_s - p_t) / student.size",
            "it is divided by B C; divide by B",
        ),
        WrongAnswer(
            "the cross-entropy with the teacher",
            "log_t - log_s",
            "-log_s",
            "the cross-entropy; KL has log p_t - log p_s",
        ),
    ),
)
