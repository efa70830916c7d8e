"""Buffers that a block computes in: some shared by a team of threads, some private to each thread.

They are allocated once for all images and all blocks of one shape. In the shapes, M' and R' are
rounded up to whole tiles, D' and F' to whole panels.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import zeros
from tervit_np.compiled.amx import MatrixTile
from tervit_np.compiled.jit import kernel
from tervit_np.kernels.attention import AttentionScratch, make_attention_scratch, rows_read
from tervit_np.kernels.bf16_attention import (
    Bf16AttentionScratch,
    make_bf16_attention_scratch,
)
from tervit_np.kernels.int8_attention import Int8AttentionScratch, make_int8_attention_scratch
from tervit_np.kernels.panels import PANEL, QuantizedTokens
from tervit_np.kernels.team import round_up
from tervit_np.kernels.tiles import Tile

TOKENS_PER_PASS = 256  # whole windows of at most so many tokens pass through a block together
MLP_ROWS = 66  # tokens that pass through all layers of an MLP before the next ones do
MLP_ROWS_ON_TILES = 208  # more, because a matrix unit unpacks the weights for each pass

AnyAttentionScratch: TypeAlias = AttentionScratch | Bf16AttentionScratch | Int8AttentionScratch
MAKE_SCRATCH: dict[str, Callable[[int, int], AnyAttentionScratch]] = {
    "float32": make_attention_scratch,
    "bfloat16": make_bf16_attention_scratch,
    "int8": make_int8_attention_scratch,
}


class SharedWorkspace(NamedTuple):
    """The M tokens of the windows that pass through a block together."""

    x: Array  # float32 (M', D): the residual stream
    branch: Array  # float32 (M', D'): output of proj or fc2, until the next step adds it to x
    qkv: Array  # float32 (M' or more, (3 D)'): attention reads some rows beyond M
    attn_out: Array  # float32 (M', D): output of attention, input of proj
    barrier_count: Array  # int64 (1,): for the barriers of the threads that share this


class ThreadWorkspace(NamedTuple):
    """The private buffers of one thread, for R = MLP_ROWS tokens and an MLP of F hidden columns."""

    tokens: QuantizedTokens  # (R', D'): input of qkv, proj and fc1
    hidden: Array  # float32 (R', F'): output of fc1
    hidden_tokens: QuantizedTokens  # (R', F'): input of fc2
    scratch: AnyAttentionScratch


@kernel()
def windows_per_pass(window_tokens: int) -> int:
    """Return how many windows of T tokens pass through a block together, at least one."""
    return max(TOKENS_PER_PASS // window_tokens, 1)


def make_shared_workspace(tile: Tile | MatrixTile, window_tokens: int, dim: int) -> SharedWorkspace:
    """Allocate the buffers of a team, for windows of T tokens and D columns."""
    tokens = windows_per_pass(window_tokens) * window_tokens
    rows = round_up(tokens, tile.mr)
    qkv_rows = max(rows, tokens - window_tokens + rows_read(window_tokens))
    return SharedWorkspace(
        x=zeros((rows, dim), np.float32),
        branch=zeros((rows, round_up(dim, PANEL)), np.float32),
        qkv=zeros((qkv_rows, round_up(3 * dim, PANEL)), np.float32),
        attn_out=zeros((rows, dim), np.float32),
        barrier_count=zeros((1,), np.int64),
    )


def make_thread_workspace(
    tile: Tile | MatrixTile,
    window_tokens: int,
    dim: int,
    hidden_dim: int,
    heads: int,
    attention: str,
) -> ThreadWorkspace:
    """Allocate the buffers of one thread; `attention` is one of MAKE_SCRATCH."""
    on_tiles = isinstance(tile, MatrixTile)
    rows = round_up(MLP_ROWS_ON_TILES if on_tiles else MLP_ROWS, tile.mr)
    return ThreadWorkspace(
        tokens=_make_tokens(tile, rows, dim),
        hidden=zeros((rows, round_up(hidden_dim, PANEL)), np.float32),
        hidden_tokens=_make_tokens(tile, rows, hidden_dim),
        scratch=MAKE_SCRATCH[attention](window_tokens, dim // heads),
    )


def _make_tokens(tile: Tile | MatrixTile, rows: int, inputs: int) -> QuantizedTokens:
    q = zeros((rows, round_up(inputs, tile.inputs)), np.int8)
    return QuantizedTokens(q, zeros((rows,), np.float32), zeros((rows,), np.int32))
