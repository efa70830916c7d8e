"""Ternary gamma of a LayerNorm; FTerViT (Ruciński et al. 2026) makes all LayerNorms ternary.

The rule of ternary.py for the vector gamma (D,), with one threshold and one scale:

    gamma_hat = alpha t         Delta = 0.7 mean |gamma|, alpha = mean of |gamma_i| beyond Delta

A channel of the token keeps its size, up to one factor for all, changes its sign, or is switched
off: then beta alone is left of it. At the start gamma is 1 everywhere, and so is gamma_hat.

This rule is for LayerNorms alone: in a plan its patterns match no other layers, and patterns of
other rules match no LayerNorm. beta stays float, and so do the sums of the normalisation. In a
packed file gamma takes 1.6 bits; the kernels read it as floats.

    backward   dgamma = dgamma_hat
    frozen     gamma + (gamma_hat0 - gamma0)
"""

from tervit_np.arrays import Array
from tervit_np.quant.protocol import Convention
from tervit_np.quant.ternary import Ternary, TernaryCache


class TernaryGamma(Ternary):
    """Gamma in {-alpha, 0, alpha}, one alpha for a LayerNorm."""

    convention = Convention(
        boundary="|gamma| = Delta gives 0 (strict)",
        ties="none: thresholds, not rounding",
        scale="alpha, Delta from gamma in each forward; constants in the backward",
        clip="nowhere",
    )

    def __init__(self) -> None:
        super().__init__("tensor")

    def backward(self, dw_hat: Array, cache: TernaryCache | None) -> Array:
        """Undo `gamma_hat = gamma + constant`.  (D,) -> dgamma (D,); it needs no cache."""
        return dw_hat

    def __repr__(self) -> str:
        return "ternary gamma"
