"""Load a packed file into a model that runs from its packed weights.

Ternary layers are repacked from base 3 to the panels of the kernels; codes of 2 to 7 bits become
bytes, as those of 8 bits are, for the kernel of 8-bit weights. None of them ever becomes floats.
Weights become floats, on their grid, only in layers whose inputs are not quantized token by token.
Before anything is used it is checked: the checksum, names, shapes, and bytes that no export writes.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_tools.plain_numbers import whole_number
from tervit_np.arrays import Array
from tervit_np.checkpoints import read_safetensors
from tervit_np.checkpoints.npz import described_model
from tervit_np.deploy import base3, bit_packing
from tervit_np.deploy.blocks import ATTENTION
from tervit_np.deploy.packing import pack_layers_, packable
from tervit_np.deploy.trained import trained_model
from tervit_np.deploy.writing import FORMAT, checksum, storage_kind
from tervit_np.files import as_path, require_file
from tervit_np.kernels import selected_variant
from tervit_np.models import Classifier
from tervit_np.quant import Plan, QuantizedTensor
from tervit_np.quant.channels import scale_shape
from tervit_np.quant.identity import IDENTITY, ZERO, Identity
from tervit_np.quant.spec import plan_from_spec

_BYTES_PER_PARAMETER = 0.4  # twice those of five ternary codes to a byte
_KEYS = ("model", "config", "dtype", "plan", "extra")


class PackedModel(NamedTuple):
    """A model loaded from a packed file, and the `extra` that was exported with it."""

    model: Classifier
    extra: dict[str, Any]

    def predict(self, images: Array, batch_size: int = 64, threads: int = 1) -> Array:
        """Classify normalised images, as `model.predict`.  (N, 3, S, S) -> logits (N, C)."""
        return self.model.predict(images, batch_size, threads)


def load_packed(path: str | Path, *, threads: int = 1, attention: str = "float32") -> PackedModel:
    """Load a packed file, as `export` writes them, or a trained model of the package by name.

    `threads` threads share the work on each image. With `attention="int8"` the two products of
    attention are integer products too, which the model was not trained for: faster for DeiT,
    slightly less accurate. With `attention="bfloat16"` their factors are rounded to bfloat16: four
    times more exact than int8, and meant for processors with Intel AMX; elsewhere it is emulated,
    and slower than float32.

    Raises
    ------
    ValueError
        If the file is absent, damaged, or not a packed file, or an option is unknown.
    """
    threads = whole_number("load_packed: threads", threads, 1)
    if attention not in ATTENTION:
        raise ValueError(
            f"load_packed: attention is {attention!r}; expected one of {', '.join(ATTENTION)}"
        )
    selected_variant()  # a wrong TERVIT_KERNEL or TERVIT_BACKEND is not reported as a wrong file
    path = trained_model(str(path)) or as_path(path)
    arrays, metadata = _read(path)
    try:
        meta = {key: json.loads(metadata[key]) for key in _KEYS}
        model = described_model(meta, arrays, _BYTES_PER_PARAMETER)
        _load_weights_(model, arrays, threads, attention)
    except KeyError as error:
        raise ValueError(f"{path}: {error.args[0]} is missing") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{path}: its metadata and its arrays do not fit together ({error})"
        ) from None
    return PackedModel(model, meta["extra"] if isinstance(meta["extra"], dict) else {})


def stored_plan(path: Path) -> Plan:
    """Return the plan that a packed file was exported with; ValueError if it is damaged."""
    text = _read(path)[1].get("plan", "")
    try:
        return plan_from_spec(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: its plan is damaged ({error})") from None


def is_packed(path: Path) -> bool:
    """Tell whether a file is a packed file, from its first kilobytes."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return f'"format":"{FORMAT}"'.encode() in file.read(4096)


def _read(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Read arrays and metadata, and check format and checksum."""
    require_file(path)
    arrays, metadata = read_safetensors(path)
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"{path}: not a packed file of this version (expected the format {FORMAT!r}); "
            "write one with `tervit export`"
        )
    if metadata.get("sha256") != checksum(arrays, metadata):
        raise ValueError(f"{path}: its contents do not match its checksum: the file is damaged")
    return arrays, metadata


def _load_weights_(
    model: Classifier, arrays: Mapping[str, Array], threads: int, attention: str
) -> None:
    """Load all arrays into the model, and pack its layers; no array may be missing or left over."""
    remaining = dict(arrays)
    quantized = {
        name: layer
        for name, layer in model.quantizable()
        if layer.weight is not None and storage_kind(name, layer) != "float"
    }
    taken = _take_gammas(model, remaining) | quantized.keys()
    for name, param in model.official_params():
        if name.removesuffix(".weight") not in taken:
            param.data[...] = _checked(remaining.pop(name), name, param.shape)
    pack_layers_(model, _take_codes(quantized, remaining), threads, attention)
    if remaining:
        raise ValueError(f"unexpected {', '.join(list(remaining)[:3])}")


def _take_gammas(model: Classifier, remaining: dict[str, Array]) -> set[str]:
    """Take ternary gammas from `remaining` into the model, as floats.  -> the names of norms."""
    norms = {n: m for n, m in model.norms() if not isinstance(m.gamma_quant, Identity)}
    for name, norm in norms.items():
        stored, scale = remaining.pop(f"{name}.codes"), remaining.pop(f"{name}.scale")
        scale = _checked(scale, f"{name}.scale", ())
        try:
            codes = base3.decode(stored, norm.weight.size)
        except ValueError as error:
            raise ValueError(f"{name}.codes: {error}") from None
        norm.weight.data[...] = QuantizedTensor(codes, scale, ZERO).dequantize()
        norm.gamma_quant = IDENTITY
    return set(norms)


def _take_codes(
    layers: Mapping[str, Any], remaining: dict[str, Array]
) -> Iterator[tuple[str, QuantizedTensor]]:
    """Take the codes of all layers from `remaining`; yield those of the layers to pack.

    Layers that cannot be packed get their weights as floats.
    """
    for name, layer in layers.items():
        stored, scale = remaining.pop(f"{name}.codes"), remaining.pop(f"{name}.scale")
        shape, quantizer = layer.weight.shape, layer.weight_quant
        expected = () if scale.ndim == 0 else shape[:1]
        if quantizer.packing.endswith("groups"):
            expected = scale_shape(shape, quantizer.granularity)
        scale = _checked(scale, f"{name}.scale", expected)
        try:
            weights = _unpacked_codes(name, layer, stored)
        except ValueError as error:
            raise ValueError(f"{name}.codes: {error}") from None
        codes = QuantizedTensor(weights, scale, ZERO)
        if packable(layer):
            yield name, codes
        else:
            layer.weight.data[...] = codes.dequantize()
            layer.weight_quant = IDENTITY  # its values are on the grid already


def _unpacked_codes(name: str, layer: Any, stored: Array) -> Array:
    """Return the codes of a weight.  uint8 (n,) or int8 (O, ...) -> int8 (O, ...)."""
    shape, bits = layer.weight.shape, layer.weight_quant.code_bits
    if storage_kind(name, layer) == "ternary":
        return base3.decode(stored, math.prod(shape)).reshape(shape)
    if bits < 8 and stored.dtype == np.uint8:
        return bit_packing.decode(stored, math.prod(shape), bits).reshape(shape)
    # Older files have a byte for each code of fewer than 8 bits, too.
    if stored.dtype != np.int8 or stored.shape != shape:
        raise ValueError(f"{stored.dtype} {stored.shape}, expected int8 {shape}")
    bit_packing.check_range(stored, bits)
    return stored


def _checked(array: Array, name: str, shape: tuple[int, ...]) -> Array:
    """Return an array of floats of this shape as float32."""
    if array.shape != shape or array.dtype.kind != "f":
        raise ValueError(f"{name} is {array.dtype} {array.shape}, expected floats {shape}")
    with np.errstate(over="ignore"):
        cast = array.astype(np.float32)
    if not np.isfinite(cast).all():
        raise ValueError(f"{name} holds NaN or values that no finite float32 can hold")
    return cast
