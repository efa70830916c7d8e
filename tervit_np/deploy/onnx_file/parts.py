"""DeiT's and Swin's layers in ONNX operators; each function computes what a module of nn/ does."""

from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.deploy.onnx_file.graph import Graph
from tervit_np.deploy.onnx_file.quantized import linear, quantize_activations
from tervit_np.nn import ConvStem
from tervit_np.nn.linear import Conv2d
from tervit_np.ops.windows import MASKED


def layernorm(graph: Graph, x: str, name: str, norm: Any) -> str:
    """Normalise the last axis.  (..., D) -> (..., D)."""
    gamma = graph.constant(f"{name}.weight", norm.gamma_hat())
    beta = graph.constant(f"{name}.bias", norm.bias.data)
    return graph.op("LayerNormalization", x, gamma, beta, axis=-1, epsilon=norm.eps)


def gelu(graph: Graph, x: str, form: str) -> str:
    """GELU in the form "erf" or "tanh".  (...) -> (...)."""
    return graph.op("Gelu", x, approximate="none" if form == "erf" else form)


def mlp(graph: Graph, x: str, name: str, module: Any) -> str:
    """Apply fc1, GELU and fc2.  (..., D) -> (..., D)."""
    hidden = linear(graph, x, f"{name}.fc1", module.fc1)
    return linear(graph, gelu(graph, hidden, module.gelu_form), f"{name}.fc2", module.fc2)


def attention(
    graph: Graph, x: str, name: str, module: Any, bias: str = "", mask: Any = None
) -> str:
    """Attend.  (B, T, D) -> (B, T, D), in windows with bias (H, T, T) and mask (nW, T, T)."""
    heads, dim = module.products.heads, module.qkv.weight.shape[1]
    qkv = linear(graph, x, f"{name}.qkv", module.qkv)
    qkv = graph.transpose(graph.reshape(qkv, 0, 0, 3, heads, dim // heads), 2, 0, 3, 1, 4)
    qkv = quantize_activations(graph, qkv, module.products.act_quant)
    q, k, v = (graph.take(qkv, 0, i) for i in range(3))
    scores = graph.op("MatMul", q, graph.transpose(k, 0, 1, 3, 2))
    scores = graph.op("Mul", scores, graph.float32((dim // heads) ** -0.5))
    if bias:
        scores = graph.op("Add", scores, bias)
    if mask is not None:
        scores = _masked(graph, scores, heads, mask)
    probs = graph.op("Softmax", scores, axis=-1)
    probs = quantize_activations(graph, probs, module.products.act_quant)
    out = graph.transpose(graph.op("MatMul", probs, v), 0, 2, 1, 3)
    return linear(graph, graph.reshape(out, 0, 0, dim), f"{name}.proj", module.proj)


def _masked(graph: Graph, scores: str, heads: int, mask: Array) -> str:
    """Add the mask of shifted windows.  scores (B nW, H, T, T), mask (nW, T, T).

    The graph stores (nW, T) region numbers instead of the mask. A region is the set of tokens of a
    window that attend to each other; its number is that of its first token.
    """
    windows, tokens, _ = mask.shape
    region = np.argmax(mask == 0, axis=-1).astype(np.int32)
    of_key, of_query = (
        graph.constant(f"region {region.shape} of {axis}", np.expand_dims(region, (1, axis)))
        for axis in (2, 3)
    )
    same_region = graph.op("Equal", of_key, of_query)
    attn_mask = graph.op("Where", same_region, graph.float32(0), graph.float32(MASKED))
    by_image = graph.reshape(scores, -1, windows, heads, tokens, tokens)
    return graph.reshape(graph.op("Add", by_image, attn_mask), -1, heads, tokens, tokens)


def block(graph: Graph, x: str, name: str, module: Any) -> str:
    """Attention and an MLP, each with a residual connection.  (B, T, D) -> (B, T, D)."""
    normed = layernorm(graph, x, f"{name}.norm1", module.norm1)
    x = graph.op("Add", x, attention(graph, normed, f"{name}.attn", module.attn))
    return add_mlp_branch(graph, x, name, module)


def add_mlp_branch(graph: Graph, x: str, name: str, module: Any) -> str:
    """Add the MLP branch, the second half of a block.  (..., D) -> (..., D)."""
    normed = layernorm(graph, x, f"{name}.norm2", module.norm2)
    return graph.op("Add", x, mlp(graph, normed, f"{name}.mlp", module.mlp))


def patches(graph: Graph, images: str, name: str, module: Any, size: tuple[int, int, int]) -> str:
    """Cut images of `size` (C, S, S) into patches and project them.  (B, C, S, S) -> (B, N, D)."""
    channels, side, _ = size
    patch, count = module.patch, side // module.patch
    vectors = graph.reshape(images, -1, channels, count, patch, count, patch)
    vectors = graph.transpose(vectors, 0, 2, 4, 1, 3, 5)
    vectors = graph.reshape(vectors, -1, count * count, channels * patch * patch)
    return linear(graph, vectors, name, module)


def conv_stem(graph: Graph, images: str, name: str, stem: ConvStem, side: int) -> str:
    """Two convolutions, then patches or a third.  (B, 3, S, S) -> (B, N, D)."""
    x = graph.transpose(images, 0, 2, 3, 1)
    for part in ("conv1", "conv2"):
        x, side = _convolution(graph, x, f"{name}.{part}", getattr(stem, part), side)
        x = gelu(graph, x, stem.gelu_form)
    if isinstance(stem.proj, Conv2d):
        x, side = _convolution(graph, x, f"{name}.proj", stem.proj, side)
        return graph.reshape(x, -1, side * side, len(stem.proj.weight.data))
    maps = graph.transpose(x, 0, 3, 1, 2)
    channels = stem.proj.weight.shape[1]
    return patches(graph, maps, f"{name}.proj", stem.proj, (channels, side, side))


def _convolution(graph: Graph, x: str, name: str, conv: Conv2d, side: int) -> tuple[str, int]:
    """Convolve a map of `side` pixels.  (B, S, S, C) -> (B, So, So, D) and So."""
    side = (side + 2 * conv.padding - conv.kernel) // conv.stride + 1
    return linear(graph, _im2col(graph, x, conv, side), name, conv), side


def _im2col(graph: Graph, x: str, conv: Any, side: int) -> str:
    """Gather the inputs of each output of a convolution.  (B, H, W, C) -> (B, Ho, Wo, k k C)."""
    p = conv.padding
    x = graph.op("Pad", x, graph.int64(0, p, p, 0, 0, p, p, 0))
    extent = conv.stride * (side - 1) + 1
    rows = [graph.slice(x, 1, r, r + extent, conv.stride) for r in range(conv.kernel)]
    return graph.concat(
        [
            graph.slice(row, 2, c, c + extent, conv.stride)
            for row in rows
            for c in range(conv.kernel)
        ],
        axis=-1,
    )
