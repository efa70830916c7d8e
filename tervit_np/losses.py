"""Losses with their gradients: each returns (loss, dlogits), both means over the batch.

    cross-entropy   L = -1/B sum_b sum_c q_bc log p_bc,  p = softmax(z)       dL/dz = (p - q) / B
    smoothing       q = (1 - e) onehot + e / C   (the uniform part includes the true class)
    distillation    L = T^2 KL(p_teacher || p_student),  p = softmax(z / T)   (Hinton et al. 2015)
                    dL/dz = T (p_student - p_teacher) / B
    hard            cross-entropy with the teacher's arg-max            (Touvron et al. 2021, eq. 3)

The gradient (p - q) / B is exact when every row of q sums to one, which is checked. Where q is 0,
q log p is 0 even if log p is -infinity, so a class may be ruled out by a logit of -infinity.
"""

import numpy as np

from data_tools import elementary
from tervit_np.arrays import Array


def cross_entropy(logits: Array, labels: Array, smoothing: float = 0.0) -> tuple[float, Array]:
    """Cross-entropy with integer labels (B,) or soft targets (B, C).  (B, C) -> loss, (B, C).

    Raises
    ------
    ValueError
        If shapes differ or the batch is empty, logits are no array of floating-point numbers, a
        label is outside 0..C-1, a soft target does not sum to one, or `smoothing` is outside 0..1.
    """
    _check_logits(logits)
    targets = _targets(logits, np.asarray(labels), float(smoothing))
    # exercise cross_entropy: the loss, a number, and dlogits (B, C), from logits and targets
    log_p = log_softmax(logits)
    batch = logits.shape[0]
    loss = -float((targets * _present(log_p, targets)).sum(dtype=np.float64)) / batch
    return loss, (_exp(log_p) - targets) / batch


def distillation(student: Array, teacher: Array, temperature: float = 1.0) -> tuple[float, Array]:
    """T^2 KL(teacher || student), mean over the batch.  (B, C), (B, C) -> loss, dstudent (B, C).

    The authors of DeiT divide by batch times classes; ours divides by the batch, as Hinton does.

    Raises
    ------
    ValueError
        If shapes differ or the batch is empty, logits are no arrays of floating-point numbers, or
        the temperature is not between 1e-6 and 1e6.
    """
    _check_same_shape(student, teacher)
    if not is_temperature(temperature):
        raise ValueError(f"distillation: temperature is {temperature}, expected 1e-6 to 1e6")
    temperature = float(temperature)  # a np.float64 would turn float32 logits into float64
    # exercise distillation: the loss, a number, and dL/dstudent (B, C)
    log_s = log_softmax(student / temperature)
    log_t = log_softmax(teacher.astype(student.dtype, copy=False) / temperature)
    p_t = _exp(log_t)
    batch = student.shape[0]
    gap = _present(log_t, p_t) - _present(log_s, p_t)
    loss = temperature**2 * float((p_t * gap).sum(dtype=np.float64)) / batch
    return loss, (_exp(log_s) - p_t) * (temperature / batch)


def hard_distillation(student: Array, teacher: Array) -> tuple[float, Array]:
    """Cross-entropy with the teacher's arg-max.  (B, C), (B, C) -> loss, dstudent (B, C).

    Raises
    ------
    ValueError
        If shapes differ or the batch is empty, or logits are no arrays of floating-point numbers.
    """
    _check_same_shape(student, teacher)
    return cross_entropy(student, teacher.argmax(axis=1))


def is_temperature(temperature: float) -> bool:
    """Whether a temperature is between 1e-6 and 1e6: others move z / T or T^2 out of range."""
    return 1e-6 <= temperature <= 1e6


def log_softmax(logits: Array) -> Array:
    """Logarithm of the softmax of each row, without overflow.  (B, C) -> (B, C).

    Raises
    ------
    ValueError
        If logits are no array (B, C) of floating-point numbers.
    """
    _check_logits(logits)
    # exercise cross_entropy: the logarithm of the softmax of each row, without overflow
    with np.errstate(over="ignore"):  # so far below the largest, a probability is 0
        shifted: Array = logits - logits.max(axis=1, keepdims=True)
    log_p: Array = shifted - _log_sum_exp(shifted)
    return log_p


def _present(logarithms: Array, weights: Array) -> Array:
    """Replace logarithms of weight 0 by 0: infinity times 0 would be NaN."""
    return np.where(weights == 0, 0, logarithms)


def _log_sum_exp(x: Array) -> Array:
    """log of the sum of exp along each row, to the same bits on every machine.  -> (B, 1)."""
    log_sum: Array = elementary.log(elementary.exp(x).sum(axis=1, keepdims=True)).astype(x.dtype)
    return log_sum


def _exp(x: Array) -> Array:
    """exp to the same bits on every machine, in the precision of x."""
    return elementary.exp(x).astype(x.dtype)


def _targets(logits: Array, labels: Array, smoothing: float) -> Array:
    """Turn integer labels or soft targets into smoothed targets.  -> (B, C)."""
    if not 0 <= smoothing <= 1:
        raise ValueError(f"cross_entropy: smoothing is {smoothing}, expected 0 to 1")
    batch, classes = logits.shape
    if labels.ndim == 1 and labels.shape[0] == batch:
        if not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"cross_entropy: labels (B,) must be integers, got {labels.dtype}")
        if not 0 <= labels.min() <= labels.max() < classes:
            span = f"{labels.min()}..{labels.max()}"
            raise ValueError(f"cross_entropy: labels span {span}, expected 0..{classes - 1}")
        targets = np.zeros_like(logits)
        targets[np.arange(batch), labels] = 1
    elif labels.shape == logits.shape:
        targets = labels.astype(logits.dtype)
        sums = targets.sum(axis=1, dtype=np.float64)
        if not (np.abs(sums - 1) <= 1e-4).all():  # also refuses NaN
            raise ValueError("cross_entropy: rows of soft targets must sum to 1")
    else:
        raise ValueError(
            f"cross_entropy: logits are {logits.shape}, labels {labels.shape}; "
            f"expected ({batch},) integers or {logits.shape} soft targets"
        )
    return targets if smoothing == 0.0 else (1 - smoothing) * targets + smoothing / classes


def _check_logits(logits: Array) -> None:
    if not isinstance(logits, np.ndarray):
        raise ValueError(
            f"loss: logits are a {type(logits).__name__}, expected an array (B, C); a distilled "
            "model returns a pair of them, one for each head"
        )
    if logits.ndim != 2 or not logits.size:
        raise ValueError(f"loss: logits are {logits.shape}, expected (B, C) with at least one row")
    if logits.dtype.kind != "f":  # integers would cut the digits of every logarithm off
        raise ValueError(f"loss: logits are {logits.dtype}, expected floating-point numbers")


def _check_same_shape(student: Array, teacher: Array) -> None:
    _check_logits(student)
    _check_logits(teacher)
    if student.shape != teacher.shape:
        raise ValueError(f"distillation: student is {student.shape}, teacher {teacher.shape}")
