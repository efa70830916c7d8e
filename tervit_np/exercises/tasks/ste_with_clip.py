"""Exercise: the straight-through estimator of a ternary weight, with a clip."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import wrong_array
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng
from tervit_np.quant import Ternary
from tervit_np.quant.ternary import TernaryCache
from tervit_np.verify.gradcheck import LIMIT, numerical_gradient

TASK = """
Latent weights w are clipped to [-c, c], then made ternary. The straight-through
estimator takes the rounding for the addition of a constant, the residual:

    w_hat = alpha t,  where alpha and t are fitted to clip(w)
    r     = what the rounding adds to its argument

Write three methods of Ternary:

    forward(w, keep_residual)   -> w_hat, TernaryCache(ste_mask, residual)
    backward(dw_hat, cache)     -> dw, from dw_hat and the mask
    frozen(w, cache)            -> the forward map, in which r stays what it was

* frozen(w0) equals forward(w0), if the cache is that of w0.
* backward is the derivative of frozen. Where |w| = c it is 0.
* ste_mask is True where frozen moves with w. Without a clip (self.clip is None)
  it is None: frozen moves with every w.
* The residual is None if keep_residual is False.

Given are self._clipped(w), which is clip(w), or w itself without a clip; and
self._alpha_t(w), which fits alpha and t to its argument and returns alpha t.
require_residual(cache.residual) returns the residual, or an error if it is
None. Do not write into w or dw_hat.

The check begins with a row for paper. Then it compares backward with finite
differences of frozen.
"""

HINTS = (
    "What is the argument of the rounding? Call it v: then w_hat = v + r, and r is measured from "
    "v. With r held fixed only v still depends on w. Where does it not move?",
    "  v         = clip(w)             r = w_hat - clip(w)\n"
    "  frozen(w) = clip(w) + r\n"
    "  dw        = dw_hat where |w| < c, else 0\n"
    "Without a clip v is w, and dw is dw_hat.",
    "  forward:   clipped = self._clipped(w)\n"
    "             w_hat = self._alpha_t(clipped)\n"
    "             mask = np.abs(w) < self.clip         (None without a clip)\n"
    "             residual = w_hat - clipped           (None if not kept)\n"
    "             return w_hat, TernaryCache(mask, residual)\n"
    "  backward:  dw_hat * cache.ste_mask, or dw_hat if there is no mask\n"
    "  frozen:    self._clipped(w) + require_residual(cache.residual)",
)

PLAIN = (
    """
clipped = self._clipped(w)
w_hat = self._alpha_t(clipped)

mask = None
if self.clip is not None:
    mask = np.abs(w) < self.clip

residual = None
if keep_residual:
    residual = w_hat - clipped

return w_hat, TernaryCache(mask, residual)
""",
    """
if cache.ste_mask is None:
    return dw_hat
return dw_hat * cache.ste_mask
""",
    """
return self._clipped(w) + require_residual(cache.residual)
""",
)

_W = np.array([[0.5, -1, 3, 0.1]])
_MOVED = np.array([[0.75, -1, 4, 0.1]])  # one inside moves, and one beyond the clip
_CLIP = 2.0


def check(module: ModuleType) -> Iterator[Finding]:
    """Check each method on paper, then random weights, the clip itself, no clip, no residual."""
    row = "[0.5, -1, 3, 0.1], clip 2, so clip(w) [0.5, -1, 2, 0.1] and w_hat [0, -1.5, 1.5, 0]"
    yield Finding(f"on paper, forward of {row}", _forward_fault(module, _W, _CLIP))
    dw_hat = np.array([[1.0, 2, 3, 4]])
    yield Finding("backward of dw_hat [1, 2, 3, 4]", _backward_fault(module, _W, _CLIP, dw_hat))
    yield Finding("frozen, at the same w", _frozen_fault(module, _W, _W, _CLIP))
    yield Finding("frozen, at w [0.75, -1, 4, 0.1]", _frozen_fault(module, _W, _MOVED, _CLIP))
    n = check_rng(1).normal
    w, moved, upstream = (n(size=(4, 6)) for _ in range(3))
    on_clip = np.array([[0.5, -0.5, 0.25, 1.0], [-0.75, 0.5, 0.1, -0.5]])
    for what, weights, clip in (
        ("random w (4, 6), clip 0.9", w, 0.9),
        ("|w| equal to the clip, 0.5", on_clip, 0.5),
        ("no clip, random w (4, 6)", w, None),
    ):
        dw_hat = upstream[: len(weights), : weights.shape[1]]
        yield Finding(f"{what}: forward", _forward_fault(module, weights, clip))
        yield Finding(f"{what}: backward", _backward_fault(module, weights, clip, dw_hat))
        at = moved[: len(weights), : weights.shape[1]]
        yield Finding(f"{what}: frozen", _frozen_fault(module, weights, at, clip))
    yield Finding("no residual unless asked for", _no_residual_fault(module))
    yield Finding("differences of your frozen", _differences_fault(module, w, upstream))
    yield Finding("float32 stays float32", _float32_fault(module, w.astype(np.float32)))


def _forward_fault(module: ModuleType, w: Array, clip: float | None) -> str:
    """Compare w_hat, mask and residual with the library's; empty if they are right."""
    library, given = Ternary(clip=clip), {"w": read_only(w)}
    with _named_none(clip):
        result = module.Ternary(clip=clip).forward(given["w"], keep_residual=True)
    w_hat, cache = library.forward(w, keep_residual=True)
    expected = "expected two results, w_hat and TernaryCache(ste_mask, residual)"
    if result is None:
        return f"nothing is returned, {expected}: is the `return` missing?"
    if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[1], TernaryCache):
        return f"{type(result).__name__} is returned, {expected}"
    clipped, of_w = _clipped(w, clip), Ternary().forward(w)[0]
    known = {
        "alpha and t are fitted to w; fit them to clip(w)": of_w,
        "alpha and t are fitted to w, and alpha t is clipped; clip w first": _clipped(of_w, clip),
        "this is clip(w), not yet ternary": clipped,
        "this is w itself": w,
    }
    return (
        wrong_array(result[0], w_hat, "w_hat", known, given)
        or _mask_fault(result[1].ste_mask, cache.ste_mask, w, w_hat, clip)
        or _residual_fault(result[1].residual, w, clipped, w_hat)
    )


@contextmanager
def _named_none(clip: float | None) -> Iterator[None]:
    """Say in a TypeError which None it may be about."""
    try:
        yield
    except TypeError as error:
        if clip is None:
            none = "without a clip self.clip and ste_mask are None, and dw is dw_hat"
            error.args = (f"{error}: {none}",)
        raise


def _clipped(w: Array, clip: float | None) -> Array:
    return w if clip is None else np.clip(w, -clip, clip)


def _mask_fault(mask: Any, true: Array | None, w: Array, w_hat: Array, clip: float | None) -> str:
    if clip is None or true is None:
        return "" if mask is None else "without a clip ste_mask is None"
    if mask is None:
        return "ste_mask is None; with a clip it is an array of true and false"
    known = {
        "it is True beyond the clip; frozen moves with w inside": np.abs(w) > clip,
        "it is True beyond the clip and on it; frozen moves with w inside": ~true,
        "where |w| equals the clip it is False": np.abs(w) <= clip,
        "it stops large positive weights only; compare |w|": w < clip,
        "it is True where the code is not 0; the code does not matter": w_hat != 0,
    }
    return wrong_array(mask, true, "ste_mask", known)


def _residual_fault(residual: Any, w: Array, clipped: Array, w_hat: Array) -> str:
    if residual is None:
        return "the residual is None, but keep_residual is True"
    known = {
        "it is measured from w; measure it from clip(w), or frozen does not equal forward": (
            w_hat - w
        ),
        "its sign: w_hat is clip(w) + r": clipped - w_hat,
        "this is w_hat; the residual is what the rounding adds to clip(w)": w_hat,
        "this is what the clip adds; the residual is what the rounding adds": clipped - w,
        "this is what the clip takes; the residual is what the rounding adds": w - clipped,
    }
    return wrong_array(residual, w_hat - clipped, "the residual", known)


def _backward_fault(module: ModuleType, w: Array, clip: float | None, dw_hat: Array) -> str:
    """Compare dw with the library's, from the library's cache; empty if it is right."""
    library = Ternary(clip=clip)
    w_hat, cache = library.forward(w, keep_residual=True)
    cache = TernaryCache(*(None if part is None else read_only(part) for part in cache))
    with _named_none(clip):
        dw = module.Ternary(clip=clip).backward(read_only(dw_hat), cache)
    known = {
        "beyond the clip the forward does not move, so neither does the loss: dw is 0 there": (
            dw_hat
        ),
        "the mask is True inside the clip, where dw is dw_hat": dw_hat * (np.abs(w) >= (clip or 0)),
        "it is 0 everywhere, as the derivative of rounding is; straight through, it is dw_hat": (
            np.zeros_like(dw_hat)
        ),
        "weights with code 0 have a gradient, too": dw_hat * (w_hat != 0),
        "this is the mask; it multiplies dw_hat": np.asarray(cache.ste_mask, np.float64),
    }
    return wrong_array(dw, library.backward(dw_hat, cache), "dw", known)


def _frozen_fault(module: ModuleType, w0: Array, w: Array, clip: float | None) -> str:
    """Compare frozen with the library's, at w, with the cache of w0; empty if it is right."""
    library = Ternary(clip=clip)
    w_hat, cache = library.forward(w0, keep_residual=True)
    result = module.Ternary(clip=clip).frozen(given := read_only(w), cache)
    clipped, residual = _clipped(w, clip), cache.residual
    known = {
        "this is w + r: beyond the clip it moves, and the forward does not; it is clip(w) + r": (
            w + residual
        ),
        "this rounds again; only the residual of w0 is added": library.forward(w)[0],
        "this is w_hat of w0; frozen moves with w, only the residual is fixed": w_hat,
        "this is the residual alone": np.asarray(residual),
        "this is clip(w); the residual is missing": clipped,
        "the residual is subtracted; add it": clipped - residual,
    }
    return wrong_array(result, library.frozen(w, cache), "frozen", known, {"w": given})


def _no_residual_fault(module: ModuleType) -> str:
    _, cache = module.Ternary(clip=_CLIP).forward(read_only(_W))
    return "" if cache.residual is None else "keep_residual is False, but the cache has a residual"


def _differences_fault(module: ModuleType, w: Array, upstream: Array) -> str:
    """Compare the student's backward with differences of the student's frozen."""
    quantizer = module.Ternary(clip=0.9)
    _, cache = quantizer.forward(read_only(w), keep_residual=True)
    dw = quantizer.backward(read_only(upstream), cache)
    numeric = numerical_gradient(lambda v: quantizer.frozen(v, cache), w, upstream)
    return wrong_array(dw, numeric, "dw", rtol=LIMIT)


def _float32_fault(module: ModuleType, w: Array) -> str:
    quantizer = module.Ternary(clip=0.9)
    w_hat, cache = quantizer.forward(read_only(w), keep_residual=True)
    results = {
        "w_hat": w_hat,
        "the residual": cache.residual,
        "dw": quantizer.backward(w, cache),
        "frozen": quantizer.frozen(w, cache),
    }
    wide = [f"{name} is {a.dtype}" for name, a in results.items() if a.dtype != np.float32]
    return f"{wide[0]}, but w and dw_hat are float32" if wide else ""


STE_WITH_CLIP = Exercise(
    name="ste_with_clip",
    module="quant.ternary",
    chapter="09_learned_steps",
    title="the straight-through estimator, with a clip",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=PLAIN,
    wrong_answers=(
        WrongAnswer(
            "the gradient passes everywhere",
            "return dw_hat * cache.ste_mask",
            "return dw_hat",
            "beyond the clip the forward does not move, so neither does the loss",
        ),
        WrongAnswer(
            "the residual is measured from w",
            "residual = w_hat - clipped",
            "residual = w_hat - w",
            "it is measured from w; measure it from clip(w), or frozen does not equal forward",
        ),
        WrongAnswer(
            "frozen moves beyond the clip",
            "self._clipped(w) + require_residual",
            "w + require_residual",
            "this is w + r: beyond the clip it moves, and the forward does not",
        ),
        WrongAnswer(
            "threshold and scale of weights that are not clipped",
            "self._alpha_t(clipped)",
            "self._alpha_t(w)",
            "alpha and t are fitted to w; fit them to clip(w)",
        ),
        WrongAnswer(
            "a weight on the clip has a gradient",
            "np.abs(w) < self.clip",
            "np.abs(w) <= self.clip",
            "where |w| equals the clip it is False",
        ),
        WrongAnswer(
            "frozen rounds again",
            "return self._clipped(w) + require_residual(cache.residual)",
            "return self._alpha_t(self._clipped(w))",
            "this rounds again; only the residual of w0 is added",
        ),
        WrongAnswer(
            "no mask is multiplied like a mask",
            "if cache.ste_mask is None:\n            return dw_hat\n        return dw_hat",
            "return dw_hat",
            "without a clip self.clip and ste_mask are None, and dw is dw_hat",
        ),
    ),
)
