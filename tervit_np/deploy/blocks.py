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
from tervit_np.deploy.team import together
from tervit_np.kernels import chosen, has_tile
from tervit_np.nn import Blocks


ATTENTION = ("float32", "int8")


class PackedBlocks(Blocks):
    """Blocks whose linear layers are packed.

    `members` threads share the work on an image. The products of attention run in "float32", or in
    "int8", which is faster and rounds once more (kernels/byte_attention.py).
    """

    def __init__(
        self, blocks: Iterable[Any], members: int = 1, attention: str = "float32"
    ) -> None:
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
        keep: bool = True,
    ) -> tuple[Array, list[Any]]:
        """Run all blocks.  (B, T, D) or (B, H, W, D) -> alike, no caches."""
        if not has_tile(chosen()):
            return super().forward(x, train, rng, recompute, keep)
        from tervit_np.kernels.block import through
        from tervit_np.kernels.lanes import PROCESSORS
        from tervit_np.kernels.team import meet

        self._prepare(x.shape[1:-1])
        processor = PROCESSORS[chosen()]
        y = np.array(x, np.float32, order="C")
        tokens = y.reshape(-1, x.shape[-1])
        groups = [len(x) * len(weights.places) for weights in self._weights]
        apart = min(groups) >= self.members  # each thread has groups of its own
        benches, owns = self._room(processor, self.members if apart else 1)
        arrivals = np.zeros(1, np.int64)

        def work(me: int) -> None:
            for weights, count in zip(self._weights, groups, strict=True):
                if apart:
                    first, last = (count * i // self.members for i in (me, me + 1))
                    through(processor, weights, tokens, benches[me], owns[me], first, last, 0, 1)
                else:
                    through(processor, weights, tokens, benches[0], owns[me], 0, count, me,
                            self.members)  # fmt: skip
                meet(arrivals, self.members)

        together(work, self.members, (arrivals, benches[0].arrivals))
        return y, []

    def _prepare(self, shape: tuple[int, ...]) -> None:
        from tervit_np.deploy.weights import block_weights

        if not self._weights:
            self._weights = [block_weights(block, shape) for block in self]

    def _room(self, processor: Any, benches: int) -> Any:
        """Return this thread's arrays, made anew where another processor or number was wanted."""
        from tervit_np.kernels.rooms import make_bench, make_own

        key = processor, benches
        if getattr(self._rooms, "key", None) != key:
            first = self._weights[0]
            self._rooms.benches = [make_bench(first, processor) for _ in range(benches)]
            self._rooms.owns = [
                make_own(first, processor, self.attention) for _ in range(self.members)
            ]
            self._rooms.key = key
        return self._rooms.benches, self._rooms.owns
