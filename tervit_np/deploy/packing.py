"""Replace the layers of a model by packed ones, with codes from a file or from the model itself."""

from collections.abc import Iterable
from typing import Any

from tervit_np.deploy.blocks import PackedBlocks
from tervit_np.deploy.layers import PackedLinear, packed_layer
from tervit_np.kernels import Panels
from tervit_np.models import Classifier, build, quantize
from tervit_np.models.quantization import plan_of
from tervit_np.nn import Blocks, Linear, Products
from tervit_np.nn.quantized_layer import effective_bias
from tervit_np.quant import (
    Identity,
    QuantizedTensor,
    is_int8_activation,
    is_integer_matmul,
)


def packable(layer: Any) -> bool:
    """Tell whether a layer is an integer product: 8-bit tokens, weights with a packed form."""
    return bool(layer.weight_quant.packing) and is_int8_activation(layer.act_quant)


def pack_layers_(
    model: Classifier,
    layer_codes: Iterable[tuple[str, QuantizedTensor]],
    num_threads: int = 1,
    attention: str = "float32",
) -> None:
    """Replace layers by packed ones, in place; they keep the model's biases.

    `layer_codes` yields the name of each layer and the codes of its weight, one layer at a time:
    all of them unpacked would take several times the memory of the file. Lists of blocks whose
    linear layers are all ternary, without groups, become `PackedBlocks`, run by `num_threads`
    threads.
    """
    layers = dict(model.quantizable())
    for name, codes in layer_codes:
        _replace(model, name, packed_layer(layers[name], codes))
        model.packed = True
    for _, module in list(model.named_modules()):
        if isinstance(blocks := getattr(module, "blocks", None), Blocks) and _all_ternary(blocks):
            module.blocks = PackedBlocks(blocks, num_threads, attention)  # type: ignore[attr-defined]


def packed_copy(model: Classifier) -> Classifier | None:
    """Return a packed copy of a model with its present weights, None if no layer is ternary.

    float32 only.
    """
    layers = {name: layer for name, layer in model.quantizable() if packable(layer)}
    if not any(is_integer_matmul(layer.weight_quant, layer.act_quant) for layer in layers.values()):
        return None
    copy = build(model.config, None, model.dtype)
    quantize(copy, plan_of(model))
    arrays = model.named_arrays()
    for name, array in copy.named_arrays().items():
        if name.removesuffix(".weight") not in layers:
            array[...] = arrays[name]
    copied = dict(copy.quantizable())
    for name, layer in layers.items():
        if layer.bias is not None:
            copied[name].bias.data[...] = effective_bias(layer)
    layer_codes = (
        (name, layer.weight_quant.encode(layer.weight.data)) for name, layer in layers.items()
    )
    pack_layers_(copy, layer_codes)
    return copy


def _all_ternary(blocks: Blocks) -> bool:
    """Tell whether all linear layers are packed and ternary, and attention is not quantized."""
    modules = [module for block in blocks for _, module in block.named_modules()]
    linear = [module for module in modules if isinstance(module, Linear | PackedLinear)]
    products = [module.act_quant for module in modules if isinstance(module, Products)]
    return all(
        isinstance(layer, PackedLinear) and isinstance(layer.packed, Panels) for layer in linear
    ) and all(isinstance(quantizer, Identity) for quantizer in products)


def _replace(model: Any, name: str, layer: Any) -> None:
    """Set the attribute that the dotted `name` leads to."""
    *path, last = name.split(".")
    for part in path:
        model = model[int(part)] if isinstance(model, list) else getattr(model, part)
    setattr(model, last, layer)
