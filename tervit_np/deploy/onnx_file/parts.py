"""The parts of DeiT and Swin in standard operators, each the twin of a module in tervit_np/nn."""

from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.deploy.onnx_file.graph import Graph
from tervit_np.deploy.onnx_file.quantized import linear, rounded
from tervit_np.nn import ConvStem
from tervit_np.ops.windows import MASKED


def layernorm(graph: Graph, x: str, name: str, norm: Any) -> str:
    """Normalise the last axis.  (..., D) -> (..., D)."""
    gain, offset = (
        graph.constant(f"{name}.{key}", getattr(norm, key).data) for key in ("weight", "bias")
    )
    return graph.op("LayerNormalization", x, gain, offset, axis=-1, epsilon=norm.eps)


def gelu(graph: Graph, x: str, storage_kind: str) -> str:
    """GELU, exact or with tanh.  (...) -> (...)."""
    return graph.op("Gelu", x, approximate="none" if storage_kind == "erf" else storage_kind)


def mlp(graph: Graph, x: str, name: str, module: Any) -> str:
    """fc1, GELU, fc2.  (..., D) -> (..., D)."""
    hidden = linear(graph, x, f"{name}.fc1", module.fc1)
    return linear(graph, gelu(graph, hidden, module.gelu_form), f"{name}.fc2", module.fc2)


def attention(
    graph: Graph, x: str, name: str, module: Any, bias: str = "", mask: Any = None
) -> str:
    """Mix tokens.  (B, T, D) -> (B, T, D); in windows with bias (H, T, T) and mask (nW, T, T)."""
    heads, width = module.products.heads, module.qkv.weight.shape[1]
    qkv = linear(graph, x, f"{name}.qkv", module.qkv)
    apart = graph.transpose(graph.reshape(qkv, 0, 0, 3, heads, width // heads), 2, 0, 3, 1, 4)
    apart = rounded(graph, apart, module.products.act_quant)
    q, k, v = (graph.pick(apart, 0, i) for i in range(3))
    scores = graph.op("MatMul", q, graph.transpose(k, 0, 1, 3, 2))
    scores = graph.op("Mul", scores, graph.real((width // heads) ** -0.5))
    if bias:
        scores = graph.op("Add", scores, bias)
    if mask is not None:
        scores = _masked(graph, scores, heads, mask)
    probs = rounded(graph, graph.op("Softmax", scores, axis=-1), module.products.act_quant)
    mixed = graph.transpose(graph.op("MatMul", probs, v), 0, 2, 1, 3)
    return linear(graph, graph.reshape(mixed, 0, 0, width), f"{name}.proj", module.proj)


def _masked(graph: Graph, scores: str, heads: int, mask: Array) -> str:
    """Add the mask of shifted windows, stored as each token's first neighbour of its region."""
    windows, tokens, _ = mask.shape
    region = np.argmax(mask == 0, axis=-1).astype(np.int32)
    one, other = (
        graph.constant(f"region {region.shape} of {axis}", np.expand_dims(region, (1, axis)))
        for axis in (2, 3)
    )
    apart = graph.op("Where", graph.op("Equal", one, other), graph.real(0), graph.real(MASKED))
    by_image = graph.reshape(scores, -1, windows, heads, tokens, tokens)
    return graph.reshape(graph.op("Add", by_image, apart), -1, heads, tokens, tokens)


def block(graph: Graph, x: str, name: str, module: Any) -> str:
    """Attention and MLP around skips.  (B, T, D) -> (B, T, D)."""
    normed = layernorm(graph, x, f"{name}.norm1", module.norm1)
    x = graph.op("Add", x, attention(graph, normed, f"{name}.attn", module.attn))
    return with_mlp(graph, x, name, module)


def with_mlp(graph: Graph, x: str, name: str, module: Any) -> str:
    """Run the second half of a block.  (..., D) -> (..., D)."""
    normed = layernorm(graph, x, f"{name}.norm2", module.norm2)
    return graph.op("Add", x, mlp(graph, normed, f"{name}.mlp", module.mlp))


def patches(graph: Graph, images: str, name: str, module: Any, size: tuple[int, int, int]) -> str:
    """Cut images of C x S x S into patches and project them.  (B, C, S, S) -> (B, N, D)."""
    channels, side, _ = size
    patch, count = module.patch, side // module.patch
    cut = graph.reshape(images, -1, channels, count, patch, count, patch)
    vectors = graph.transpose(cut, 0, 2, 4, 1, 3, 5)
    vectors = graph.reshape(vectors, -1, count * count, channels * patch * patch)
    return linear(graph, vectors, name, module)


def conv_stem(graph: Graph, images: str, name: str, stem: ConvStem, side: int) -> str:
    """Two convolutions of stride 2 before the patches.  (B, 3, S, S) -> (B, N, D)."""
    x = graph.transpose(images, 0, 2, 3, 1)
    for part in ("conv1", "conv2"):
        module = getattr(stem, part)
        side = (side + 2 * module.padding - module.kernel) // module.stride + 1
        x = linear(graph, _windows(graph, x, module, side), f"{name}.{part}", module)
        x = gelu(graph, x, stem.gelu_form)
    maps = graph.transpose(x, 0, 3, 1, 2)
    channels = stem.proj.weight.shape[1]
    return patches(graph, maps, f"{name}.proj", stem.proj, (channels, side, side))


def _windows(graph: Graph, x: str, conv: Any, side: int) -> str:
    """Gather what each output of a convolution sees.  (B, H, W, C) -> (B, Ho, Wo, k k C)."""
    p = conv.padding
    x = graph.op("Pad", x, graph.whole(0, p, p, 0, 0, p, p, 0))
    reach = conv.stride * (side - 1) + 1
    rows = [graph.part(x, 1, r, r + reach, conv.stride) for r in range(conv.kernel)]
    return graph.join(
        [graph.part(row, 2, c, c + reach, conv.stride) for row in rows for c in range(conv.kernel)],
        axis=-1,
    )
