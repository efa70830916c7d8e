"""Write a quantized model to a packed file.

A packed file is a safetensors container, readable by any program that reads those:

    <layer>.codes     the weight's codes: ternary, five to a byte (base3.py), uint8 (n,); of 2 to 7
                      bits, that many bits each (bit_packing.py), uint8 (n,); of 8 bits, int8
    <layer>.scale     one number for each output channel (O,), one for all (), or one for each group
                      of inputs (O, groups)
    <norm>.codes, <norm>.scale                  of a ternary gamma, as those of a layer
    <parameter>       every other parameter, under its official name
    __metadata__      JSON texts: configuration, plan, a checksum, and the caller's `extra`

Latent weights are not stored, only the codes and scales that the quantized model multiplies with.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.checkpoints import save_safetensors
from tervit_np.checkpoints.npz import describe
from tervit_np.checkpoints.own_parts import own_part
from tervit_np.deploy import base3, bit_packing
from tervit_np.models import Classifier, with_fixed_inputs
from tervit_np.models.classifier import require_model
from tervit_np.models.quantization import plan_of
from tervit_np.nn.quantized_layer import effective_bias
from tervit_np.quant import (
    Identity,
    Quantizer,
    QuestAct,
    StaticAct,
    UniformAct,
    fixed_scale,
    is_int8_activation,
)
from tervit_np.quant.spec import plan_to_spec, require_registered

FORMAT = "tervit_np packed 1"
PRECISIONS = ("float32", "float16")
_INPUTS = UniformAct | StaticAct | QuestAct | Identity  # of layers that run as floats


def export(
    model: Classifier,
    path: str | Path,
    *,
    precision: str = "float32",
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write a quantized model to a packed file.

    `precision`, "float32" or "float16", is the type of scales and of all parameters that are not
    quantized. `extra` is stored as JSON: class names, mean, std, and the like.

    Raises
    ------
    ValueError
        If the format cannot store a layer's quantizers, the model is packed already, has classes of
        another origin or other parts than its configuration says, values are not finite or out of
        range of the precision, or `extra` cannot be written as JSON.
    OSError
        If the file cannot be written; an older file of this name is then kept.
    """
    extra = checked_extra(extra)
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; expected {' or '.join(PRECISIONS)}")
    require_model(model)
    model.require_latent_weights()
    _check_describable(model)
    model = with_fixed_inputs(model)
    arrays = packed_arrays(model, np.dtype(precision))
    meta = {**describe(model), "plan": plan_to_spec(plan_of(model)), "extra": extra}
    texts = {"format": FORMAT, **{key: to_json(key, value) for key, value in meta.items()}}
    save_safetensors(arrays, path, texts | {"sha256": checksum(arrays, texts)})


def _check_describable(model: Classifier) -> None:
    """Raise ValueError unless a reader can build the model from its configuration."""
    if part := own_part(model):
        raise ValueError(
            f"export: the model has {part}, and a packed file can only describe models of "
            "tervit_np as their configuration says"
        )
    count = sum(param.size for _, param in model.official_params())
    if count != model.config.parameters:
        raise ValueError(
            f"export: the model has {count} parameters, and one of its configuration "
            f"{model.config.parameters}; change the configuration and load the weights into the "
            "model that it describes"
        )


def checked_extra(extra: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a caller adds to a file as a dictionary; ValueError if it is something else."""
    if not isinstance(extra, Mapping | None):
        raise ValueError(f"export: extra is {extra!r}, expected a dictionary")
    return dict(extra or {})


def to_json(key: str, value: Any) -> str:
    """Write a value of the metadata as JSON, without NaN and infinity."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"export: {key} cannot be written as JSON ({error})") from None


def packed_arrays(model: Classifier, dtype: "np.dtype[Any]") -> dict[str, Array]:
    """Return the arrays of a packed file, by name, with floats of `dtype`."""
    check_storable(model)
    arrays: dict[str, Array] = {}
    layers = {f"{name}.weight": (name, layer) for name, layer in model.quantizable()}
    gammas = {
        f"{name}.weight": (name, norm.gamma_quant)
        for name, norm in model.norms()
        if not isinstance(norm.gamma_quant, Identity)
    }
    biased = {  # a quantizer may add to the bias
        f"{name}.bias": layer
        for name, layer in model.quantizable()
        if layer.weight is not None and layer.bias is not None
    }
    for name, param in model.official_params():  # learned scales of weights are in <layer>.scale
        if name in gammas:
            norm_name, quantizer = gammas[name]
            codes, scale, _ = quantizer.encode(param.data)
            arrays[f"{norm_name}.codes"] = base3.encode(codes)
            arrays[f"{norm_name}.scale"] = _cast_scale(f"{norm_name}.scale", scale, dtype)
            continue
        layer_name, layer = layers.get(name, ("", None))
        if layer is None or isinstance(layer.weight_quant, Identity):
            bias = effective_bias(biased[name]) if name in biased else None
            arrays[name] = _cast(name, param.data if bias is None else bias, dtype)
            continue
        codes, scale, _ = layer.weight_quant.encode(param.data)
        arrays[f"{layer_name}.codes"] = _packed_codes(layer_name, layer, codes)
        arrays[f"{layer_name}.scale"] = _cast_scale(f"{layer_name}.scale", scale, dtype)
    return arrays


def check_storable(model: Classifier) -> None:
    """Raise ValueError if the format cannot store the quantizers of a layer."""
    for name, layer in model.quantizable():
        storage_kind(name, layer)  # refuses the quantizers of layers without weights, too
        try:
            fixed_scale(layer.act_quant)
        except ValueError as error:
            raise ValueError(f"export: {name}: {error}") from None


def can_be_packed(model: Classifier) -> bool:
    """Tell whether `export` can store the quantizers of a model."""
    return not packing_problem(model)


def packing_problem(model: Classifier) -> str:
    """Say why `export` cannot store the quantizers of a model; "" if it can."""
    try:
        check_storable(with_fixed_inputs(model))
    except ValueError as error:
        return str(error).removeprefix("export: ")
    return ""


def _packed_codes(name: str, layer: Any, codes: Array) -> Array:
    """Pack the codes of a weight as the file stores them.  int8 (O, ...) -> uint8 (n,) or int8."""
    if storage_kind(name, layer) == "ternary":
        return base3.encode(codes)
    bits = layer.weight_quant.code_bits
    return codes if bits == 8 else bit_packing.encode(codes, bits)


def storage_kind(name: str, layer: Any) -> str:
    """Return how the weight of a layer is stored: "ternary", "integer" or "float".

    Raises
    ------
    ValueError
        If the format cannot store its quantizers.
    """
    weight: Quantizer = layer.weight_quant
    act: Quantizer = layer.act_quant
    for quantizer in (weight, act):
        try:
            require_registered(quantizer)
        except ValueError as error:
            raise ValueError(f"export: {name}: {error}") from None
    kind = "float" if isinstance(weight, Identity) else weight.packing.removesuffix(" groups")
    if not kind:
        raise ValueError(
            f"export: {name} has weights {weight!r}, which have no packed form: "
            f"{weight.no_packed_form}"
        )
    if is_int8_activation(act) or (kind != "ternary" and isinstance(act, _INPUTS)):
        return kind
    needed = (
        "a packed layer of three values needs symmetric 8-bit inputs, static or with one scale per "
        "token"
        if kind == "ternary"
        else "a packed file has inputs of one of the rules for inputs, without a ramp"
    )
    raise ValueError(f"export: {name} has weights {weight!r} with inputs {act!r}; {needed}")


def _cast(name: str, values: Array, dtype: "np.dtype[Any]") -> Array:
    """Convert finite values to `dtype`."""
    if not np.isfinite(values).all():
        raise ValueError(f"export: {name} holds NaN or infinite values")
    with np.errstate(over="ignore"):
        cast = np.asarray(values, dtype)
    if not np.isfinite(cast).all():
        raise ValueError(f"export: {name} has values too large for {dtype}; use float32")
    return cast


def _cast_scale(name: str, scale: Array, dtype: "np.dtype[Any]") -> Array:
    """Convert scales; the smallest numbers of float16 have few digits, or become 0."""
    cast = _cast(name, scale, dtype)
    if (np.abs(cast.astype(scale.dtype) - scale) > 2 * np.finfo(dtype).eps * np.abs(scale)).any():
        raise ValueError(f"export: {name} has values too small for {dtype}; use float32")
    return cast


def checksum(arrays: Mapping[str, Array], texts: Mapping[str, str]) -> str:
    """Hash all texts, and the name, dtype, shape and contents of every array."""
    digest = hashlib.sha256()
    for key, text in texts.items():
        if key != "sha256":
            digest.update(f"{key} {len(text)} {text}\n".encode("utf-8", "surrogatepass"))
    for name, array in arrays.items():
        described = f"{name} {array.dtype.str} {array.shape}\n"
        digest.update(described.encode("utf-8", "surrogatepass"))
        digest.update(np.ascontiguousarray(array).data if array.size else b"")
    return digest.hexdigest()
