"""Run packed blocks in compiled code, in workspaces that are allocated once."""

from collections.abc import Sequence

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.amx import MatrixTile
from tervit_np.kernels.block import BlockWeights, run_block
from tervit_np.kernels.team import Team, barrier, thread_range
from tervit_np.kernels.tiles import Tile
from tervit_np.kernels.workspace import make_shared_workspace, make_thread_workspace


class InferenceSession:
    """The threads and workspaces of one caller, for blocks of one shape."""

    def __init__(
        self, tile: Tile | MatrixTile, weights: BlockWeights, num_threads: int, attention: str
    ) -> None:
        window_tokens, dim = weights.token_index.shape[1], weights.qkv.panels.inputs
        hidden_dim, heads = weights.fc1.panels.outputs, weights.heads
        self.tile, self.team = tile, Team(num_threads)
        self.shared = [make_shared_workspace(tile, window_tokens, dim) for _ in range(num_threads)]
        self.private = [
            make_thread_workspace(tile, window_tokens, dim, hidden_dim, heads, attention)
            for _ in range(num_threads)
        ]
        self.barrier_count = np.zeros(1, np.int64)  # of the barrier after each block


def packed_forward(blocks: Sequence[BlockWeights], x: Array, session: InferenceSession) -> Array:
    """Run blocks from first to last.  (B, T, D) or (B, H, W, D) -> float32 of the same shape.

    Each thread runs its range of the windows, in a shared workspace that no other thread uses; if
    there are fewer windows than threads, all threads share each window.
    """
    y = np.array(x, np.float32, order="C")
    rows, num_threads = y.reshape(-1, y.shape[-1]), session.team.num_threads
    split_by_window = len(x) * min(len(w.token_index) for w in blocks) >= num_threads

    def work(thread_id: int) -> None:
        private = session.private[thread_id]
        for w in blocks:
            windows = len(x) * len(w.token_index)
            if split_by_window:
                start, stop = thread_range(windows, 1, thread_id, num_threads)
                shared = session.shared[thread_id]
                run_block(session.tile, w, rows, shared, private, start, stop, 0, 1)
            else:
                shared = session.shared[0]
                run_block(
                    session.tile, w, rows, shared, private, 0, windows, thread_id, num_threads
                )
            barrier(session.barrier_count, num_threads)

    session.team.run(work, (session.barrier_count, session.shared[0].barrier_count))
    return y
