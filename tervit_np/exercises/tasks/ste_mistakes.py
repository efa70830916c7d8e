"""Compare the methods of a clipped Ternary with the library's: for `ste_with_clip`."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import wrong_array
from tervit_np.quant import Ternary
from tervit_np.quant.ternary import TernaryCache


def forward_fault(module: ModuleType, w: Array, clip: float | None) -> str:
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


def backward_fault(module: ModuleType, w: Array, clip: float | None, dw_hat: Array) -> str:
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


def frozen_fault(module: ModuleType, w0: Array, w: Array, clip: float | None) -> str:
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
