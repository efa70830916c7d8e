"""A model's layers replaced by packed ones, from codes in a file or from a model in memory."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from tervit_np.deploy.blocks import PackedBlocks
from tervit_np.deploy.layers import PackedLinear, packed_layer
from tervit_np.kernels import Panels
from tervit_np.models import Classifier, build, quantize
from tervit_np.models.quantization import plan_of
from tervit_np.nn import Blocks, Linear, Products
from tervit_np.quant import Identity, UniformWeight, is_int8_per_token, is_integer_matmul
from tervit_np.quant.protocol import QuantizedTensor

CodesLoader: TypeAlias = Callable[[], QuantizedTensor]


def packable(layer: Any) -> bool:
    """Tell whether a layer is a product of integers: 8-bit tokens, ternary or 8-bit weights."""
    weight, act = layer.weight_quant, layer.act_quant
    return is_integer_matmul(weight, act) or (
        isinstance(weight, UniformWeight) and is_int8_per_token(act)
    )


def pack_layers_(
    model: Classifier,
    stored: Mapping[str, CodesLoader],
    members: int = 1,
    attention: str = "float32",
) -> None:
    """Replace layers, named in `stored`, by packed ones with the codes found there, in place.

    Codes are asked for one layer at a time: unpacked, all of them would be several times the file.

    Their biases are those that the model has. Runs of blocks that are ternary throughout become
    one, worked on by `members` threads.
    """
    for name, layer in model.quantizable():
        if name in stored:
            ternary = is_integer_matmul(layer.weight_quant, layer.act_quant)
            codes = stored[name]()
            _replace(model, name, packed_layer(layer, codes.codes, codes.scale, ternary))
            model.packed = True
    for _, module in list(model.named_modules()):
        if isinstance(blocks := getattr(module, "blocks", None), Blocks) and _all_ternary(blocks):
            module.blocks = PackedBlocks(blocks, members, attention)  # type: ignore[attr-defined]


def packed_copy(model: Classifier) -> Classifier | None:
    """Return the model as it is now on packed kernels, None where it has no ternary layers.

    float32 only; what the quantizers make of the latent weights is copied.
    """
    layers = {name: layer for name, layer in model.quantizable() if packable(layer)}
    if not any(is_integer_matmul(layer.weight_quant, layer.act_quant) for layer in layers.values()):
        return None
    copy = build(model.config, None, model.dtype)
    quantize(copy, plan_of(model))
    mine = dict(model.named_params())
    for name, param in copy.named_params():
        if name.removesuffix(".weight") not in layers:
            param.data[...] = mine[name].data
    pack_layers_(copy, {name: partial(_codes, layer) for name, layer in layers.items()})
    return copy


def _codes(layer: Any) -> QuantizedTensor:
    codes: QuantizedTensor = layer.weight_quant.encode(layer.weight.data)
    return codes


def _all_ternary(blocks: Blocks) -> bool:
    """Tell whether a run of blocks is of ternary layers, with attention between them in floats."""
    layers = [layer for block in blocks for _, layer in block.named_modules()]
    linear = [layer for layer in layers if isinstance(layer, Linear | PackedLinear)]
    products = [layer.act_quant for layer in layers if isinstance(layer, Products)]
    return all(
        isinstance(layer, PackedLinear) and isinstance(layer.packed, Panels) for layer in linear
    ) and all(isinstance(rounding, Identity) for rounding in products)


def _replace(model: Any, name: str, layer: Any) -> None:
    """Put a packed layer where the float one was."""
    *path, last = name.split(".")
    for part in path:
        model = model[int(part)] if isinstance(model, list) else getattr(model, part)
    setattr(model, last, layer)
