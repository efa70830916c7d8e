"""Read weights from files of all known formats."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_tools.counted import counted
from tervit_np.arrays import Array
from tervit_np.checkpoints.formats.buffers import Map, drop_buffers
from tervit_np.checkpoints.formats.names import official_names, split_unused
from tervit_np.checkpoints.formats.relatives import refuse_relatives
from tervit_np.checkpoints.formats.safetensors import read_safetensors
from tervit_np.checkpoints.formats.torch_file import read_torch
from tervit_np.checkpoints.formats.wrappers import find_model, flatten
from tervit_np.checkpoints.npz import is_npz_checkpoint, read_npz
from tervit_np.files import as_path, require_file


class Weights(NamedTuple):
    """The parameters of one model, under their official names."""

    arrays: dict[str, Array]
    notes: list[str]  # what was stripped and left out, in words
    maps: list[Map]  # of Swin's stages, as far as the file shows them


def load_checkpoint(path: str | Path, *, lenient: bool = False) -> dict[str, Array]:
    """Read weights.  -> {official name: float32 array}; float64 of our .npz of a float64 model.

    Formats: our .npz; .safetensors with the names of the authors, timm or Hugging Face; PyTorch's
    .pth or .pt in both containers, read without PyTorch. Prefixes that wrappers give to all names
    are stripped, buffers are checked and dropped. `lenient` skips training state in a .pth file,
    without running any of it.

    Raises
    ------
    ValueError
        If the file is absent, damaged, hostile or of unknown format, holds another kind of model,
        or its names contradict each other.
    """
    return read_weights(path, lenient=lenient).arrays


def read_weights(path: str | Path, *, lenient: bool = False) -> Weights:
    """Read weights as `load_checkpoint` does, and say what was stripped and left out."""
    path = as_path(path)
    require_file(path)
    if path.suffix == ".npz" or is_npz_checkpoint(path):
        return _latent_weights(read_npz(path)[0])
    stored = _stored_arrays(path, lenient)
    try:
        weights = weights_of(stored)
        stored.clear()  # each array is freed when it is cast
        for name in weights.arrays:
            weights.arrays[name] = _float32(name, weights.arrays[name])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return weights


def _latent_weights(arrays: dict[str, Array]) -> Weights:
    """Leave out what quantizers have learned; a plan finds the scales of latent weights anew."""
    learned = [name for name in arrays if ".weight_quant." in name or ".act_quant." in name]
    for name in learned:
        del arrays[name]
    count = len({name.rpartition(".")[0] for name in learned})
    notes = [f"left out what was learned by {counted(count, 'quantizer')}"] if count else []
    return Weights(arrays, notes, [])


def _stored_arrays(path: Path, lenient: bool) -> dict[str, Array]:
    if path.suffix == ".safetensors" or _looks_like_safetensors(path):
        return read_safetensors(path)[0]
    if _looks_like_torch(path):
        return read_torch(path, lenient)
    raise ValueError(f"{path}: unknown format (expected .npz, .safetensors or .pth), or damaged")


def weights_of(tree: Mapping[str, Any]) -> Weights:
    """Find the model among named arrays, nested or with a prefix, and give it official names.

    Raises
    ------
    ValueError
        If there are several models, a related kind of model, or names that contradict each other.
    """
    stored = flatten(tree)
    names, notes = find_model(stored)
    used, unused = split_unused(names.values())
    refuse_relatives(used)
    if unused:
        notes = [*notes, f"left out what only pretraining needs: {', '.join(unused[:3])}"]
    is_used = set(used)
    arrays = {m: np.asarray(stored[name]) for name, m in names.items() if m in is_used}
    if empty := next((name for name, array in arrays.items() if array.size == 0), None):
        raise ValueError(f"{empty} is {arrays[empty].shape} and holds no numbers")
    parameters, maps = drop_buffers(arrays)
    return Weights(official_names(parameters), notes, maps)


def _looks_like_safetensors(path: Path) -> bool:
    with open(path, "rb") as file:
        start = file.read(9)
    length = int.from_bytes(start[:8], "little")
    return start[8:] == b"{" and length < path.stat().st_size and not zipfile.is_zipfile(path)


def _looks_like_torch(path: Path) -> bool:
    """Check the first byte: that of a zip archive, or of a pickle of protocol 2 or later."""
    with open(path, "rb") as file:
        return file.read(1) in (b"P", b"\x80")


def _float32(name: str, array: Array) -> Array:
    """Cast to float32; ValueError if it holds integers or a value that is not finite in it."""
    if array.dtype.kind != "f":
        raise ValueError(f"{name} holds {array.dtype} numbers, expected floats")
    with np.errstate(over="ignore"):
        cast = np.asarray(array, np.float32)
    if not np.isfinite(cast).all():
        raise ValueError(f"{name} holds NaN or values that no finite float32 can hold")
    return cast
