"""Arrays that blocks work in: a bench that a team shares, and some of one thread alone."""

from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import zeros
from tervit_np.kernels.attention import AttentionScratch, desk, reach
from tervit_np.kernels.int8_attention import Int8AttentionScratch, make_int8_attention_scratch
from tervit_np.kernels.panels import PANEL, STEP, QuantizedTokens
from tervit_np.kernels.team import round_up

BENCH = 256  # tokens of whole groups that lie on a bench, at least one group
MLP_ROWS = 66  # tokens that pass through all products of an MLP before the next ones do


class SharedWorkspace(NamedTuple):
    """The tokens of some groups, M of them, M' with padding to whole tiles."""

    x: Array  # float32 (M', D): the residual stream
    branch: Array  # float32 (M', D'): what is still to be added to it
    qkv: Array  # float32 (M'', D''): beyond the tokens, what attention reads and does not use
    mixed: Array  # float32 (M, D) and padding
    barrier_count: Array  # int64 (1,): where a team meets


class ThreadWorkspace(NamedTuple):
    """What one member works in."""

    narrow: QuantizedTokens  # of width D, one portion
    wide: QuantizedTokens  # of the MLP's width
    hidden: Array  # float32 (portion, 64 P)
    desk: AttentionScratch | Int8AttentionScratch


def make_shared_workspace(weights: Any, processor: Any) -> SharedWorkspace:
    """Make a bench for blocks of the shape of `weights`."""
    width, tokens = weights.qkv.weight.inputs, weights.places.shape[1]
    count = max(BENCH // tokens, 1) * tokens
    rows = round_up(count, processor.mr)
    beyond = max(rows, count - tokens + reach(tokens))
    return SharedWorkspace(
        zeros((rows, width), np.float32),
        zeros((rows, round_up(width, PANEL)), np.float32),
        zeros((beyond, round_up(3 * width, PANEL)), np.float32),
        zeros((rows, width), np.float32),
        zeros((1,), np.int64),
    )


def make_thread_workspace(weights: Any, processor: Any, attention: str) -> ThreadWorkspace:
    """Make what one member works in; `attention` is "float32" or "int8"."""
    width, hidden = weights.qkv.weight.inputs, weights.fc1.weight.outputs
    portion = round_up(MLP_ROWS, processor.mr)
    make_desk = make_int8_attention_scratch if attention == "int8" else desk
    return ThreadWorkspace(
        _tokens(portion, width),
        _tokens(portion, hidden),
        zeros((portion, round_up(hidden, PANEL)), np.float32),
        make_desk(weights.places.shape[1], width // weights.heads),
    )


def _tokens(rows: int, width: int) -> QuantizedTokens:
    codes = zeros((rows, round_up(width, STEP)), np.int8)
    return QuantizedTokens(codes, zeros((rows,), np.float32), zeros((rows,), np.int32))
