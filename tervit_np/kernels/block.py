"""A pre-norm transformer block on packed weights, compiled as one function.

    q, k, v = qkv(LN(x))                                 token by token
    attn_out = attention(q, k, v)                        head by head, window by window
    x += proj(attn_out);  x += fc2(gelu(fc1(LN(x))))     token by token

A window is the set of tokens that attend to each other: Swin's window, or a whole image in DeiT.
Windows do not depend on each other, so a few at a time pass through the whole block in a workspace
that fits the L2 cache. Their tokens are gathered and scattered by index, without a copy of the map
that is rolled and cut. Threads that share windows wait for each other before and after attention,
and before the next windows.

The argument `shared` is the workspace of a team of threads, `private` that of the calling thread.
"""

from collections.abc import Callable
from typing import NamedTuple

from numba import types
from numba.extending import overload

from tervit_np.arrays import Array
from tervit_np.compiled.amx import MatrixTile
from tervit_np.compiled.jit import kernel
from tervit_np.kernels.attention import AttentionScratch, attend
from tervit_np.kernels.bf16_attention import Bf16AttentionScratch, attend_bf16
from tervit_np.kernels.fused import gelu_quantize, residual_layernorm_quantize
from tervit_np.kernels.gather import gather_tokens, scatter_tokens
from tervit_np.kernels.int8_attention import Int8AttentionScratch, attend_int8
from tervit_np.kernels.panels import Panels, QuantizedTokens
from tervit_np.kernels.quantize import quantize_rows
from tervit_np.kernels.team import barrier, round_up, thread_range
from tervit_np.kernels.ternary_gemm import linear
from tervit_np.kernels.tiles import Tile
from tervit_np.kernels.workspace import (
    AnyAttentionScratch,
    SharedWorkspace,
    ThreadWorkspace,
    windows_per_pass,
)


class NormWeights(NamedTuple):
    """The parameters of a LayerNorm."""

    gamma: Array  # float32 (D,)
    beta: Array  # float32 (D,)


class LinearWeights(NamedTuple):
    """The parameters of a ternary layer."""

    panels: Panels
    bias: Array  # float32 (64 P,), zero beyond the outputs


class BlockWeights(NamedTuple):
    """The parameters of a block for images of nW windows of T tokens."""

    norm1: NormWeights
    qkv: LinearWeights
    proj: LinearWeights
    norm2: NormWeights
    fc1: LinearWeights
    fc2: LinearWeights
    token_index: Array  # int32 (nW, T): the tokens of each window, by their number in the image
    attn_bias: Array  # float32 (N, H, T, T'), or (1, 1, 1, T') in DeiT: added to the scores
    bias_index: Array  # int32 (nW,): which of the N biases each window takes
    heads: int
    eps: float
    gelu_erf: bool  # GELU with erf, otherwise with tanh


@kernel(boundscheck=False)
def run_block(
    tile: Tile | MatrixTile,
    w: BlockWeights,
    x: Array,
    shared: SharedWorkspace,
    private: ThreadWorkspace,
    start: int,
    stop: int,
    thread_id: int,
    num_threads: int,
) -> None:
    """Run a block on windows start..stop - 1 of x (B nW T, D), in place.

    All threads of a team call this with the same windows and the same `shared`. A thread that works
    alone passes thread_id 0 and num_threads 1.
    """
    window_tokens = w.token_index.shape[1]
    step = windows_per_pass(window_tokens)
    for first in range(start, stop, step):
        if first > start:  # fewer windows give a thread rows that were another's in the last pass
            barrier(shared.barrier_count, num_threads)
        windows = min(step, stop - first)
        row_start, row_stop = thread_range(windows * window_tokens, tile.mr, thread_id, num_threads)
        gather_tokens(x, w.token_index, shared, first, row_start, row_stop, tile.mr)
        block_forward(tile, w, shared, private, first, windows, thread_id, num_threads)
        scatter_tokens(x, w.token_index, shared, first, row_start, row_stop)


@kernel(boundscheck=False)
def block_forward(
    tile: Tile | MatrixTile,
    w: BlockWeights,
    shared: SharedWorkspace,
    private: ThreadWorkspace,
    first: int,
    windows: int,
    thread_id: int,
    num_threads: int,
) -> None:
    """Run a block on the windows in the workspace: `windows` of them, from number `first` on."""
    tokens = windows * w.token_index.shape[1]
    start, stop = thread_range(tokens, tile.mr, thread_id, num_threads)
    step = private.hidden.shape[0]  # MLP_ROWS, rounded up to whole tiles
    for row in range(start, stop, step):
        rows = round_up(min(step, stop - row), tile.mr)
        norm1_to_qkv(tile, w, shared, private, row, row + rows)
    barrier(shared.barrier_count, num_threads)
    attend_heads(w, shared, private, first, windows, thread_id, num_threads)
    barrier(shared.barrier_count, num_threads)
    for row in range(start, stop, step):
        rows = round_up(min(step, stop - row), tile.mr)
        proj_to_fc2(tile, w, shared, private, row, row + rows)


@kernel(boundscheck=False)
def norm1_to_qkv(
    tile: Tile | MatrixTile,
    w: BlockWeights,
    shared: SharedWorkspace,
    private: ThreadWorkspace,
    start: int,
    stop: int,
) -> None:
    """x += branch,  qkv = qkv(LN(x)),  for rows start..stop - 1 of the workspace."""
    tokens, norm = first_rows(private.tokens, stop - start), w.norm1
    x, branch, scale = shared.x[start:stop], shared.branch[start:stop], w.qkv.panels.input_scale
    residual_layernorm_quantize(x, branch, norm.gamma, norm.beta, w.eps, scale, tokens)
    linear_all_panels(tile, tokens, w.qkv, shared.qkv[start:stop])


@kernel(boundscheck=False)
def proj_to_fc2(
    tile: Tile | MatrixTile,
    w: BlockWeights,
    shared: SharedWorkspace,
    private: ThreadWorkspace,
    start: int,
    stop: int,
) -> None:
    """x += proj(attn_out),  branch = fc2(gelu(fc1(LN(x)))),  for rows start..stop - 1."""
    x, branch, rows = shared.x[start:stop], shared.branch[start:stop], stop - start
    tokens, hidden, norm = first_rows(private.tokens, rows), private.hidden[:rows], w.norm2
    hidden_tokens = first_rows(private.hidden_tokens, rows)
    quantize_rows(shared.attn_out[start:stop], x.shape[1], w.proj.panels.input_scale, tokens)
    linear_all_panels(tile, tokens, w.proj, branch)
    scale = w.fc1.panels.input_scale
    residual_layernorm_quantize(x, branch, norm.gamma, norm.beta, w.eps, scale, tokens)
    linear_all_panels(tile, tokens, w.fc1, hidden)
    inputs, scale = w.fc1.panels.outputs, w.fc2.panels.input_scale
    gelu_quantize(hidden, w.gelu_erf, inputs, scale, hidden_tokens)
    linear_all_panels(tile, hidden_tokens, w.fc2, branch)


@kernel(boundscheck=False)
def attend_heads(
    w: BlockWeights,
    shared: SharedWorkspace,
    private: ThreadWorkspace,
    first: int,
    windows: int,
    thread_id: int,
    num_threads: int,
) -> None:
    """Attend in one thread's range of all heads of the windows in the workspace."""
    image_windows, tokens = w.token_index.shape
    start, stop = thread_range(windows * w.heads, 1, thread_id, num_threads)
    for item in range(start, stop):
        i, head = divmod(item, w.heads)
        bias = w.attn_bias[w.bias_index[(first + i) % image_windows]]
        attn_bias = bias[head % bias.shape[0]]
        qkv, out = shared.qkv[i * tokens :], shared.attn_out[i * tokens : (i + 1) * tokens]
        attend_head(qkv, head, shared.x.shape[1] // w.heads, attn_bias, private.scratch, out)


def attend_head(
    qkv: Array,
    head: int,
    head_dim: int,
    attn_bias: Array,
    scratch: AnyAttentionScratch,
    out: Array,
) -> None:
    """Attend in float32, bfloat16 or int8, by the type of `scratch` at compile time."""
    raise NotImplementedError("attend_head exists only in compiled code")


_ATTEND: dict[type, Callable[..., None]] = {
    AttentionScratch: attend,
    Bf16AttentionScratch: attend_bf16,
    Int8AttentionScratch: attend_int8,
}


@overload(attend_head, strict=False)  # strict would compare annotations as well as names
def _attend_head(
    qkv: types.Array,
    head: types.Integer,
    head_dim: types.Integer,
    attn_bias: types.Array,
    scratch: types.NamedTuple,
    out: types.Array,
) -> Callable[..., None]:
    kernel = _ATTEND[scratch.instance_class]
    return lambda qkv, head, head_dim, attn_bias, scratch, out: kernel(
        qkv, head, head_dim, attn_bias, scratch, out
    )


@kernel(boundscheck=False)
def first_rows(tokens: QuantizedTokens, count: int) -> QuantizedTokens:
    """Return a view of the first `count` tokens."""
    return QuantizedTokens(tokens.q[:count], tokens.scale[:count], tokens.row_sums[:count])


@kernel(boundscheck=False)
def linear_all_panels(
    tile: Tile | MatrixTile, tokens: QuantizedTokens, layer: LinearWeights, out: Array
) -> None:
    """Apply a layer to quantized tokens.  (M', I') -> out (M', 64 P)."""
    linear(tile, tokens, layer.panels, layer.bias, out, 0, layer.panels.packed.shape[0])
