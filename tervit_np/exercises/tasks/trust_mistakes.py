"""Compare the parts of QuEST with the formulas, and name the mistake: for `trust_mask`."""

from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import equal, wrong_array
from tervit_np.quant.quest import LEVEL, Quest, QuestCache


def rms_fault(result: Any, w: Array) -> str:
    """Compare r with the formula; empty if it is right."""
    wide = w.astype(np.float64)
    largest = np.abs(wide).max(axis=1, keepdims=True)
    scaled = wide / np.where(largest == 0, 1, largest)
    true = largest[:, 0] * np.sqrt(np.square(scaled).mean(axis=1))
    with np.errstate(over="ignore"):
        squares = np.square(wide)
        known = {
            "these squares over- or underflow; divide the row by its largest magnitude first": (
                np.sqrt(squares.mean(axis=1))
            ),
            "the root is missing: it is sqrt(mean w^2)": squares.mean(axis=1),
            "this is sqrt(sum w^2), the length of the row; divide the sum by n": (
                np.sqrt(squares.sum(axis=1))
            ),
            "this is mean|w|, as in BitNet's rule; it is sqrt(mean w^2)": np.abs(wide).mean(axis=1),
            "this is the standard deviation; no mean is taken away": wide.std(axis=1),
            "this is r of the whole matrix; each row has its own (axis=1)": (
                np.full(len(w), np.sqrt(squares.mean()))
            ),
            "this is r of the rows divided by their largest magnitude; multiply by it again": (
                np.sqrt(np.square(scaled).mean(axis=1))
            ),
        }
    if fault := wrong_array(result, true, "r", _others(known, true)):
        return fault
    for i in range(len(w)):  # r of a row may be far below that of another
        row = slice(i, i + 1)
        of_row = {sentence: r[row] for sentence, r in known.items()}
        if fault := wrong_array(result[row], true[row], f"r of row {i}", of_row):
            return fault
    return ""


def _others(known: dict[str, Array], true: Array) -> dict[str, Array]:
    """Leave out the mistakes that make no difference here."""
    return {sentence: a for sentence, a in known.items() if not equal(a, true, 1e-5)}


def codes_fault(result: Any, w: Array) -> str:
    """Compare the codes with the library's; empty if they are right."""
    true, a, _ = Quest().encode(w)
    size, sign, a = np.abs(w), np.sign(w), a[:, None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        nearest = np.where(a == 0, 0, np.rint(w / a))
    known = {
        "the threshold is a; it is a / 2, the middle between 0 and a": sign * (size > a),
        "the threshold is r / 2; it is a / 2, and a is 1.224 r": sign * (size > a / LEVEL / 2),
        "the threshold is 1 / 2; that of a row is its own, a / 2": sign * (size > 0.5),
        "a weight equal to a / 2 becomes 0: the inequality is strict": sign * (size >= a / 2),
        "this is round(w / a): beyond 1.5 a it leaves the three values": nearest,
        "the signs are missing": size > a / 2,
        "these are the signs alone; up to a / 2 a weight becomes 0": sign,
        "the comparison is the wrong way round": sign * (size <= a / 2),
    }
    known = {sentence: np.asarray(codes).astype(np.int8) for sentence, codes in known.items()}
    return wrong_array(result, true, "the codes", _others(known, true))


def mask_fault(result: Any, w: Array) -> str:
    """Compare the mask with the library's; empty if it is right."""
    w_hat, cache = Quest().forward(w)
    a = Quest().encode(w).scale[:, None]
    error, true = np.abs(w_hat - w), cache.trusted
    known = {
        "it is True where the error is large; the gradient passes where it is small": ~true,
        "nothing is masked; where the error is above a / 2 it is False": np.ones(w.shape, bool),
        "the limit of the error is a; it is a / 2": error <= a,
        "it is True where |w| is at most a / 2; compare |w_hat - w|": np.abs(w) <= a / 2,
        "it is True where |w| is at most a; compare |w_hat - w|": np.abs(w) <= a,
        "w_hat - w has a sign; compare its magnitude": w_hat - w <= a / 2,
        "w - w_hat has a sign; compare its magnitude": w - w_hat <= a / 2,
        "it is True where the code is not 0; the code does not matter": w_hat != 0,
    }
    return wrong_array(result, true, "trusted", _others(known, true))


def backward_fault(module: ModuleType, w: Array, dw_hat: Array) -> str:
    """Compare dw with the formula, from the library's cache; empty if it is right."""
    dw_hat = read_only(dw_hat.astype(w.dtype))
    w_hat, (trusted, _) = Quest().forward(w)
    dw = module.Quest().backward(dw_hat, QuestCache(read_only(trusted), None))
    known = {
        "a weight that is not trusted gets no gradient: dw is 0 there": dw_hat,
        "the mask is the wrong way round: where it is True, dw is dw_hat": dw_hat * ~trusted,
        "this is the mask; it multiplies dw_hat": trusted.astype(w.dtype),
    }
    true = dw_hat * trusted
    return wrong_array(dw, true, "dw", _others(known, true))
