"""Arrays that a run of blocks works in: some shared by all threads, some of one thread alone."""

from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.kernels.attention import Desk, desk, up
from tervit_np.kernels.panels import PANEL, STEP, Tokens

PORTION = 66  # tokens that pass through all products of an MLP before the next ones do


class Shared(NamedTuple):
    """What all members of a team read and write; M' tokens are whole tiles."""

    x: Array  # float32 (M', D): the residual stream
    branch: Array  # float32 (M', D'): what is still to be added to it
    qkv: Array  # float32 (M', D'')
    mixed: Array  # float32 (M', D)
    arrivals: Array  # int64 (1,)


class Own(NamedTuple):
    """What one member works in."""

    narrow: Tokens  # of width D, one portion
    wide: Tokens  # of the MLP's width
    hidden: Array  # float32 (portion, 64 P)
    desk: Desk


def make_room(weights: Any, tokens: int, processor: Any, members: int) -> tuple[Shared, list[Own]]:
    """Make room for `tokens` tokens to pass through blocks of the shape of `weights`."""
    width, hidden = weights.qkv.weight.inputs, weights.fc1.weight.outputs
    rows, portion = up(tokens, processor.rows), up(PORTION, processor.rows)
    shared = Shared(
        np.zeros((rows, width), np.float32),
        np.zeros((rows, up(width, PANEL)), np.float32),
        np.zeros((rows, up(3 * width, PANEL)), np.float32),
        np.zeros((rows, width), np.float32),
        np.zeros(1, np.int64),
    )
    return shared, [
        Own(
            _tokens(portion, width),
            _tokens(portion, hidden),
            np.zeros((portion, up(hidden, PANEL)), np.float32),
            desk(weights.groups.shape[1], width // weights.heads),
        )
        for _ in range(members)
    ]


def _tokens(rows: int, width: int) -> Tokens:
    codes = np.zeros((rows, up(width, STEP)), np.int8)
    return Tokens(codes, np.zeros(rows, np.float32), np.zeros(rows, np.int32))
