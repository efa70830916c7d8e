"""A packed file into a model that runs.

Ternary layers are repacked from base 3 to the panels of the kernels and never exist as floats;
layers of 8 bits stay bytes. Only where inputs are not rounded token by token do weights become
floats, on their grid. Everything is checked before it is used: checksum, names, shapes, bytes that
no writer writes.
"""

import json
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.checkpoints.formats.safetensors import read_safetensors
from tervit_np.deploy.base3 import decode
from tervit_np.deploy.blocks import ATTENTION
from tervit_np.deploy.packing import CodesLoader, pack_layers_, packable
from tervit_np.deploy.writing import FORMAT, checksum, storage_kind
from tervit_np.kernels import selected_variant
from tervit_np.models import Classifier, build, config_from, quantize
from tervit_np.quant import Plan
from tervit_np.quant.identity import IDENTITY, ZERO
from tervit_np.quant.protocol import QuantizedTensor
from tervit_np.quant.spec import plan_from_spec

_KEYS = ("model", "config", "dtype", "plan", "extra")


class Packed(NamedTuple):
    """A model from a packed file, and what was stored beside it."""

    model: Classifier
    extra: dict[str, Any]

    def predict(self, images: Array, batch_size: int = 64) -> Array:
        """Classify normalised images.  (N, 3, S, S) -> logits (N, C)."""
        return self.model.predict(images, batch_size)


def load_packed(path: str | Path, *, threads: int = 1, attention: str = "float32") -> Packed:
    """Read a file that `export` wrote.

    `threads` threads share the work on each image. With `attention="int8"` the two products of
    attention run on bytes as well, which no training knew of: faster for DeiT, slightly less
    accurate.

    Raises
    ------
    ValueError
        If the file is absent, damaged, or not one of these, or an option is unknown.
    """
    if threads < 1 or attention not in ATTENTION:
        raise ValueError(
            f"load_packed: threads is {threads}, attention {attention!r}; expected at least 1, and "
            f"one of {', '.join(ATTENTION)}"
        )
    selected_variant()  # refuses an unknown TERVIT_KERNEL or TERVIT_BACKEND: not the file's fault
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    arrays, metadata = read_safetensors(path)
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"{path}: no packed model of this version (expected {FORMAT!r}); `tervit export` "
            "writes them"
        )
    if metadata.get("sha256") != checksum(arrays, metadata):
        raise ValueError(f"{path}: its contents do not fit their checksum: the file is damaged")
    try:
        meta = {key: json.loads(metadata[key]) for key in _KEYS}
        model = build(config_from(meta["model"], meta["config"]), None, meta["dtype"])
        quantize(model, plan_from_spec(meta["plan"]))
        pack_layers_(model, _fill(model, arrays), threads, attention)
    except KeyError as error:
        raise ValueError(f"{path}: {error.args[0]} is missing") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: its description and its arrays do not fit ({error})") from None
    return Packed(model, meta["extra"] if isinstance(meta["extra"], dict) else {})


def stored_plan(path: Path) -> Plan:
    """Return the plan that a packed file was written with."""
    return plan_from_spec(json.loads(read_safetensors(path)[1]["plan"]))


def is_packed(path: Path) -> bool:
    """Tell whether a file is one of these, by its first kilobytes."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return f'"format":"{FORMAT}"'.encode() in file.read(4096)


def _fill(model: Classifier, arrays: Mapping[str, Array]) -> dict[str, CodesLoader]:
    """Give each parameter its values; no array may be missing or left over.

    -> codes of the layers that are to be packed.
    """
    left = dict(arrays)
    stored: dict[str, CodesLoader] = {}
    layers = {f"{name}.weight": (name, layer) for name, layer in model.quantizable()}
    for name, param in model.named_params():
        layer_name, layer = layers.get(name, ("", None))
        kind = "float" if layer is None else storage_kind(layer_name, layer)
        if kind == "float":
            param.data[...] = _checked(left.pop(name), name, param.shape, "f")
            continue
        codes, scale = left.pop(f"{layer_name}.codes"), left.pop(f"{layer_name}.scale")
        shapes = (param.shape[:1], ())
        scale = _checked(scale, f"{layer_name}.scale", shapes[scale.ndim == 0], "f")
        if kind == "integer":
            codes = _checked(codes, f"{layer_name}.codes", param.shape, "i")
        if packable(layer):
            stored[layer_name] = partial(_codes, codes, scale, param.shape, kind == "ternary")
        else:
            param.data[...] = QuantizedTensor(codes, scale, ZERO).dequantize()
            layer.weight_quant = IDENTITY  # on its grid already
    if left:
        raise ValueError(f"unexpected {', '.join(list(left)[:3])}")
    return stored


def _codes(codes: Array, scale: Array, shape: tuple[int, ...], ternary: bool) -> QuantizedTensor:
    """Unpack what the file holds of a layer."""
    whole = decode(codes, math.prod(shape)).reshape(shape) if ternary else codes
    return QuantizedTensor(whole, scale, ZERO)


def _checked(array: Array, name: str, shape: tuple[int, ...], kind: str) -> Array:
    if array.shape != shape or array.dtype.kind != kind:
        raise ValueError(f"{name} is {array.dtype} {array.shape}, expected {shape}")
    if kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite values")
    return array.astype(np.float32) if kind == "f" else array
