"""The blocks of a packed model: compiled as a whole where possible, otherwise layer by layer.

`PackedBlocks` replaces a model's list of blocks by the same blocks with packed linear layers. If
the selected kernel has a register tile, the forward pass runs in the compiled block
(kernels/block.py). Otherwise, as in NumPy, the blocks run one by one like those of any model.
"""

import os
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.deploy.layers import PackedLinear
from tervit_np.kernels import Panels, has_tile, selected_variant
from tervit_np.nn import (
    MLP,
    Attention,
    Block,
    Blocks,
    LayerNorm,
    Module,
    Products,
    SwinBlock,
    WindowAttention,
)
from tervit_np.nn.swin_block import WindowProducts
from tervit_np.quant import Identity

if TYPE_CHECKING:
    from tervit_np.deploy.session import InferenceSession
    from tervit_np.kernels.block import BlockWeights

ATTENTION = ("float32", "bfloat16", "int8")
_COMPILED = (Block, SwinBlock, Attention, WindowAttention, MLP, LayerNorm)
_PRODUCTS = (Products, WindowProducts)


class PackedBlocks(Blocks):
    """Blocks whose linear layers are packed and ternary.

    `num_threads` threads share the work. The two products of attention run in "float32", or in
    "int8", which quantizes once more and is faster for windows of many tokens
    (kernels/int8_attention.py), or in "bfloat16", which is for processors with a matrix unit and
    slow on others (kernels/bf16_attention.py).
    """

    def __init__(
        self, blocks: Iterable[Any], num_threads: int = 1, attention: str = "float32"
    ) -> None:
        super().__init__(blocks)
        self.num_threads, self.attention = num_threads, attention
        self._forget_sessions()

    def _forget_sessions(self) -> None:
        self._weights: list[BlockWeights] = []  # collected by the first forward pass
        self._local = threading.local()  # holds `session` and `process`, for each calling thread

    def __getstate__(self) -> dict[str, Any]:
        """Return what copies and pickles keep; they make sessions of their own."""
        return {"num_threads": self.num_threads, "attention": self.attention}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.num_threads, self.attention = state["num_threads"], state["attention"]
        self._forget_sessions()

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
            If attention is not "float32" and the selected kernel has no compiled block, or a value
            is not finite.
        """
        variant = selected_variant()  # once: another thread may select another backend
        if not has_tile(variant):
            if self.attention != "float32":
                raise ValueError(
                    f"{self.attention} attention needs a kernel with a register tile, and the "
                    f"kernel is {variant!r}; load the model with attention='float32'"
                )
            return super().forward(x, train, rng, recompute, keep_cache)
        from tervit_np.deploy.session import packed_forward  # compiles

        session = self._session(x.shape[1:-1], variant)
        try:
            return packed_forward(self._weights, x, session), []
        except BaseException:
            # After two Ctrl-C its threads may still compute, in its workspaces.
            del self._local.session
            raise

    def _session(self, shape: tuple[int, ...], variant: str) -> "InferenceSession":
        """Return the calling thread's session for images of `shape` tokens and this kernel.

        A forked process makes its own: threads of its parent do not run there.
        """
        from tervit_np.deploy.block_weights import block_weights
        from tervit_np.deploy.session import InferenceSession
        from tervit_np.kernels.tiles import TILES

        if not self._weights:
            self._weights = [block_weights(block, shape) for block in self]
        tile = TILES[variant]
        session: InferenceSession | None = getattr(self._local, "session", None)
        process = os.getpid()
        if session is None or session.tile is not tile or self._local.process != process:
            session = InferenceSession(tile, self._weights[0], self.num_threads, self.attention)
            self._local.session, self._local.process = session, process
        return session


def has_compiled_form(blocks: Blocks) -> bool:
    """Tell whether the compiled block computes what these blocks do.

    All linear layers are packed and ternary, without groups, attention is not quantized, and no
    module has a class of another origin, whose forward pass may differ.
    """
    return all(_is_compiled(module) for block in blocks for _, module in block.named_modules())


def _is_compiled(module: Module) -> bool:
    if isinstance(module, PackedLinear):
        return isinstance(module.packed, Panels)
    if isinstance(module, Block | SwinBlock) and module.norm1.eps != module.norm2.eps:
        return False
    if type(module) in _PRODUCTS:
        return isinstance(module.act_quant, Identity)  # type: ignore[attr-defined]
    return type(module) in _COMPILED
