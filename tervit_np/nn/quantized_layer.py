"""A layer with a weight and two quantizers, and its quantized weight, which a batch needs once."""

from typing import Any, NamedTuple

from tervit_np.arrays import Array
from tervit_np.dispatch import integer_engine
from tervit_np.nn.module import Module
from tervit_np.param import Param
from tervit_np.quant import IDENTITY, Quantizer, fixed_scale, is_integer_matmul


class QuantizedWeight(NamedTuple):
    """What the forward pass computes from the latent weight alone."""

    w_hat: Array  # shaped like the latent weight
    cache: Any  # the weight quantizer's
    packed: Any  # kernels.Panels if the integer engine multiplies, otherwise None


class QuantizedLayer(Module):
    """A layer with a weight.

    While `shared` is set, forward takes it instead of quantizing the latent weight again: parts of
    one batch see the same weight (train/parallel.py). `precision` is that of the products of the
    backward pass (ops/mixed_precision.py).
    """

    weight: Param
    weight_quant: Quantizer = IDENTITY
    act_quant: Quantizer = IDENTITY
    shared: QuantizedWeight | None = None
    precision: str = "float32"

    def quantized_weight(self) -> QuantizedWeight:
        """Quantize the latent weight, and pack it where integers are multiplied."""
        if self.shared is not None:
            return self.shared
        w_hat, cache = self.weight_quant.forward(self.weight.data)
        packed = None
        if is_integer_matmul(self.weight_quant, self.act_quant) and w_hat.ndim == 2:
            engine = integer_engine(w_hat)
            if engine is not None and engine.fits_integers(w_hat.shape[1]):
                packed = engine.pack_floats(w_hat, fixed_scale(self.act_quant))
        return QuantizedWeight(w_hat, cache, packed)
