"""A transformer block on packed weights, from residual to residual, in one compiled function.

    x += branch;  q, k, v = qkv(LN(x))              each token by itself
    mixed = attention(q, k, v)                      each head of each group by itself
    x += proj(mixed);  branch = fc2(gelu(fc1(LN(x))))      each token by itself

Two times only does one part need what another made: before attention and after it. Between, tokens
pass in portions that stay in the second cache through four products, and threads share the tokens.
The last sum, x += branch, is left to whoever reads x next.
"""

from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.kernels.attention import attend
from tervit_np.kernels.between import add_normalize_round, gelu_round
from tervit_np.kernels.exponential import F
from tervit_np.kernels.jit import kernel
from tervit_np.kernels.panels import Panels, Tokens
from tervit_np.kernels.product import linear
from tervit_np.kernels.team import meet, share
from tervit_np.kernels.tokens import round_rows


class Norm(NamedTuple):
    """A LayerNorm's parameters."""

    gain: Array  # float32 (D,)
    offset: Array  # float32 (D,)


class Dense(NamedTuple):
    """A ternary layer."""

    weight: Panels
    bias: Array  # float32 (64 P,)


class BlockWeights(NamedTuple):
    """What a block knows."""

    norm1: Norm
    qkv: Dense
    proj: Dense
    norm2: Norm
    fc1: Dense
    fc2: Dense
    bias: Array  # float32 (H, T, T); (1, 0, 0) without
    mask: Array  # float32 (G, T, T); (1, 0, 0) without
    groups: Array  # int32 (G, T): the tokens of an image that attend to each other
    heads: int
    eps: float
    exact: bool  # GELU with erf


@kernel(boundscheck=False)
def block(
    processor: Any, w: Any, shared: Any, own: Any, images: int, me: int, members: int
) -> None:
    """Run one block as member `me` of `members`."""
    first, last = share(shared.x.shape[0], processor.rows, me, members)
    portion = own.hidden.shape[0]
    for start in range(first, last, portion):
        stop = min(start + portion, last)
        tokens = top(own.narrow, stop - start)
        x, branch = shared.x[start:stop], shared.branch[start:stop]
        add_normalize_round(x, branch, w.norm1, w.eps, tokens)
        whole(processor, tokens, w.qkv, shared.qkv[start:stop])
    meet(shared.arrivals, members)
    mix(w, shared, own, images, me, members)
    meet(shared.arrivals, members)
    for start in range(first, last, portion):
        stop = min(start + portion, last)
        x, branch = shared.x[start:stop], shared.branch[start:stop]
        tokens = top(own.narrow, stop - start)
        round_rows(shared.mixed[start:stop], tokens.codes, tokens.scale, tokens.sums)
        whole(processor, tokens, w.proj, branch)
        add_normalize_round(x, branch, w.norm2, w.eps, tokens)
        hidden, wide = own.hidden[: stop - start], top(own.wide, stop - start)
        whole(processor, tokens, w.fc1, hidden)
        gelu_round(hidden, w.exact, w.fc1.weight.outputs, wide)
        whole(processor, wide, w.fc2, branch)


@kernel(boundscheck=False)
def mix(w: Any, shared: Any, own: Any, images: int, me: int, members: int) -> None:
    """Attend: a member's share of all heads of all groups of all images."""
    groups, tokens = w.groups.shape
    width = shared.x.shape[1] // w.heads
    first, last = share(images * groups * w.heads, 1, me, members)
    for item in range(first, last):
        image, rest = divmod(item, groups * w.heads)
        group, head = divmod(rest, w.heads)
        rows = w.groups[group] + np.int32(image * groups * tokens)
        bias, mask = w.bias[head % w.bias.shape[0]], w.mask[group % w.mask.shape[0]]
        attend(shared.qkv, rows, head, width, bias, mask, own.desk, shared.mixed)


@kernel(boundscheck=False)
def add_branch(shared: Any) -> None:
    """Do the last sum that is left open: x += branch, branch = 0."""
    x, branch = shared.x, shared.branch
    for m in range(x.shape[0]):
        for i in range(x.shape[1]):
            x[m, i] += branch[m, i]
        branch[m] = F(0)


@kernel(boundscheck=False)
def top(tokens: Any, count: int) -> Any:
    """Take the first tokens of a portion."""
    return Tokens(tokens.codes[:count], tokens.scale[:count], tokens.sums[:count])


@kernel(boundscheck=False)
def whole(processor: Any, tokens: Any, layer: Any, out: Any) -> None:
    """All panels of a layer."""
    panels = layer.weight.codes.shape[0]
    linear(processor, tokens, layer.weight, layer.bias, out, 0, panels)
