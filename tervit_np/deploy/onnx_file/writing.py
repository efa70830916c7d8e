"""Write a quantized DeiT or Swin to an ONNX file (opset 25, the first with 2-bit integers).

    images float32 (N, 3, S, S)  ->  logits float32 (N, C)

The graph computes what the model computes: the same integers of weights and tokens, multiplied as
floats. Runtimes sum in different orders, so a value next to a rounding boundary may be rounded the
other way; apart from that, results agree to the precision of float32. In onnxruntime this needs the
entry session.qdq_matmulnbits_accuracy_level = "1" of the session: by default its layers of 4 and 8
bits round their inputs once more.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tervit_np.checkpoints.own_parts import own_class
from tervit_np.deploy.onnx_file.graph import Graph
from tervit_np.deploy.onnx_file.maps import patch_merging, swin_block
from tervit_np.deploy.onnx_file.parts import block, conv_stem, layernorm, patches
from tervit_np.deploy.onnx_file.quantized import linear
from tervit_np.deploy.writing import checked_extra, to_json
from tervit_np.files import atomic_write
from tervit_np.models import Classifier, DeiT, Swin
from tervit_np.models.classifier import require_model
from tervit_np.models.quantization import plan_of
from tervit_np.nn import ConvStem
from tervit_np.quant.spec import plan_to_spec

OPSET = 25


def export_onnx(
    model: Classifier, path: str | Path, *, extra: Mapping[str, Any] | None = None
) -> None:
    """Write a model; each entry of `extra` (classes, mean, std) becomes metadata, as a JSON text.

    Raises
    ------
    ImportError
        If the package onnx is not installed, or is too old for 2-bit integers.
    ValueError
        If ONNX operators cannot express a layer's quantizer, the model is packed, it or a module of
        it has a class of another origin, or `extra` cannot be written as JSON.
    OSError
        If the file cannot be written; an older file of this name is then kept.
    """
    require_model(model)
    model.require_latent_weights()
    if name := own_class(model):
        raise ValueError(
            f"onnx: the model has the class {name}, and only those of tervit_np are known as ONNX "
            "operators"
        )
    texts = checked_extra(extra)
    _check_package()
    content = onnx_model(model, texts).SerializeToString()
    with atomic_write(path) as file:
        file.write(content)


def _check_package() -> None:
    """Refuse to start without onnx, or with one that has no 2-bit integers."""
    if find_spec("onnx") is None:
        raise ImportError(
            "ONNX export needs the package onnx, which is not installed: pip install onnx"
        )
    import onnx

    newest = onnx.defs.onnx_opset_version()
    if newest < OPSET:
        raise ImportError(
            f"onnx {onnx.__version__} supports opsets up to {newest}; 2-bit integers need opset "
            f"{OPSET}: pip install -U onnx"
        )


def onnx_model(model: Classifier, extra: Mapping[str, Any]) -> Any:
    """Convert a model to a ModelProto, and check it."""
    import onnx
    from onnx import TensorProto, helper

    graph = Graph()
    size, classes = model.config.image_size, model.config.num_classes
    if isinstance(model, DeiT):
        logits = _deit(graph, "images", model)
    elif isinstance(model, Swin):
        logits = _swin(graph, "images", model)
    else:
        raise ValueError(f"onnx: {type(model).__name__} is neither a DeiT nor a Swin")
    graph.nodes.append(helper.make_node("Identity", [logits], ["logits"], name="logits"))
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, size, size])
    outputs = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])
    constants = list(graph.constants.values())
    body = helper.make_graph(graph.nodes, type(model).__name__, [images], [outputs], constants)
    opsets = [helper.make_opsetid("", OPSET)]
    proto = helper.make_model(body, opset_imports=opsets, producer_name="tervit_np")
    proto.ir_version = helper.find_min_ir_version_for(opsets)
    texts = {**extra, "plan": plan_to_spec(plan_of(model))}
    helper.set_model_props(proto, {key: to_json(key, value) for key, value in texts.items()})
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _deit(graph: Graph, images: str, model: DeiT) -> str:
    """Add a DeiT: patches, tokens, blocks, heads.  (N, 3, S, S) -> (N, C)."""
    c = model.config
    x = _patch_embed(graph, images, model)
    x = _with_tokens(graph, x, images, model)
    for i, module in enumerate(model.blocks):
        x = block(graph, x, f"blocks.{i}", module)
    x = layernorm(graph, x, "norm", model.norm)
    if c.pool == "mean":
        return linear(graph, _mean(graph, x, 1), "head", model.head)
    logits = linear(graph, graph.take(x, 1, 0), "head", model.head)
    if not c.distilled:
        return logits
    dist_logits = linear(graph, graph.take(x, 1, 1), "head_dist", model.head_dist)
    return graph.op("Mul", graph.op("Add", logits, dist_logits), graph.float32(0.5))


def _patch_embed(graph: Graph, images: str, model: DeiT | Swin) -> str:
    """Add the patches or the stem.  (N, 3, S, S) -> (N, P, D)."""
    size, embed = model.config.image_size, model.patch_embed
    if isinstance(embed, ConvStem):
        return conv_stem(graph, images, "patch_embed", embed, size)
    return patches(graph, images, "patch_embed.proj", embed.proj, (3, size, size))


def _with_tokens(graph: Graph, x: str, images: str, model: DeiT) -> str:
    """Prepend the class and distillation tokens; add the position embedding.  -> (N, T, D)."""
    names = [name for name in ("cls_token", "dist_token") if hasattr(model, name)]
    if names:
        count = graph.op("Shape", images, start=0, end=1)
        shape = graph.concat([count, graph.int64(1, model.config.dim)], 0)
        tokens = [graph.constant(name, getattr(model, name).data) for name in names]
        x = graph.concat([*(graph.op("Expand", token, shape) for token in tokens), x], 1)
    return graph.op("Add", x, graph.constant("pos_embed", model.pos_embed.data))


def _swin(graph: Graph, images: str, model: Swin) -> str:
    """Add a Swin: patches, stages, head.  (N, 3, S, S) -> (N, C)."""
    c = model.config
    x = _patch_embed(graph, images, model)
    x = layernorm(graph, x, "patch_embed.norm", model.patch_embed.norm)
    x = graph.reshape(x, -1, c.sides[0], c.sides[0], c.dim)
    for i, (stage, side) in enumerate(zip(model.layers, c.sides, strict=True)):
        for j, module in enumerate(stage.blocks):
            x = swin_block(graph, x, f"layers.{i}.blocks.{j}", module, side)
        if stage.downsample is not None:
            x = patch_merging(graph, x, f"layers.{i}.downsample", stage.downsample, side)
    x = layernorm(graph, x, "norm", model.norm)
    return linear(graph, _mean(graph, x, 1, 2), "head", model.head)


def _mean(graph: Graph, x: str, *axes: int) -> str:
    """Average over `axes`, which are removed."""
    return graph.op("ReduceMean", x, graph.int64(*axes), keepdims=0)
