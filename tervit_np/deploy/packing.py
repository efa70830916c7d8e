"""Replace the layers of a model by packed ones, with codes from a file or from the model itself."""

import copy
from collections.abc import Iterable
from typing import Any

from tervit_np.deploy.blocks import PackedBlocks, has_compiled_form
from tervit_np.deploy.layers import packed_layer
from tervit_np.models import Classifier
from tervit_np.nn import Blocks, Conv2d, Linear, PatchProjection
from tervit_np.nn.quantized_layer import effective_bias
from tervit_np.quant import QuantizedTensor, is_int8_activation, is_integer_matmul
from tervit_np.quant.spec import is_registered

_LAYERS = (Linear, PatchProjection, Conv2d)


def packable(layer: Any) -> bool:
    """Tell whether a layer is an integer product: 8-bit tokens, weights with a packed form.

    Of layers and quantizers whose classes derive from those of the package this is not known.
    """
    is_known = type(layer) in _LAYERS and is_registered(layer.weight_quant)
    return is_known and bool(layer.weight_quant.packing) and is_int8_activation(layer.act_quant)


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
        blocks = getattr(module, "blocks", None)
        if type(blocks) is Blocks and has_compiled_form(blocks):
            module.blocks = PackedBlocks(blocks, num_threads, attention)  # type: ignore[attr-defined]


def packed_copy(model: Classifier) -> Classifier | None:
    """Return a packed copy of a model with its present weights, None if no layer is ternary.

    float32 only. Modules of other classes, and what is changed in a model after it was built, stay
    as they are.
    """
    layers = {name: layer for name, layer in model.quantizable() if packable(layer)}
    if not any(is_integer_matmul(layer.weight_quant, layer.act_quant) for layer in layers.values()):
        return None
    latent = {id(layer.weight): layer.weight for layer in layers.values()}  # need no copy
    copied = copy.deepcopy(model, latent)
    copied_layers = dict(copied.quantizable())
    for name, layer in layers.items():
        if layer.bias is not None:
            copied_layers[name].bias.data[...] = effective_bias(layer)
    layer_codes = (
        (name, layer.weight_quant.encode(layer.weight.data)) for name, layer in layers.items()
    )
    pack_layers_(copied, layer_codes)
    return copied


def _replace(model: Any, name: str, layer: Any) -> None:
    """Set the attribute that the dotted `name` leads to."""
    *path, last = name.split(".")
    for part in path:
        model = model[int(part)] if isinstance(model, list) else getattr(model, part)
    setattr(model, last, layer)
