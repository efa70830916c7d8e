"""A transformer block on packed weights, from residual to residual, in one compiled function.

    q, k, v = qkv(LN(x))                        each token by itself
    mixed = attention(q, k, v)                  each head of each group by itself
    x += proj(mixed);  x += fc2(gelu(fc1(LN(x))))      each token by itself

A group of tokens (an image in DeiT, a window in Swin) passes through a block without the others, so
a few groups at a time lie on a bench that the second cache holds: windows are gathered and put back
by the numbers of their tokens, without cutting or rolling maps. Where threads share a group, only
two times does one need what another made: before attention and after it.
"""

from typing import Any, NamedTuple

from numba.extending import overload

from tervit_np.arrays import Array
from tervit_np.compiled.exponential import F
from tervit_np.compiled.jit import kernel
from tervit_np.kernels.attention import attend
from tervit_np.kernels.fused import gelu_quantize, residual_layernorm_quantize
from tervit_np.kernels.int8_attention import Int8AttentionScratch, attend_int8
from tervit_np.kernels.panels import Panels, QuantizedTokens
from tervit_np.kernels.quantize import quantize_rows
from tervit_np.kernels.team import barrier, round_up, share
from tervit_np.kernels.ternary_gemm import linear


class Norm(NamedTuple):
    """A LayerNorm's parameters."""

    gain: Array  # float32 (D,)
    offset: Array  # float32 (D,)


class Dense(NamedTuple):
    """A ternary layer."""

    weight: Panels
    bias: Array  # float32 (64 P,)


class BlockWeights(NamedTuple):
    """What a block knows; a group is the T tokens that attend to each other."""

    norm1: Norm
    qkv: Dense
    proj: Dense
    norm2: Norm
    fc1: Dense
    fc2: Dense
    places: Array  # int32 (G, T): where an image's tokens lie, group by group
    kinds: Array  # int32 (G,): which offsets a group has
    offsets: Array  # float32 (kinds, H, T, T''), or (1, 1, 1, T''): added to the scores
    heads: int
    eps: float
    exact: bool  # GELU with erf


@kernel(boundscheck=False)
def through(
    processor: Any, w: Any, x: Any, bench: Any, own: Any, first: int, last: int, me: int, team: int
) -> None:
    """Take groups first..last of x (B G T, D) through a block, in place, as many as fit at a time.

    `team` members share each portion, or one member works alone.
    """
    groups, tokens = w.places.shape
    per = bench.mixed.shape[0] // tokens
    for group in range(first, last, per):
        count = min(per, last - group)
        mine = share(count * tokens, processor.mr, me, team)
        take(w, x, bench, group, mine, processor.mr)
        block(processor, w, bench, own, group, count, me, team)
        put(w, x, bench, group, mine)


@kernel(boundscheck=False)
def block(
    processor: Any, w: Any, bench: Any, own: Any, group: int, count: int, me: int, team: int
) -> None:
    """Run the block on `count` groups that lie on the bench."""
    first, last = share(count * w.places.shape[1], processor.mr, me, team)
    portion = own.hidden.shape[0]
    for start in range(first, last, portion):
        rows = round_up(min(portion, last - start), processor.mr)
        x, branch = bench.x[start : start + rows], bench.branch[start : start + rows]
        tokens = top(own.narrow, rows)
        residual_layernorm_quantize(x, branch, w.norm1, w.eps, tokens)
        whole(processor, tokens, w.qkv, bench.qkv[start : start + rows])
    barrier(bench.barrier_count, team)
    mix(w, bench, own, group, count, me, team)
    barrier(bench.barrier_count, team)
    for start in range(first, last, portion):
        rows = round_up(min(portion, last - start), processor.mr)
        x, branch = bench.x[start : start + rows], bench.branch[start : start + rows]
        tokens = top(own.narrow, rows)
        quantize_rows(bench.mixed[start : start + rows], x.shape[1], tokens)
        whole(processor, tokens, w.proj, branch)
        residual_layernorm_quantize(x, branch, w.norm2, w.eps, tokens)
        hidden, wide = own.hidden[:rows], top(own.wide, rows)
        whole(processor, tokens, w.fc1, hidden)
        gelu_quantize(hidden, w.exact, w.fc1.weight.outputs, wide)
        whole(processor, wide, w.fc2, branch)


@kernel(boundscheck=False)
def mix(w: Any, bench: Any, own: Any, group: int, count: int, me: int, team: int) -> None:
    """Attend: a member's share of all heads of all groups."""
    groups, tokens = w.places.shape
    width = bench.x.shape[1] // w.heads
    first, last = share(count * w.heads, 1, me, team)
    for item in range(first, last):
        number, head = divmod(item, w.heads)
        kind = w.kinds[(group + number) % groups]
        offsets = w.offsets[kind, head % w.offsets.shape[1]]
        start, stop = number * tokens, (number + 1) * tokens
        attend_head(
            own.desk, bench.qkv[start:], head * width, width, offsets, bench.mixed[start:stop]
        )


def attend_head(desk: Any, qkv: Any, first: int, width: int, offsets: Any, out: Any) -> None:
    """Attend in floats or in bytes, as the desk is made for: chosen when this is compiled."""
    raise NotImplementedError  # it exists compiled alone


@overload(attend_head)
def _attend_at(desk: Any, qkv: Any, first: Any, width: Any, offsets: Any, out: Any) -> Any:
    kernel = attend_int8 if desk.instance_class is Int8AttentionScratch else attend

    def selected_variant(
        desk: Any, qkv: Any, first: Any, width: Any, offsets: Any, out: Any
    ) -> None:
        kernel(qkv, first, width, offsets, desk, out)

    return selected_variant


@kernel(boundscheck=False)
def take(w: Any, x: Any, bench: Any, group: int, mine: Any, rows: int) -> None:
    """Lay tokens of groups from `group` on onto the bench, with nothing to add to them yet.

    What fills the last tile is zero.
    """
    first, last = mine
    for t in range(first, round_up(last, rows)):
        row = x[place(w, group, min(t, last - 1))]
        for i in range(x.shape[1]):
            bench.x[t, i] = row[i] if t < last else F(0)
            bench.branch[t, i] = F(0)


@kernel(boundscheck=False)
def put(w: Any, x: Any, bench: Any, group: int, mine: Any) -> None:
    """Do the last sum, and put the tokens back to where they came from."""
    for t in range(mine[0], mine[1]):
        row = x[place(w, group, t)]
        for i in range(x.shape[1]):
            row[i] = bench.x[t, i] + bench.branch[t, i]


@kernel(boundscheck=False)
def place(w: Any, group: int, t: int) -> Any:
    """Return the row of x of token t, counted from the first of `group`."""
    groups, tokens = w.places.shape
    image, number = divmod(group + t // tokens, groups)
    return image * groups * tokens + w.places[number, t % tokens]


@kernel(boundscheck=False)
def top(tokens: Any, count: int) -> Any:
    """Take the first tokens of a portion."""
    return QuantizedTokens(tokens.q[:count], tokens.scale[:count], tokens.row_sums[:count])


@kernel(boundscheck=False)
def whole(processor: Any, tokens: Any, layer: Any, out: Any) -> None:
    """All panels of a layer."""
    panels = layer.weight.packed.shape[0]
    linear(processor, tokens, layer.weight, layer.bias, out, 0, panels)
