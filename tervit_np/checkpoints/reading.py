"""Read weights from files of all known formats."""

import zipfile
from pathlib import Path

import numpy as np

from tervit_np.arrays import Array
from tervit_np.checkpoints.formats.buffers import drop_buffers
from tervit_np.checkpoints.formats.names import official_names
from tervit_np.checkpoints.formats.safetensors import read_safetensors
from tervit_np.checkpoints.formats.torch_file import read_torch
from tervit_np.checkpoints.npz import is_npz_checkpoint, read_npz


def load_checkpoint(path: str | Path, *, lenient: bool = False) -> dict[str, Array]:
    """Read weights.  -> {official name: float32 array}.

    Formats: our .npz; .safetensors with the names of the authors, timm or Hugging Face; PyTorch's
    .pth or .pt in both containers, read without PyTorch. Buffers are checked, then dropped.
    `lenient` skips training state in a .pth file, without running any of it.

    Raises
    ------
    ValueError
        If the file is absent, damaged, hostile or of unknown format, or its names contradict each
        other.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    if path.suffix == ".npz" or is_npz_checkpoint(path):
        return read_npz(path)[0]
    if path.suffix == ".safetensors" or _looks_like_safetensors(path):
        arrays = read_safetensors(path)[0]
    elif _looks_like_torch(path):
        arrays = read_torch(path, lenient)
    else:
        raise ValueError(
            f"{path}: unknown format (expected .npz, .safetensors or .pth), or damaged"
        )
    return {
        name: _float32(path, name, array)
        for name, array in official_names(drop_buffers(arrays)).items()
    }


def _looks_like_safetensors(path: Path) -> bool:
    with open(path, "rb") as file:
        start = file.read(9)
    length = int.from_bytes(start[:8], "little")
    return start[8:] == b"{" and length < path.stat().st_size and not zipfile.is_zipfile(path)


def _looks_like_torch(path: Path) -> bool:
    """Check the first byte: that of a zip archive, or of a pickle of protocol 2 or later."""
    with open(path, "rb") as file:
        return file.read(1) in (b"P", b"\x80")


def _float32(path: Path, name: str, array: Array) -> Array:
    """Cast to float32; ValueError if a value is not finite in it."""
    with np.errstate(over="ignore"):
        cast = np.asarray(array, np.float32)
    if not np.isfinite(cast).all():
        raise ValueError(f"{path}: {name} holds NaN or values that no finite float32 can hold")
    return cast
