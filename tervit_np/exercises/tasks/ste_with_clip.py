"""Exercise: the straight-through estimator of a ternary weight, with a clip."""

from collections.abc import Iterator
from types import ModuleType

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import wrong_array
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng
from tervit_np.exercises.tasks.ste_mistakes import backward_fault, forward_fault, frozen_fault
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
    yield Finding(f"on paper, forward of {row}", forward_fault(module, _W, _CLIP))
    dw_hat = np.array([[1.0, 2, 3, 4]])
    yield Finding("backward of dw_hat [1, 2, 3, 4]", backward_fault(module, _W, _CLIP, dw_hat))
    yield Finding("frozen, at the same w", frozen_fault(module, _W, _W, _CLIP))
    yield Finding("frozen, at w [0.75, -1, 4, 0.1]", frozen_fault(module, _W, _MOVED, _CLIP))
    n = check_rng(1).normal
    w, moved, upstream = (n(size=(4, 6)) for _ in range(3))
    on_clip = np.array([[0.5, -0.5, 0.25, 1.0], [-0.75, 0.5, 0.1, -0.5]])
    for what, weights, clip in (
        ("random w (4, 6), clip 0.9", w, 0.9),
        ("|w| equal to the clip, 0.5", on_clip, 0.5),
        ("no clip, random w (4, 6)", w, None),
    ):
        dw_hat = upstream[: len(weights), : weights.shape[1]]
        yield Finding(f"{what}: forward", forward_fault(module, weights, clip))
        yield Finding(f"{what}: backward", backward_fault(module, weights, clip, dw_hat))
        at = moved[: len(weights), : weights.shape[1]]
        yield Finding(f"{what}: frozen", frozen_fault(module, weights, at, clip))
    yield Finding("no residual unless asked for", _no_residual_fault(module))
    yield Finding("differences of your frozen", _differences_fault(module, w, upstream))
    yield Finding("float32 stays float32", _float32_fault(module, w.astype(np.float32)))


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
    title="the straight-through estimator",
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
