"""Swin's maps in standard operators: windows, their shift, merging; twins of tervit_np/ops."""

from typing import Any

import numpy as np

from tervit_np.deploy.onnx_file.graph import Graph
from tervit_np.deploy.onnx_file.parts import attention, layernorm, with_mlp
from tervit_np.deploy.onnx_file.quantized import linear


def swin_block(graph: Graph, x: str, name: str, module: Any, side: int) -> str:
    """Attention in windows that may be shifted, and MLP.  (B, S, S, D) -> (B, S, S, D)."""
    window, width = module.window, module.attn.qkv.weight.shape[1]
    normed = layernorm(graph, x, f"{name}.norm1", module.norm1)
    windows = _partition(graph, _shift(graph, normed, module.shift_size, side), side, window, width)
    bias = _relative_bias(graph, f"{name}.attn", module.attn, window)
    mixed = attention(graph, windows, f"{name}.attn", module.attn, bias, module.mask)
    branch = _unpartition(graph, mixed, side, window, width)
    branch = _shift(graph, branch, (side - module.shift_size) % side, side)
    return with_mlp(graph, graph.op("Add", x, branch), name, module)


def _relative_bias(graph: Graph, name: str, module: Any, window: int) -> str:
    """Look the bias of each pair up.  -> (H, T, T)."""
    table = module.relative_position_bias_table.data
    stored = graph.constant(f"{name}.relative_position_bias_table", table)
    index = graph.constant(f"pairs of {window}", module.relative_position_index.astype(np.int64))
    return graph.transpose(graph.op("Gather", stored, index, axis=0), 2, 0, 1)


def _shift(graph: Graph, x: str, by: int, side: int) -> str:
    """Roll a map by -by, as two cuts.  (B, S, S, D) -> (B, S, S, D)."""
    if by == 0:
        return x
    for axis in (1, 2):
        x = graph.join([graph.part(x, axis, by, side), graph.part(x, axis, 0, by)], axis)
    return x


def _partition(graph: Graph, x: str, side: int, window: int, width: int) -> str:
    """Cut a map into windows.  (B, S, S, D) -> (B nW, w w, D)."""
    count = side // window
    cut = graph.reshape(x, -1, count, window, count, window, width)
    return graph.reshape(graph.transpose(cut, 0, 1, 3, 2, 4, 5), -1, window * window, width)


def _unpartition(graph: Graph, x: str, side: int, window: int, width: int) -> str:
    """Put windows back.  (B nW, w w, D) -> (B, S, S, D)."""
    count = side // window
    cut = graph.reshape(x, -1, count, count, window, window, width)
    return graph.reshape(graph.transpose(cut, 0, 1, 3, 2, 4, 5), -1, side, side, width)


def merging(graph: Graph, x: str, name: str, module: Any, side: int) -> str:
    """Four neighbours into one token.  (B, S, S, D) -> (B, S/2, S/2, 2 D)."""
    parts = []
    for column in (0, 1):
        for row in (0, 1):
            part = graph.part(x, 1, row, side, 2)
            parts.append(graph.part(part, 2, column, side, 2))
    normed = layernorm(graph, graph.join(parts, -1), f"{name}.norm", module.norm)
    return linear(graph, normed, f"{name}.reduction", module.reduction)
