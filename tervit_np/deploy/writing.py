"""A trained model into one small file.

A safetensors container, readable by anything that reads those:

    <layer>.codes     ternary: uint8, five codes to a byte, the flattened matrix; 8 bit: int8
    <layer>.scale     one number for each output channel, or one for all
    <parameter>       everything else, under its official name
    __metadata__      JSON texts: the model's shape, its plan, classes, preprocessing, a checksum

Latent weights stay behind: what is stored is what the quantized model multiplies with.
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
from tervit_np.deploy.base3 import encode
from tervit_np.models import Classifier
from tervit_np.models.quantization import plan_of
from tervit_np.quant import Identity, Quantizer, UniformAct, UniformWeight, is_integer_matmul
from tervit_np.quant.spec import plan_to_spec

FORMAT = "tervit_np packed 1"
PRECISIONS = ("float32", "float16")


def export(
    model: Classifier,
    path: str | Path,
    *,
    precision: str = "float32",
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write a quantized model; `precision` is that of scales and of all that is not quantized.

    `extra` is JSON of the caller's own: classes, mean, std, data.

    Raises
    ------
    ValueError
        If a layer's quantizers have no place in the format, the model is packed already, values
        are not finite or beyond the precision, or `extra` is no JSON.
    OSError
        If the file cannot be written; what stood there before stays.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; expected {' or '.join(PRECISIONS)}")
    arrays = packed_arrays(model, np.dtype(precision))
    meta = {**describe(model), "plan": plan_to_spec(plan_of(model)), "extra": dict(extra or {})}
    texts = {"format": FORMAT, **{key: _json(key, value) for key, value in meta.items()}}
    save_safetensors(arrays, path, texts | {"sha256": checksum(arrays, texts)})


def _json(key: str, value: Any) -> str:
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"export: {key} has a part that is no JSON ({error})") from None


def packed_arrays(model: Classifier, dtype: "np.dtype[Any]") -> dict[str, Array]:
    """Turn a model into what the file holds."""
    arrays: dict[str, Array] = {}
    layers = {f"{name}.weight": (name, layer) for name, layer in model.quantizable()}
    for name, param in model.named_params():
        layer_name, layer = layers.get(name, ("", None))
        if layer is None or isinstance(layer.weight_quant, Identity):
            arrays[name] = _cast(name, param.data, dtype)
            continue
        stored = layer.weight_quant.encode(param.data)
        codes = (
            encode(stored.codes) if storage_kind(layer_name, layer) == "ternary" else stored.codes
        )
        arrays[f"{layer_name}.codes"] = codes
        arrays[f"{layer_name}.scale"] = _cast(f"{layer_name}.scale", stored.scale, dtype)
    for name, layer in model.quantizable():
        storage_kind(name, layer)  # also of layers without weights
    return arrays


def storage_kind(name: str, layer: Any) -> str:
    """Return how a layer is stored: "ternary", "integer" or "float".

    Raises
    ------
    ValueError
        If its quantizers have no place in the format.
    """
    weight: Quantizer = layer.weight_quant
    act: Quantizer = layer.act_quant
    if is_integer_matmul(weight, act):
        return "ternary"
    if isinstance(weight, UniformWeight) and isinstance(act, UniformAct | Identity):
        return "integer"
    if isinstance(weight, Identity) and isinstance(act, UniformAct | Identity):
        return "float"
    raise ValueError(
        f"export: {name} has weights {weight!r} with inputs {act!r}; ternary weights go with "
        "symmetric 8-bit inputs by token"
    )


def _cast(name: str, values: Array, dtype: "np.dtype[Any]") -> Array:
    if not np.isfinite(values).all():
        raise ValueError(f"export: {name} holds NaN or infinite values")
    with np.errstate(over="ignore"):
        cast = np.asarray(values, dtype)
    if not np.isfinite(cast).all():
        raise ValueError(f"export: {name} has values that no {dtype} holds; use float32")
    return cast


def checksum(arrays: Mapping[str, Array], texts: Mapping[str, str]) -> str:
    """Hash the description, and of each array name, kind, shape and contents."""
    digest = hashlib.sha256()
    for key, text in texts.items():
        if key != "sha256":
            digest.update(f"{key} {len(text)} {text}\n".encode())
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data if array.size else b"")
    return digest.hexdigest()
