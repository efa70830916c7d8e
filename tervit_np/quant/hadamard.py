"""QuEST with its Hadamard product (Panferov et al. 2025): rotate, then round.

H is the Hadamard matrix of B inputs, B a power of two, over sqrt(B); n inputs are n / B blocks.

    H_1 = 1,   H_2B = [[H_B, H_B], [H_B, -H_B]] / sqrt(2)         symmetric, and H H = 1

    v     = H w, block by block
    w_hat = H g(v)                       g rounds as quest.py and quest_act.py do

    backward   dw = H (dv_hat where v is trusted, 0 elsewhere),   dv_hat = H dw_hat
    frozen     H (v + constant where it is trusted, constant elsewhere)

Each v_i is a sum of B weights with signs. So the values of v are nearly Gaussian, unless a few
weights make up their block, and a large weight is distributed over B of them. Where one v_i is
masked, the weights of its block still get a gradient through the others.

Since H H = 1, the product of x_hat and w_hat is that of g(H x) and g(H w), if both are rotated:
codes times codes. Packed layers do not rotate inputs, so there is no packed form. The paper has
B = 128; the default 32, which is ours, divides the inputs of all block matrices of our models.
"""

import math
from abc import abstractmethod
from typing import Any

import numpy as np

from data_tools.plain_numbers import plain
from tervit_np.arrays import Array
from tervit_np.quant.channels import check_floats
from tervit_np.quant.protocol import Convention, QuantizedTensor, Quantizer
from tervit_np.quant.quest import Quest
from tervit_np.quant.quest_act import QuestAct


def hadamard(x: Array, block: int) -> Array:
    """Multiply each block of the last axis by H.  (..., n) -> (..., n); twice gives x again.

    It takes log2(block) sums or differences for each number, and one division.

    Raises
    ------
    ValueError
        If `block` is not a power of two, at least 2, or does not divide n, or the values are not
        floating-point numbers.
    """
    block = checked_block(block)
    check_floats(x)
    inputs = x.shape[-1]
    _check_blocks(inputs, block)
    v, half = x.reshape(-1, inputs), 1
    while half < block:
        pairs = v.reshape(-1, 2, half)
        with np.errstate(invalid="ignore", over="ignore"):  # the rule refuses what is not finite
            v = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1)
        half *= 2
    rotated: Array = v.reshape(x.shape) / x.dtype.type(np.sqrt(block))
    return rotated


def _check_blocks(inputs: int, block: int) -> None:
    if inputs % block:
        raise ValueError(f"quantize: {inputs} inputs cannot be cut into blocks of {block}")


def checked_block(block: object) -> int:
    """Return the length of a block as an int; ValueError if it is no power of two, from 2 on."""
    number = plain(block)
    if type(number) is not int or number < 2 or number & (number - 1):
        raise ValueError(f"block is {block!r}; expected a power of two, at least 2")
    return number


class _Rotated(Quantizer):
    """The passes of both: rotate, round by the rule, rotate back."""

    block: int

    @property
    @abstractmethod
    def _rule(self) -> Quantizer:
        """Return the rule that rounds v."""

    def forward(self, w: Array, keep_residual: bool = False) -> tuple[Array, Any]:
        """Rotate, round, rotate back.  (...) -> (...); ValueError if a value is not finite."""
        v_hat, cache = self._rule.forward(self._rotate(w), keep_residual)
        return self._rotate(v_hat), cache

    def backward(self, dw_hat: Array, cache: Any) -> Array:
        """Undo `w_hat = H (H w + constant)` where H w is trusted.  (...) -> dw (...)."""
        dv = self._rule.backward(self._rotate(dw_hat), cache)
        return self._rotate(dv)

    def frozen(self, w: Array, cache: Any) -> Array:
        """Map w with the residual and the mask of w0 held fixed."""
        return self._rotate(self._rule.frozen(self._rotate(w), cache))

    def encode(self, w: Array) -> QuantizedTensor:
        """Return codes and levels of the rotated values: they dequantize to H w_hat."""
        return self._rule.encode(self._rotate(w))

    def _rotate(self, x: Array) -> Array:
        return hadamard(x, self.block)


class Hadamard(_Rotated, Quest):
    """Ternary weights of QuEST, rotated; a filter of a convolution counts as one row.

    Raises
    ------
    ValueError
        If the granularity is unknown, or `block` is not a power of two, at least 2.
    """

    convention = Convention(
        boundary="v = H w: |v| = a / 2 gives 0 (strict); |v| = 1.5 a has a gradient",
        ties="none: thresholds, not rounding",
        scale="1.2240 root mean square of v in each forward; constant in the backward",
        clip="dv, of dw = H dv, where |v_hat - v| > a / 2, which is |v| > 1.5 a",
    )
    no_packed_form = "their codes are of H w, for rotated inputs, and a packed layer rotates none"

    def __init__(self, granularity: str = "channel", block: int = 32) -> None:
        block = checked_block(block)
        Quest.__init__(self, granularity)
        self.block = block

    @property
    def _rule(self) -> Quest:
        return Quest(self.granularity)

    @property
    def packing(self) -> str:
        """None, as `no_packed_form` says."""
        return ""

    def prepare(self, w: Array) -> None:
        """Raise ValueError if a channel cannot be cut into blocks and groups."""
        Quest.prepare(self, w)
        _check_blocks(math.prod(w.shape[1:]), self.block)

    def _rotate(self, x: Array) -> Array:
        if x.ndim == 0:
            raise ValueError("quantize: a scalar has no channels, whose blocks could be rotated")
        return hadamard(x.reshape(len(x), -1), self.block).reshape(x.shape)

    def __repr__(self) -> str:
        return f"ternary QuEST ({self.granularity}, Hadamard {self.block})"


class HadamardAct(_Rotated, QuestAct):
    """Inputs of QuEST, 2 to 7 bits, rotated.

    Raises
    ------
    ValueError
        If `bits` is not from 2 to 7, or `block` not a power of two, at least 2.
    """

    convention = Convention(
        boundary="v = H x: |v| = a + a / N has a gradient; v = 0 maps to a level next to it",
        ties="half to even q",
        scale="e_b times the root mean square of v in each forward; constant in the backward",
        clip="dv, of dx = H dv, where |v_hat - v| > a / N, which is |v| > a + a / N",
    )

    def __init__(self, bits: int = 4, block: int = 32) -> None:
        block = checked_block(block)
        QuestAct.__init__(self, bits)
        self.block = block

    @property
    def _rule(self) -> QuestAct:
        return QuestAct(self.bits)

    def prepare(self, w: Array) -> None:
        """Raise ValueError if the inputs of a layer with this weight cannot be cut into blocks."""
        _check_blocks(math.prod(w.shape[1:]), self.block)

    def __repr__(self) -> str:
        return f"QuEST {self.bits} bits (token, Hadamard {self.block})"
