"""What every quantizer does, and the four questions whose answers define it.

A quantizer replaces w by w_hat in the forward pass and passes the gradient back *straight through*
the rounding, whose true derivative is zero almost everywhere (Bengio et al. 2013). Which derivative
it uses instead is a convention. `frozen` makes the convention a function: the forward map with the
rounding residual held at its value for w0. `backward` is the exact derivative of `frozen`, so
finite differences can check it.
"""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from tervit_np.arrays import Array
from tervit_np.param import Param
from tervit_np.quant.channels import broadcast_scale


class QuantizedTensor(NamedTuple):
    """What a packed file stores: w_hat = (codes - zero_point) * scale."""

    codes: Array  # int8 or uint8, shaped like w
    scale: Array  # (out,) of a weight, (..., 1) of tokens, () of a tensor
    zero_point: Array  # integers like the scale, or () 0 where the grid is symmetric

    def dequantize(self) -> Array:
        """Multiply out, to the same values as `forward`.  -> w_hat, shaped like the codes."""
        codes = self.codes.astype(self.scale.dtype) - self.zero_point.astype(self.scale.dtype)
        w_hat: Array = codes * broadcast_scale(self.scale, self.codes.ndim)
        return w_hat


class Convention(NamedTuple):
    """One row of the convention table."""

    boundary: str  # where a value falls that lies on a threshold or at the end of the range
    ties: str  # how halves are rounded
    scale: str  # how the scale is fitted, and whether it is differentiated
    clip: str  # where the gradient is stopped


class Quantizer(ABC):
    """Forward, straight-through backward, frozen map and codes of one rounding rule."""

    bits: float = 32  # bits of a code, for the accounting of sizes
    convention: Convention

    @abstractmethod
    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, Any]:
        """Quantize and dequantize.  (...) -> w_hat (...), cache.

        `keep_residual` also caches the rounding residual, which only `frozen` needs.
        """

    @abstractmethod
    def backward(self, dw_hat: Array, cache: Any) -> Array:
        """Pass the gradient straight through.  dw_hat (...) -> dw (...)."""

    @abstractmethod
    def frozen(self, w: Array, cache: Any) -> Array:
        """Map w with the residual of `forward(w0, keep_residual=True)` held fixed.

        (...) -> (...)
        """

    @abstractmethod
    def encode(self, w: Array) -> QuantizedTensor:
        """Return the integers and scales that a file stores."""

    def params(self) -> dict[str, Param]:
        """Trainable parameters by name, such as a learned step; none by default."""
        return {}


def require_residual(residual: Array | None) -> Array:
    """Return the residual, or say how to get one."""
    if residual is None:
        raise ValueError(
            "frozen needs the cache of forward(w, keep_residual=True); this one has no residual"
        )
    return residual
