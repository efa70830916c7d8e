"""What every quantizer does, and the convention that defines it.

A quantizer replaces w by w_hat in the forward pass. The true derivative of the rounding is zero
almost everywhere, so the backward pass uses another one, the *straight-through* estimate (Bengio et
al. 2013). Which one is a convention. `frozen` turns the convention into a function: the forward map
with the rounding residual held at its value for w0. `backward` is the exact derivative of `frozen`,
so finite differences can check it.
"""

import inspect
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from data_tools.plain_numbers import plain
from tervit_np.arrays import Array
from tervit_np.param import Param
from tervit_np.quant.channels import broadcast_scale


class QuantizedTensor(NamedTuple):
    """What a packed file stores: w_hat = (codes - zero_point) * scale."""

    codes: Array  # int8 or uint8, shaped like w
    scale: Array  # (out,) of a weight, (out, groups), (..., 1) of tokens, () of a tensor
    zero_point: Array  # integers, shaped like the scale; () 0 for a symmetric grid

    def dequantize(self) -> Array:
        """Compute w_hat, the same values as `forward`.  -> shaped like the codes."""
        codes = self.codes.astype(self.scale.dtype) - self.zero_point.astype(self.scale.dtype)
        w_hat: Array = codes * broadcast_scale(self.scale, self.codes.shape)
        return w_hat


class Convention(NamedTuple):
    """One row of the convention table, which docs/quantizers.md prints.

    A rule that inherits from another has a row of its own: the words of the other rarely fit it.
    """

    boundary: str  # the code of a value on a threshold or at the end of the range
    ties: str  # how halves are rounded
    scale: str  # how the scale is fitted, and whether it is differentiated
    clip: str  # where the gradient is zero


class Quantizer(ABC):
    """Forward, straight-through backward, frozen map and codes of one rounding rule.

    What changes from step to step is in `params` or `buffers`, in place: training runs copies of a
    quantizer on other threads, which share these arrays and nothing else.
    """

    bits: float = 32  # of a code, from which model sizes are computed
    is_ternary: bool = False  # whether all codes are -1, 0 or 1
    convention: Convention
    no_packed_form: str = "their rule has an empty `packing`, as those for inputs have"  # why

    @property
    def packing(self) -> str:
        """How a packed file stores weights, and which kernel multiplies them.

        "ternary": codes -1, 0, 1; "integer": symmetric codes of `code_bits` bits; with one scale
        for each output channel or one for all. "ternary groups", "integer groups": the same codes,
        with a scale for each group of inputs. "": no packed form; `no_packed_form` says why, in
        words about the weights.
        """
        return ""

    @property
    def code_bits(self) -> int:
        """Bits of an integer code as it is stored."""
        return int(self.bits)

    def num_scales(self, shape: tuple[int, ...]) -> int:
        """Count the scales of a weight of this shape: one for each output channel."""
        return shape[0]

    @abstractmethod
    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, Any]:
        """Quantize and dequantize.  (...) -> w_hat (...), cache.

        `keep_residual` also caches the rounding residual, which only `frozen` needs.

        Raises
        ------
        ValueError
            If a value is NaN, infinite or too large for a scale, or a learned or calibrated scale
            is still missing.
        """

    @abstractmethod
    def backward(self, dw_hat: Array, cache: Any) -> Array:
        """Pass the gradient straight through.  dw_hat (...) -> dw (...)."""

    @abstractmethod
    def frozen(self, w: Array, cache: Any) -> Array:
        """Map w with the residual of `forward(w0, keep_residual=True)` held fixed.

        (...) -> (...)

        Raises
        ------
        ValueError
            If the cache has no residual.
        """

    @abstractmethod
    def encode(self, w: Array) -> QuantizedTensor:
        """Return the integers and scales that a file stores.

        Raises
        ------
        ValueError
            If `forward` would raise it, or the rule has no integer codes.
        """

    def prepare(self, w: Array) -> None:  # noqa: B027  many quantizers need nothing
        """Get ready for a layer's weight (out, ...): set learned parameters to their start.

        Called when a plan gives the layer this quantizer, before `params` and `forward`, also of
        one for the layer's inputs.

        Raises
        ------
        ValueError
            If weights of this shape, or the inputs of such a layer, cannot be quantized so.
        """

    def params(self) -> dict[str, Param]:
        """Trainable parameters by name, such as a learned scale; none by default.

        They are the same objects in each call. One of a single axis (M,) does not decay; of two or
        more it decays as weights do, and `Muon` takes it for a matrix.
        """
        return {}

    def bias(self, w: Array, cache: Any) -> Array | None:
        """Return what the rule adds to the bias of a layer; nothing by default.

        (out, ...), cache of `forward` -> (out,) or None
        """
        return None

    def bias_backward(self, dbias: Array, cache: Any) -> Array | None:
        """Return what `bias` adds to dw.  (out,) -> (out, ...) or None."""
        return None

    def buffers(self) -> dict[str, Array]:
        """Arrays that steps of training update and no gradient moves; none by default.

        They are saved with the parameters, and each is of a floating-point type and never replaced.
        """
        return {}

    def before_step(self, weight: Param) -> None:  # noqa: B027
        """Add to the gradient of a whole batch, before it is clipped; nothing by default."""

    def after_step(self, weight: Param) -> None:  # noqa: B027
        """Take note of the weight that the optimizer has moved, and of its gradient."""

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the constructor, which are attributes of the same names.

        Files store them, so that numbers and arrays of NumPy become Python's, arrays lists.

        Raises
        ------
        ValueError
            If one of them is no attribute.
        """
        names = list(inspect.signature(type(self)).parameters)
        for name in names:
            if not hasattr(self, name):
                raise ValueError(
                    f"{type(self).__name__} has an argument {name!r} and no attribute of this "
                    f"name; set self.{name} in its __init__"
                )
        values = {name: getattr(self, name) for name in names}
        return {n: v.tolist() if isinstance(v, np.ndarray) else plain(v) for n, v in values.items()}


def require_residual(residual: Array | None) -> Array:
    """Return the residual; ValueError if the cache has none."""
    if residual is None:
        raise ValueError(
            "frozen needs the cache of forward(w, keep_residual=True); this one has no residual"
        )
    return residual
