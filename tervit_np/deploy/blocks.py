"""The blocks of a packed model, run in compiled functions from first to last.

`PackedBlocks` takes the place of a model's list of blocks and holds the same blocks, whose linear
layers are packed. Where the kernels have a tile for this processor, their forward pass is that of
kernels/block.py; elsewhere, and in NumPy, the blocks run one by one as they are.
"""

import threading
from collections.abc import Iterable
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.kernels import has_tile, selected_variant
from tervit_np.nn import Blocks

ATTENTION = ("float32", "int8")


class PackedBlocks(Blocks):
    """Blocks whose linear layers are packed.

    `members` threads share the work on an image. The products of attention run in "float32", or in
    "int8", which rounds once more and pays where many tokens attend (kernels/int8_attention.py).
    """

    def __init__(self, blocks: Iterable[Any], members: int = 1, attention: str = "float32") -> None:
        super().__init__(blocks)
        self.members, self.attention = members, attention
        self._weights: list[Any] = []  # made when first needed
        self._rooms = threading.local()  # several threads may predict at once

    def forward(
        self,
        x: Array,
        train: bool = False,
        rng: np.random.Generator | None = None,
        recompute: bool = False,
        keep_cache: bool = True,
    ) -> tuple[Array, list[Any]]:
        """Run all blocks.  (B, T, D) or (B, H, W, D) -> alike, no caches.

        Raises
        ------
        ValueError
            If attention is to run on bytes, which only the compiled block does.
        """
        if not has_tile(selected_variant()):
            if self.attention != "float32":
                raise ValueError(
                    "int8 attention runs in the compiled block, not on the kernel "
                    f"{selected_variant()!r}"
                )
            return super().forward(x, train, rng, recompute, keep_cache)
        from tervit_np.kernels.tiles import TILES

        processor = TILES[selected_variant()]
        if not self._weights:
            from tervit_np.deploy.block_weights import block_weights

            self._weights = [block_weights(block, x.shape[1:-1]) for block in self]
        if getattr(self._rooms, "processor", None) != processor:
            self._rooms.room = InferenceSession(
                self._weights[0], processor, self.members, self.attention
            )
            self._rooms.processor = processor
        y = np.array(x, np.float32, order="C")
        self._rooms.room.run(self._weights, y.reshape(-1, x.shape[-1]), len(x))
        return y, []


class InferenceSession:
    """Where one caller's threads work: their benches, and what each has of its own."""

    def __init__(self, weights: Any, processor: Any, members: int, attention: str) -> None:
        from tervit_np.kernels.team import Team
        from tervit_np.kernels.workspace import make_shared_workspace, make_thread_workspace

        self.processor, self.team = processor, Team(members)
        self.benches = [make_shared_workspace(weights, processor) for _ in range(members)]
        self.owns = [make_thread_workspace(weights, processor, attention) for _ in range(members)]
        self.barrier_count = np.zeros(1, np.int64)

    def run(self, blocks: list[Any], x: Array, images: int) -> None:
        """Take x (B G T, D) through all blocks, in place.

        Threads take groups of tokens for themselves where there are enough of them, and share each
        group where there are not.
        """
        from tervit_np.kernels.block import through
        from tervit_np.kernels.team import barrier

        members = self.team.members
        apart = images * min(len(weights.places) for weights in blocks) >= members

        def work(me: int) -> None:
            for weights in blocks:
                groups = images * len(weights.places)
                if apart:
                    first, last = groups * me // members, groups * (me + 1) // members
                    through(self.processor, weights, x, self.benches[me], self.owns[me],
                            first, last, 0, 1)  # fmt: skip
                else:
                    through(self.processor, weights, x, self.benches[0], self.owns[me],
                            0, groups, me, members)  # fmt: skip
                barrier(self.barrier_count, members)

        self.team.run(work, (self.barrier_count, self.benches[0].barrier_count))
