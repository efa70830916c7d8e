"""The product of 8-bit tokens with packed ternary weights: one loop nest for every processor.

    y[m, n] = s_m a_n sum_k q[m, k] t[n, k] + b_n        q int8, t in {-1, 0, 1}

For each panel of 64 outputs, tokens pass by in tiles whose sums stay in registers through all
inputs. A panel's weights (16 inputs of 64 outputs in 256 bytes) stay in the nearest cache while the
tokens pass, so memory is read once. What ends the tile, scales and bias, is done before it is
written.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tervit_np.compiled.aligned import zero_bytes
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.simd import F32, I32, I64, broadcast, load, store
from tervit_np.kernels.microkernel import multiply_add, undo_zero_point, zeros
from tervit_np.kernels.panels import GROUPS, PANEL, QuantizedTokens
from tervit_np.kernels.quantize import quantize_rows


@kernel(boundscheck=False)
def linear(processor: Any, x: Any, w: Any, bias: Any, out: Any, first: int, last: int) -> None:
    """Panels first..last of y.  Tokens (M', 4 Q), Panels (P, Q, 64), (64 P,) -> out (M', 64 P).

    `out` is float32; where it is int32, it receives the bare sums of the integers.
    """
    steps, stride = w.codes.shape[1], x.codes.shape[1]
    for panel in range(first, last, processor.panels):
        panel = min(panel, last - processor.panels)  # the last tile may repeat some panels
        for part in range(0, 64, processor.width):
            for m in range(0, x.codes.shape[0], processor.rows):
                tile: Any = zeros(processor)
                at, place = panel * steps * 64 + part, m * stride
                for _ in range(steps):
                    tile = multiply_add(tile, w.codes, at, x.codes, place, stride)
                    at += 64
                    place += 4
                write(tile, x, w.scale, bias, out, m, 64 * panel + part // 4)


@kernel(boundscheck=False)
def quantize_and_multiply(processor: Any, x: Any, w: Any, bias: Any) -> Any:
    """Round the tokens, then multiply.  (M, I), Panels, (O,) or (0,) -> (M', 64 P)."""
    tokens, offset, out = prepared(processor, x, w, bias)
    linear(processor, tokens, w, offset, out, 0, w.codes.shape[0])
    return out


@kernel(boundscheck=False)
def prepared(processor: Any, x: Any, w: Any, bias: Any) -> Any:
    """Round the tokens, pad the bias, make room: -> tokens (M', I'), (64 P,), (M', 64 P)."""
    padded = -(-x.shape[0] // processor.rows) * processor.rows
    inputs = 4 * w.codes.shape[1]
    codes = zero_bytes(padded * inputs).view(np.int8).reshape((padded, inputs))
    tokens = QuantizedTokens(codes, np.empty(padded, np.float32), np.empty(padded, np.int32))
    quantize_rows(x, x.shape[1], tokens)
    offset = np.zeros(w.scale.shape[0], np.float32)
    offset[: bias.shape[0]] = bias
    return tokens, offset, np.empty((padded, w.scale.shape[0]), np.float32)


@intrinsic
def write(typing: Any, tile: Any, x: Any, scale: Any, bias: Any, out: Any, m: Any, n: Any) -> Any:
    """Store a tile at token m, output n: integers times both scales, plus bias."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        found, x_, scale_, bias_, out_, m_, n_ = args
        token_scale, sums = (
            context.make_array(x.types[i])(context, builder, builder.extract_value(x_, i)).data
            for i in (1, 2)
        )
        scales, biases = (
            context.make_array(kind)(context, builder, value).data
            for kind, value in ((scale, scale_), (bias, bias_))
        )
        target = context.make_array(out)(context, builder, out_)
        floats = ir.VectorType(F32, tile.outputs)
        for i, (token, s, column) in enumerate(_places(builder, tile, m_, n_)):
            place = builder.add(
                builder.mul(token, builder.extract_value(target.strides, 0)), column
            )
            token = _times4(builder, token)
            y = undo_zero_point(builder, tile, found, i, s, load(builder, sums, token, I32))
            if out.dtype == types.float32:
                mine = broadcast(builder, load(builder, token_scale, token, F32), tile.outputs)
                y = builder.fmul(builder.sitofp(y, floats), mine)
                y = builder.fmul(y, load(builder, scales, column, floats))
                y = builder.fadd(y, load(builder, biases, column, floats))
            store(builder, y, target.data, place)
        return context.get_dummy_value()

    return types.void(tile, x, scale, bias, out, types.intp, types.intp), generate


def _places(builder: Any, tile: Any, m: Any, n: Any) -> Any:
    """Yield token, group and byte of the first output of each vector of a tile."""
    for row in range(tile.rows):
        token = builder.add(m, ir.Constant(I64, row))
        for first in range(0, PANEL * tile.panels, PANEL // GROUPS):
            group = first * GROUPS // PANEL % GROUPS
            yield token, group, _times4(builder, builder.add(n, ir.Constant(I64, first)))


def _times4(builder: Any, number: Any) -> Any:
    return builder.mul(number, ir.Constant(I64, 4))
