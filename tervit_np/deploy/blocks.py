"""The blocks of a packed model, run in compiled functions from first to last.

`PackedBlocks` takes the place of a model's list of blocks and holds the same blocks, whose linear
layers are packed. Where the kernels have a tile for this processor, their forward pass is that of
kernels/block.py; elsewhere, and in NumPy, the blocks run one by one as they are.
"""

import math
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.deploy.team import together
from tervit_np.kernels import chosen, has_tile
from tervit_np.nn import Blocks

TOGETHER = 256  # tokens for each thread: so many whole images pass through all blocks at a time


class PackedBlocks(Blocks):
    """Blocks whose linear layers are packed; `members` threads share the work on an image."""

    def __init__(self, blocks: Iterable[Any], members: int = 1) -> None:
        super().__init__(blocks)
        self.members = members
        self._weights: list[Any] = []  # made when first needed
        self._rooms = threading.local()  # several threads may predict at once

    def forward(
        self,
        x: Array,
        train: bool = False,
        rng: np.random.Generator | None = None,
        recompute: bool = False,
        keep: bool = True,
    ) -> tuple[Array, list[Any]]:
        """Run all blocks, some images at a time.  (B, T, D) or (B, H, W, D) -> alike, no caches."""
        if not has_tile(chosen()):
            return super().forward(x, train, rng, recompute, keep)
        self._prepare(x.shape[1:-1])
        step = max(1, TOGETHER * self.members // math.prod(x.shape[1:-1]))
        y = np.empty(x.shape, np.float32)
        for start in range(0, len(x), step):
            self._some(x[start : start + step], y[start : start + step])
        return y, []

    def _some(self, images: Array, out: Array) -> None:
        """Take some images through all blocks."""
        from tervit_np.kernels.block import add_branch, block
        from tervit_np.kernels.lanes import PROCESSORS

        x = images.reshape(-1, images.shape[-1])
        processor = PROCESSORS[chosen()]
        shared, own = self._room(len(x), processor)
        shared.x[: len(x)] = x

        def work(me: int) -> None:
            for weights in self._weights:
                block(processor, weights, shared, own[me], len(images), me, self.members)

        together(work, self.members, shared.arrivals)
        add_branch(shared)
        out[...] = shared.x[: len(x)].reshape(out.shape)

    def _prepare(self, shape: tuple[int, ...]) -> None:
        from tervit_np.deploy.weights import block_weights

        if not self._weights:
            self._weights = [block_weights(block, shape) for block in self]

    def _room(self, tokens: int, processor: Any) -> Any:
        """Return this thread's arrays, made anew where the number of tokens changed."""
        from tervit_np.kernels.rooms import make_room

        key = tokens, processor
        if getattr(self._rooms, "key", None) != key:
            self._rooms.room = make_room(self._weights[0], tokens, processor, self.members)
            self._rooms.key = key
        return self._rooms.room
