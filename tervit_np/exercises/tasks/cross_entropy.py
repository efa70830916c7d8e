"""Exercise: cross-entropy and its gradient."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import is_nan_or_infinite, wrong_array, wrong_number
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng

TASK = """
A classifier gives C logits z for each of B pictures. With p = softmax(z) in
each row and targets q (B, C), whose rows sum to 1,

    L = -1/B sum_b sum_c q_bc log p_bc

For a label, q is 1 at the label and 0 elsewhere. The given lines turn labels
into `targets`.

Write two functions:

    log_softmax      log p (B, C) from z. Not the logarithm of p: a p may be 0
                     in floating point, and log 0 is -inf. Use
                         log p = z - log sum_j exp(z_j)
                     after the maximum of the row is taken away
    cross_entropy    return L as a number, and dlogits = dL/dz (B, C)

The check begins with an example for paper. Then it tries random logits, large
ones, soft targets, and float32.
"""

HINTS = (
    "log p = z - log sum_j exp(z_j), and adding a number to a whole row of z changes nothing. So "
    "take the maximum away first: then no exp overflows, and the sum is at least 1. For the "
    "gradient of one row: how does log p_c change with z_j?",
    "  s       = z - max(z)                  in each row\n"
    "  log p   = s - log sum_j exp(s_j)\n"
    "  dL/dz_j = p_j sum_c q_c - q_j = p_j - q_j\n"
    "for one picture, as q sums to 1. The loss is a mean over B pictures, and so is the gradient.",
    "  log_softmax:    s = logits - logits.max(axis=1, keepdims=True)\n"
    "                  return s - np.log(np.exp(s).sum(axis=1, keepdims=True))\n"
    "  cross_entropy:  log_p = log_softmax(logits)\n"
    "                  loss = -(targets * log_p).sum() / batch\n"
    "                  dlogits = (np.exp(log_p) - targets) / batch",
)

PLAIN = (
    """
log_p = log_softmax(logits)
batch = logits.shape[0]

loss = -(targets * log_p).sum() / batch
dlogits = (np.exp(log_p) - targets) / batch

return float(loss), dlogits
""",
    """
# The largest exponent of a row becomes 0: nothing overflows.
s = logits - logits.max(axis=1, keepdims=True)
return s - np.log(np.exp(s).sum(axis=1, keepdims=True))
""",
)

_LOGS = np.log(np.array([[1.0, 1], [1, 3]]))  # p is [[1/2, 1/2], [1/4, 3/4]]


def check(module: ModuleType) -> Iterator[Finding]:
    """Check both functions on paper, then random, large and soft ones, and float32."""
    rng = check_rng(1)
    logits, labels = rng.normal(size=(4, 5)), rng.permutation(5)[:4]
    paper = "z [[ln 1, ln 1], [ln 1, ln 3]]"
    large = np.array([[2000.0, 0], [0, -2000]])
    for what, z in (
        (f"on paper, log_softmax of {paper}", _LOGS),
        ("log_softmax of [[2000, 0], [0, -2000]]", large),
    ):
        z = read_only(z)
        result = module.log_softmax(z)
        yield Finding(what, wrong_array(result, _log_softmax(z), "log p", _wrong_logs(z), {"z": z}))
    cases: dict[str, tuple[Array, Array, float]] = {
        f"on paper, {paper}, labels [0, 1]": (_LOGS, np.array([0, 1]), 0.0),
        "random logits (4, 5)": (logits, labels, 0.0),
        "large logits, [[2000, 0], [0, -2000]], labels [1, 0]": (large, np.array([1, 0]), 0.0),
        "soft targets (4, 5)": (logits, rng.dirichlet(np.ones(5), 4), 0.0),
        "label smoothing 0.2": (logits, labels, 0.2),
        "float32 stays float32": (logits.astype(np.float32), labels, 0.0),
    }
    for what, (z, targets, smoothing) in cases.items():
        result = module.cross_entropy(read_only(z), read_only(targets), smoothing)
        yield Finding(what, _fault(result, z, _as_targets(z, targets, smoothing)))


def _log_softmax(z: Array) -> Array:
    s = z - z.max(axis=1, keepdims=True)
    return np.asarray(s - np.log(np.exp(s).sum(axis=1, keepdims=True)))


def _wrong_logs(z: Array) -> dict[str, Array]:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    centred = z - z.mean(axis=1, keepdims=True)
    return {
        "log 0 is -inf; use z - logsumexp": np.log(e / e.sum(axis=1, keepdims=True)),
        "exp(1000) overflows; take the maximum of the row away first": (
            z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        ),
        "exp overflows where logits are far apart; with the maximum taken away none is above 1": (
            centred - np.log(np.exp(centred).sum(axis=1, keepdims=True))
        ),
        "this is p; its logarithm is wanted": e / e.sum(axis=1, keepdims=True),
    }


def _as_targets(z: Array, targets: Array, smoothing: float) -> Array:
    classes = z.shape[1]
    q = targets if targets.ndim == 2 else np.eye(classes)[targets]
    return np.asarray((1 - smoothing) * q + smoothing / classes)


def _fault(result: Any, z: Array, q: Array) -> str:
    """Compare loss and gradient with the formulas; empty if both are right."""
    expected = "expected two, the loss and dlogits"
    if result is None:
        return f"nothing is returned, {expected}: is the `return` missing?"
    if not isinstance(result, tuple | list) or len(result) != 2:
        return f"one result is returned, {expected}"
    batch, classes = z.shape
    log_p = _log_softmax(z.astype(np.float64))
    p, terms = np.exp(log_p), q * log_p
    rtol = 1e-9 if z.dtype == np.float64 else 1e-5
    mean = "the loss is a mean over the pictures, so the gradient is (p - q) / B"
    known = {
        "the sign: raising the true logit lowers the loss, so it is p - q": (q - p) / batch,
        f"it is not divided by B: {mean}": p - q,
        f"it is divided by B C: {mean}": (p - q) / (batch * classes),
        "q is missing: the gradient is (p - q) / B": p / batch,
    }
    gradient = ((p - q) / batch).astype(z.dtype)
    return _wrong_loss(result[0], terms, rtol) or wrong_array(
        result[1], gradient, "dlogits", known, rtol=rtol
    )


def _wrong_loss(loss: Any, terms: Array, rtol: float) -> str:
    """Name the mistake in the loss; `terms` are q log p (B, C)."""
    known = {
        "it is a sum; divide by the number of pictures": -terms.sum(),
        "it is the mean over all B C elements; divide by B": -terms.mean(),
        "the sign: log p is negative, a loss is not": terms.sum() / len(terms),
    }
    if is_nan_or_infinite(loss):
        return f"the loss is {loss}: log 0 is -inf; use z - logsumexp"
    return wrong_number(loss, -terms.sum() / len(terms), "the loss", known, rtol)


CROSS_ENTROPY = Exercise(
    name="cross_entropy",
    module="losses",
    chapter="02_cross_entropy",
    title="the loss of a classifier",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=PLAIN,
    wrong_answers=(
        WrongAnswer(
            "the logarithm of softmax",
            "s - np.log(np.exp(s).sum(axis=1, keepdims=True))",
            "np.log(np.exp(s) / np.exp(s).sum(axis=1, keepdims=True))",
            "log 0 is -inf; use z - logsumexp",
        ),
        WrongAnswer(
            "the maximum is not taken away",
            "logits - logits.max(axis=1, keepdims=True)",
            "logits",
            "exp(1000) overflows; take the maximum of the row away first",
        ),
        WrongAnswer(
            "the mean is taken away in place of the maximum",
            "logits.max(axis=1, keepdims=True)",
            "logits.mean(axis=1, keepdims=True)",
            "with the maximum taken away none is above 1",
        ),
        WrongAnswer(
            "the loss is a sum",
            "loss = -(targets * log_p).sum() / batch",
            "loss = -(targets * log_p).sum()",
            "it is a sum; divide by the number of pictures",
        ),
        WrongAnswer(
            "the gradient is not divided by B",
            "(np.exp(log_p) - targets) / batch",
            "np.exp(log_p) - targets",
            "the loss is a mean over the pictures, so the gradient is (p - q) / B",
        ),
        WrongAnswer(
            "the gradient points upwards",
            "np.exp(log_p) - targets",
            "targets - np.exp(log_p)",
            "the sign: raising the true logit lowers the loss",
        ),
    ),
)
