"""Swin's operations on maps in ONNX operators: windows, their shift, patch merging.

Each function computes what the function or module of this name does in ops/ or nn/.
"""

from typing import Any

import numpy as np

from tervit_np.deploy.onnx_file.graph import Graph
from tervit_np.deploy.onnx_file.parts import add_mlp_branch, attention, layernorm
from tervit_np.deploy.onnx_file.quantized import linear


def swin_block(graph: Graph, x: str, name: str, module: Any, side: int) -> str:
    """Attention in windows, which may be shifted, and an MLP.  (B, S, S, D) -> (B, S, S, D)."""
    window, dim = module.window, module.attn.qkv.weight.shape[1]
    normed = layernorm(graph, x, f"{name}.norm1", module.norm1)
    shifted = _cyclic_shift(graph, normed, module.shift_size, side)
    windows = _window_partition(graph, shifted, side, window, dim)
    bias = _relative_bias(graph, f"{name}.attn", module.attn, window)
    attended = attention(graph, windows, f"{name}.attn", module.attn, bias, module.mask)
    branch = _window_reverse(graph, attended, side, window, dim)
    branch = _cyclic_shift(graph, branch, (side - module.shift_size) % side, side)
    return add_mlp_branch(graph, graph.op("Add", x, branch), name, module)


def _relative_bias(graph: Graph, name: str, module: Any, window: int) -> str:
    """Look up the bias of each pair of tokens.  -> (H, T, T)."""
    table = module.relative_position_bias_table.data
    stored = graph.constant(f"{name}.relative_position_bias_table", table)
    index = graph.constant(f"pairs of {window}", module.relative_position_index.astype(np.int64))
    return graph.transpose(graph.op("Gather", stored, index, axis=0), 2, 0, 1)


def _cyclic_shift(graph: Graph, x: str, shift_size: int, side: int) -> str:
    """Roll a map by -shift_size: cut it in two and swap the parts.  (B, S, S, D) -> the same."""
    if shift_size == 0:
        return x
    for axis in (1, 2):
        back, front = graph.slice(x, axis, shift_size, side), graph.slice(x, axis, 0, shift_size)
        x = graph.concat([back, front], axis)
    return x


def _window_partition(graph: Graph, x: str, side: int, window: int, dim: int) -> str:
    """Cut a map into windows.  (B, S, S, D) -> (B nW, w w, D)."""
    count = side // window
    cut = graph.reshape(x, -1, count, window, count, window, dim)
    return graph.reshape(graph.transpose(cut, 0, 1, 3, 2, 4, 5), -1, window * window, dim)


def _window_reverse(graph: Graph, x: str, side: int, window: int, dim: int) -> str:
    """Put windows back into a map.  (B nW, w w, D) -> (B, S, S, D)."""
    count = side // window
    cut = graph.reshape(x, -1, count, count, window, window, dim)
    return graph.reshape(graph.transpose(cut, 0, 1, 3, 2, 4, 5), -1, side, side, dim)


def patch_merging(graph: Graph, x: str, name: str, module: Any, side: int) -> str:
    """Merge 2 x 2 neighbours into one token.  (B, S, S, D) -> (B, S/2, S/2, 2 D)."""
    parts = []
    for column in (0, 1):
        for row in (0, 1):
            part = graph.slice(x, 1, row, side, 2)
            parts.append(graph.slice(part, 2, column, side, 2))
    normed = layernorm(graph, graph.concat(parts, -1), f"{name}.norm", module.norm)
    return linear(graph, normed, f"{name}.reduction", module.reduction)
