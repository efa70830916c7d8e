"""A layer whose weights have a scale for each group of inputs.

    y = s (S_1 a_1 + S_2 a_2 + ... + S_G a_G) + b      S_g = q_g t_g^T, over the inputs of group g

q = round(x / s) are the 8-bit codes of a token, t the codes of the weights, a_g (out,) the scales
of group g. The sums S_g are exact integers in every variant of the kernels. Products and additions
are those of float32, in the order of the formula, so that y has the same bits in every variant.

Each group is packed as a layer of its own, and its sums come from the kernel for ternary codes or
from that for bytes. NumPy scales and adds them. For groups of n inputs this is one product and one
addition in float32 for n products of integers. The fused block (block.py) has no form with groups.
"""

from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.kernels.int8_linear import int8_product
from tervit_np.kernels.int8_weights import Int8Weights, pack_int8
from tervit_np.kernels.isa import check_supported, selected_variant
from tervit_np.kernels.panels import Panels, pack, quantize_tokens
from tervit_np.kernels.ternary_linear import integer_product


class GroupedWeights(NamedTuple):
    """A packed layer with a scale for each output and group of inputs."""

    groups: tuple[Panels | Int8Weights, ...]  # in the order of their inputs, of one size
    outputs: int
    inputs: int  # of all groups
    input_scale: float = 0.0  # of all inputs, if it is static; 0: each token has its own


def pack_groups(
    codes: Array, scale: Array, input_scale: float = 0.0, *, is_ternary: bool
) -> GroupedWeights:
    """Pack codes with scales of groups.  int8 (out, in), float32 (out, groups) -> GroupedWeights.

    Ternary codes take two bits in memory, others a byte.

    Raises
    ------
    ValueError
        If shapes do not fit, the groups do not divide the inputs, a scale is not finite, or the
        codes are not what `pack` or `pack_int8` takes.
    """
    codes, scale = np.asarray(codes), np.asarray(scale, np.float32)
    if codes.ndim != 2 or scale.ndim != 2 or len(scale) != len(codes) or scale.size == 0:
        raise ValueError(
            f"pack_groups: codes are {codes.shape}, scales {scale.shape}; expected (out, in) and "
            "(out, groups)"
        )
    outputs, inputs = codes.shape
    count = scale.shape[1]
    if inputs % count:
        raise ValueError(f"pack_groups: {inputs} inputs cannot be cut into {count} equal groups")
    if not np.isfinite(scale).all():
        raise ValueError("pack_groups: a scale is NaN or infinite")
    pack_one = pack if is_ternary else pack_int8
    parts = zip(np.split(codes, count, axis=1), scale.T, strict=True)
    groups = tuple(pack_one(part, part_scale, input_scale) for part, part_scale in parts)
    return GroupedWeights(groups, outputs, inputs, input_scale)


def grouped_linear(
    x: Array, layer: GroupedWeights, bias: Array | None = None, variant: str | None = None
) -> Array:
    """Quantize the tokens to 8 bits and multiply.  float32 (M, in) -> float32 (M, out).

    Raises
    ------
    ValueError
        If a shape does not fit, a value is not finite, or this CPU cannot run the variant.
    """
    x = np.ascontiguousarray(x, np.float32)
    if x.ndim != 2 or x.shape[1] != layer.inputs:
        raise ValueError(f"grouped_linear: x is {x.shape}, expected (tokens, {layer.inputs})")
    if bias is not None and np.shape(bias) != (layer.outputs,):
        raise ValueError(f"grouped_linear: bias is {np.shape(bias)}, expected ({layer.outputs},)")
    variant = selected_variant() if variant is None else check_supported(variant)
    tokens = quantize_tokens(x, input_scale=layer.input_scale)
    y = np.zeros((len(x), layer.outputs), np.float32)
    start = 0
    for group in layer.groups:
        q = np.ascontiguousarray(tokens.q[:, start : start + group.inputs])
        y += _sums(q, group, variant).astype(np.float32) * group.scale[: layer.outputs]
        start += group.inputs
    y *= tokens.scale[:, None]
    return y if bias is None else y + np.asarray(bias, np.float32)


def _sums(q: Array, group: Panels | Int8Weights, variant: str) -> Array:
    """Multiply the integers of one group.  int8 (M, inputs) -> int32 (M, out)."""
    if isinstance(group, Panels):
        return integer_product(q, group, variant)
    return int8_product(q, group, variant)
