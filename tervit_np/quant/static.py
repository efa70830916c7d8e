"""Static quantization of activations: one step for all inputs of a layer, found beforehand.

    q = round(clip(x / s, -Q, Q))        x_hat = q s        Q = 2^(b-1) - 1

    backward   dx = dx_hat  where |x| < Q s,  0 beyond
    frozen     s (clip(x / s, -Q, Q) + r0)        r0 = round(v0) - v0,  v0 = clip(x0 / s, -Q, Q)

The scale s comes from pictures of the training split, by one of the rules in calibration.py, and is
a constant from then on. A dynamic scale (uniform.py) is computed from each token or tensor when it
comes: nothing is clipped, but the largest magnitude has to be found before the first value can be
rounded. Halves round to even. The paper does not say which kind it uses; ours is the dynamic one.
"""

import copy
from typing import NamedTuple

import numpy as np

from data_tools.plain_numbers import is_finite_number
from tervit_np.arrays import Array
from tervit_np.dispatch import compiled
from tervit_np.quant.channels import check_floats
from tervit_np.quant.identity import ZERO
from tervit_np.quant.protocol import Convention, QuantizedTensor, Quantizer, require_residual
from tervit_np.quant.uniform import UniformAct, checked_bits, largest_code

TINY = float(np.finfo(np.float32).tiny)  # the smallest number with all digits


class StaticCache(NamedTuple):
    """What the backward pass needs."""

    ste_mask: Array  # bool, |x| < Q s
    residual: Array | None  # round(v) - v in steps, None unless asked for


class StaticAct(Quantizer):
    """Symmetric activations with a fixed scale for the whole tensor.

    `scale` is None until the model is calibrated (`tv.calibrate`); it is rounded to float32, so
    that models of every dtype and packed files have the same grid.

    Raises
    ------
    ValueError
        If `bits` is not an integer from 2 to 8, or `scale` is not above 0, below 1e30 and large
        enough for float32.
    """

    bits: int
    convention = Convention(
        boundary="|x| = Q s maps to the last level and has no gradient",
        ties="half to even",
        scale="fixed before, by calibration; constant in the backward",
        clip="|x| >= Q s",
    )

    def __init__(self, bits: int = 8, scale: float | None = None) -> None:
        self.bits = checked_bits(bits)
        self.scale = None if scale is None else rounded_scale(scale)

    @property
    def clip(self) -> float:
        """The largest value of the grid, Q s; ValueError before calibration."""
        return largest_code(self.bits) * self.require_scale()

    def with_scale(self, scale: float) -> "StaticAct":
        """Return a copy with this scale."""
        scaled = copy.copy(self)  # of a derived class, too
        scaled.scale = rounded_scale(scale)
        return scaled

    def require_scale(self) -> float:
        """Return the scale.

        Raises
        ------
        ValueError
            If the model is not calibrated.
        """
        if self.scale is None:
            raise ValueError(
                "a static quantizer has no scale yet: calibrate the model with pictures, by "
                "tv.calibrate or `tervit calibrate`"
            )
        return self.scale

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, StaticCache]:
        """Round to the grid.  (...) -> x_hat (...).

        Raises
        ------
        ValueError
            If a value is not a finite floating-point number, or the model is not calibrated.
        """
        scale, q_max = self.require_scale(), largest_code(self.bits)
        if not keep_residual and (compiled_ops := compiled(w)) is not None:
            flat = np.ascontiguousarray(w).reshape(-1)
            x_hat, inside = compiled_ops.fake_quant_static(flat, scale, q_max)
            return x_hat.reshape(w.shape), StaticCache(inside.reshape(w.shape), None)
        v = self._steps(w)
        q = np.rint(v)
        x_hat = q * w.dtype.type(scale)
        return x_hat, StaticCache(np.abs(v) < q_max, q - v if keep_residual else None)

    def backward(self, dw_hat: Array, cache: StaticCache) -> Array:
        """Undo `s (clip(x / s) + constant)`.  (...) -> dx (...)."""
        return dw_hat * cache.ste_mask

    def frozen(self, w: Array, cache: StaticCache) -> Array:
        """Map x with the residual of x0 held fixed."""
        scale = w.dtype.type(self.require_scale())
        frozen: Array = scale * (self._steps(w) + require_residual(cache.residual))
        return frozen

    def encode(self, w: Array) -> QuantizedTensor:
        """Return codes in [-Q, Q], int8, and the scale ()."""
        scale = np.array(self.require_scale(), w.dtype)
        return QuantizedTensor(np.rint(self._steps(w)).astype(np.int8), scale, ZERO)

    def _steps(self, x: Array) -> Array:
        """Compute clip(x / s, -Q, Q)."""
        check_floats(x)
        if not np.isfinite(x).all():
            raise ValueError("quantize: a value is NaN or infinite")
        q_max = largest_code(self.bits)
        with np.errstate(over="ignore"):  # infinite steps are clipped
            steps: Array = np.clip(x / x.dtype.type(self.require_scale()), -q_max, q_max)
        return steps

    def __repr__(self) -> str:
        scale = "not calibrated" if self.scale is None else f"{self.scale:.3g}"
        return f"int{self.bits} static ({scale})"


def static_twin(act: Quantizer) -> Quantizer:
    """Return a static quantizer of the same bits, not calibrated, for symmetric or static inputs.

    What those have learned, an end or an offset, is not kept. Others, which have a zero point, are
    float or of a class that derives from UniformAct, are returned as they are.
    """
    is_symmetric = type(act) is UniformAct and act.kind == "symmetric"
    return StaticAct(int(act.bits)) if is_symmetric or isinstance(act, StaticAct) else act


def rounded_scale(scale: object) -> float:
    """Return a scale, rounded to float32.

    Raises
    ------
    ValueError
        If it is not a number above 0 and below 1e30, or too small for float32.
    """
    if not (is_finite_number(scale) and 0 < scale < 1e30):
        raise ValueError(f"scale is {scale!r}; expected a number above 0 and below 1e30, or None")
    rounded = float(np.float32(scale))
    if rounded < TINY:
        raise ValueError(f"scale is {scale!r}, too small for float32")
    return rounded
