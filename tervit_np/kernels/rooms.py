"""Arrays that blocks work in: a bench that a team shares, and some of one thread alone."""

from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.kernels.aligned import zeros
from tervit_np.kernels.attention import Desk, desk, reach
from tervit_np.kernels.byte_attention import ByteDesk, byte_desk
from tervit_np.kernels.panels import PANEL, STEP, Tokens
from tervit_np.kernels.team import up

BENCH = 256  # tokens of whole groups that lie on a bench, at least one group
PORTION = 66  # tokens that pass through all products of an MLP before the next ones do


class Bench(NamedTuple):
    """The tokens of some groups, M of them, M' with padding to whole tiles."""

    x: Array  # float32 (M', D): the residual stream
    branch: Array  # float32 (M', D'): what is still to be added to it
    qkv: Array  # float32 (M'', D''): beyond the tokens, what attention reads and does not use
    mixed: Array  # float32 (M, D) and padding
    arrivals: Array  # int64 (1,): where a team meets


class Own(NamedTuple):
    """What one member works in."""

    narrow: Tokens  # of width D, one portion
    wide: Tokens  # of the MLP's width
    hidden: Array  # float32 (portion, 64 P)
    desk: Desk | ByteDesk


def make_bench(weights: Any, processor: Any) -> Bench:
    """Make a bench for blocks of the shape of `weights`."""
    width, tokens = weights.qkv.weight.inputs, weights.places.shape[1]
    count = max(BENCH // tokens, 1) * tokens
    rows = up(count, processor.rows)
    beyond = max(rows, count - tokens + reach(tokens))
    return Bench(
        zeros((rows, width), np.float32),
        zeros((rows, up(width, PANEL)), np.float32),
        zeros((beyond, up(3 * width, PANEL)), np.float32),
        zeros((rows, width), np.float32),
        zeros((1,), np.int64),
    )


def make_own(weights: Any, processor: Any, attention: str) -> Own:
    """Make what one member works in; `attention` is "float32" or "int8"."""
    width, hidden = weights.qkv.weight.inputs, weights.fc1.weight.outputs
    portion = up(PORTION, processor.rows)
    make_desk = byte_desk if attention == "int8" else desk
    return Own(
        _tokens(portion, width),
        _tokens(portion, hidden),
        zeros((portion, up(hidden, PANEL)), np.float32),
        make_desk(weights.places.shape[1], width // weights.heads),
    )


def _tokens(rows: int, width: int) -> Tokens:
    codes = zeros((rows, up(width, STEP)), np.int8)
    return Tokens(codes, zeros((rows,), np.float32), zeros((rows,), np.int32))
