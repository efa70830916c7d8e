"""The product of 8-bit tokens with ternary or 8-bit weights, on the matrix unit.

    y[m, n] = s_m a_n sum_k q[m, k] t[n, k] + b_n

The formula is three loops, over m, n and k. The unit multiplies tiles: 16 tokens, 16 outputs and 64
inputs in one instruction (compiled/amx.py), so that the three loops count tiles. Around them are
three more, for the caches:

    for 512 tokens:                       their outputs stay within the TLB
      for 32 outputs:
        for at most 768 inputs:           whose weights, unpacked, take 24 KB of the L1 cache
          unpack these weights
          for 32 tokens:
            for 64 inputs:                2 tiles of tokens x 2 tiles of weights, 4 tiles of sums
              4 dot products

Two tiles on each side halve the loads: each tile that is loaded serves two products. Sums move
through memory to vector registers, where they are scaled. A load would wait for stores that have
just been made; so the sums of one block of tokens are scaled while the next is multiplied, eight
rows after each 64 inputs.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import empty_bytes
from tervit_np.compiled.amx import (
    ROWS,
    TILE_BYTES,
    MatrixTile,
    configure,
    dot_int8,
    registers_of,
    release,
    tile_load,
    tile_store,
    tile_zero,
)
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.simd import (
    F32,
    I32,
    I64,
    Builder,
    Context,
    Intrinsic,
    Signature,
    TypingContext,
    Value,
    Values,
    array_data,
    array_stride,
    broadcast,
    byte_offset,
    intrinsic,
    load,
    prefetch,
    store,
)
from tervit_np.kernels.amx_weights import OUTPUTS, PAIR_BYTES, unpack_pairs
from tervit_np.kernels.int8_weights import Int8Weights
from tervit_np.kernels.panels import Panels, QuantizedTokens

TOKENS_PER_PASS, STEPS_PER_CHUNK, INPUTS = 512, 12, 64
BLOCK = 2 * ROWS  # tokens whose sums are in tiles at a time
SUM_BYTES = 4 * OUTPUTS  # of one token
ROWS_AT_ONCE = 8  # that are scaled after each 64 inputs


class Block(NamedTuple):
    """Tokens and outputs whose sums are complete but not yet scaled."""

    row: int
    rows: int  # 32, 16 at the end; 0 for no block
    column: int
    sums: int  # byte offset


@kernel(boundscheck=False)
def linear_on_tiles(
    tile: MatrixTile, x: QuantizedTokens, w: Panels | Int8Weights, scale: Array, bias: Array,
    out: Array, start: int, stop: int,
) -> None:  # fmt: skip
    """Outputs 32 start..32 stop - 1 of y.  Tokens (M', I'), scale and bias (O',) -> out (M', O').

    M' is a multiple of 16, I' of 64, O' of 32. `out` is float32; if it is int32, it gets the sums
    without scale and bias.
    """
    rows, steps = x.q.shape[0], x.q.shape[1] // INPUTS
    chunk = -(-steps // (-(-steps // STEPS_PER_CHUNK)))  # chunks of nearly equal length
    weights = empty_bytes(PAIR_BYTES * chunk).view(np.int8)
    sums = empty_bytes(SUM_BYTES * max(min(rows, TOKENS_PER_PASS), 2 * BLOCK)).view(np.int32)
    registers, unscaled = registers_of(tile), Block(0, 0, 0, 0)
    configure(tile)
    for m in range(0, rows, TOKENS_PER_PASS):
        m_stop = min(m + TOKENS_PER_PASS, rows)
        is_one_block = m_stop - m <= BLOCK  # then sums stay in the tiles from chunk to chunk
        for n in range(start, stop):
            for k in range(0, steps, chunk):
                k_stop = min(k + chunk, steps)
                unpack_pairs(tile, w, n, k, k_stop, weights)
                for row in range(m, m_stop, BLOCK):
                    # Sums of one chunk are scaled at once: two blocks take turns in the memory.
                    sums_row = row // BLOCK % 2 * BLOCK if chunk == steps else row - m
                    block = Block(row, min(BLOCK, rows - row), OUTPUTS * n, SUM_BYTES * sums_row)
                    if k == 0:
                        begin_sums(tile, registers)
                    elif not is_one_block:
                        load_sums(tile, registers, sums, block)
                    multiply_block(tile, registers, x, k, k_stop, weights, block, unscaled, sums,
                                   scale, bias, out)  # fmt: skip
                    unscaled = Block(0, 0, 0, 0)
                    if k_stop == steps or not is_one_block:
                        store_sums(tile, registers, sums, block)
                    if k_stop == steps:
                        unscaled = block
    release(tile)
    for done in range(0, unscaled.rows, ROWS_AT_ONCE):
        scale_rows(sums, x.scale, scale, bias, out, unscaled, done, unscaled)


@kernel(boundscheck=False, forceinline=True)
def multiply_block(
    tile: MatrixTile, registers: Array, x: QuantizedTokens, start: int, stop: int, weights: Array,
    block: Block, unscaled: Block, sums: Array, scale: Array, bias: Array, out: Array,
) -> None:  # fmt: skip
    """Add the products of steps start..stop - 1 to the tiles 0-3, scale the block before."""
    stride, two, done, b = x.q.shape[1], block.rows == BLOCK, 0, 0
    a = block.row * stride + INPUTS * start
    for _ in range(stop - start):
        tile_load(tile, registers, 4, x.q, a, stride)
        tile_load(tile, registers, 6, weights, b, INPUTS)
        tile_load(tile, registers, 7, weights, b + TILE_BYTES, INPUTS)
        dot_int8(tile, registers, 0, 4, 6)
        dot_int8(tile, registers, 1, 4, 7)
        if two:
            tile_load(tile, registers, 5, x.q, a + ROWS * stride, stride)
            dot_int8(tile, registers, 2, 5, 6)
            dot_int8(tile, registers, 3, 5, 7)
        a += INPUTS
        b += PAIR_BYTES
        if done < unscaled.rows:
            scale_rows(sums, x.scale, scale, bias, out, unscaled, done, block)
            done += ROWS_AT_ONCE
    while done < unscaled.rows:
        scale_rows(sums, x.scale, scale, bias, out, unscaled, done, block)
        done += ROWS_AT_ONCE


@kernel(boundscheck=False)
def begin_sums(tile: MatrixTile, registers: Array) -> None:
    """Begin the sums of a block, tiles 0-3: rows 0-15 in tiles 0 and 1, rows 16-31 in 2 and 3."""
    tile_zero(tile, registers, 0)
    tile_zero(tile, registers, 1)
    tile_zero(tile, registers, 2)
    tile_zero(tile, registers, 3)


@kernel(boundscheck=False)
def load_sums(tile: MatrixTile, registers: Array, sums: Array, block: Block) -> None:
    """Continue the sums of a block."""
    below = block.sums + ROWS * SUM_BYTES
    tile_load(tile, registers, 0, sums, block.sums, SUM_BYTES)
    tile_load(tile, registers, 1, sums, block.sums + 64, SUM_BYTES)
    if block.rows == BLOCK:
        tile_load(tile, registers, 2, sums, below, SUM_BYTES)
        tile_load(tile, registers, 3, sums, below + 64, SUM_BYTES)


@kernel(boundscheck=False)
def store_sums(tile: MatrixTile, registers: Array, sums: Array, block: Block) -> None:
    """Store the sums of a block."""
    below = block.sums + ROWS * SUM_BYTES
    tile_store(tile, registers, 0, sums, block.sums, SUM_BYTES)
    tile_store(tile, registers, 1, sums, block.sums + 64, SUM_BYTES)
    if block.rows == BLOCK:
        tile_store(tile, registers, 2, sums, below, SUM_BYTES)
        tile_store(tile, registers, 3, sums, below + 64, SUM_BYTES)


@kernel(boundscheck=False, forceinline=True)
def scale_rows(
    sums: Array, token_scale: Array, scale: Array, bias: Array, out: Array, block: Block,
    done: int, ahead: Block,
) -> None:  # fmt: skip
    """out = sums * token_scale * scale + bias for eight rows of a block, from row `done` on.

    The lines of `out` that the block `ahead` will write are fetched into the cache.
    """
    _scale_rows(
        sums, block.sums + done * SUM_BYTES, token_scale, scale, bias, out, block.row + done,
        block.column, ahead.row + done % ahead.rows, ahead.column,
    )  # fmt: skip


@intrinsic
def _scale_rows(
    typing: TypingContext, sums: types.Array, offset: types.Integer, token_scale: types.Array,
    scale: types.Array, bias: types.Array, out: types.Array, row: types.Integer,
    column: types.Integer, ahead_row: types.Integer, ahead_column: types.Integer,
) -> Intrinsic:  # fmt: skip
    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        sums_, offset_, token_scale_, scale_, bias_, out_, *position = args
        row_, column_, ahead_row_, ahead_column_ = position
        source = array_data(context, builder, sums, sums_)
        tokens = array_data(context, builder, token_scale, token_scale_)
        target = array_data(context, builder, out, out_)
        row_bytes = array_stride(context, builder, out, out_, 0)
        floats, integers = ir.VectorType(F32, ROWS), ir.VectorType(I32, ROWS)
        columns = [byte_offset(builder, builder.add(column_, I64(first))) for first in (0, ROWS)]
        scales, biases = (
            [load(builder, array_data(context, builder, kind, array), c, floats) for c in columns]
            for kind, array in ((scale, scale_), (bias, bias_))
        )
        for i in range(ROWS_AT_ONCE):
            m = builder.add(row_, I64(i))
            token = broadcast(builder, load(builder, tokens, byte_offset(builder, m), F32), ROWS)
            first = builder.mul(m, row_bytes)
            next_line = builder.mul(builder.add(ahead_row_, I64(i)), row_bytes)
            next_line = builder.add(next_line, byte_offset(builder, ahead_column_))
            for j, c in enumerate(columns):
                at = builder.add(offset_, I64(i * SUM_BYTES + 64 * j))
                y = load(builder, source, at, integers)
                if out.dtype == types.float32:
                    y = builder.fmul(builder.sitofp(y, floats), token)
                    y = builder.fadd(builder.fmul(y, scales[j]), biases[j])
                store(builder, y, target, builder.add(first, c))
                prefetch(builder, target, builder.add(next_line, I64(64 * j)))
        return context.get_dummy_value()

    return types.void(sums, types.intp, token_scale, scale, bias, out, *[types.intp] * 4), codegen
