"""Our checkpoints: one .npz with every parameter and a JSON description, without pickles.

    "meta"  JSON: format, model class, configuration, dtype, plan, and `extra` of the caller
    <official parameter name>  array

Files are written atomically.
"""

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.files import atomic_write
from tervit_np.models.classifier import Classifier
from tervit_np.models.quantization import plan_of, quantize
from tervit_np.models.registry import build, config_from
from tervit_np.quant import Plan
from tervit_np.quant.spec import plan_from_spec, plan_to_spec

FORMAT = "tervit_np 1"
# What NumPy, zipfile, zlib and json raise for damaged bytes.
_DAMAGE = (OSError, ValueError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


def write_npz(path: Path, arrays: Mapping[str, Array], meta: dict[str, Any]) -> None:
    """Write arrays and a JSON description atomically.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written; the partial file is deleted.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    with atomic_write(path) as file:
        np.savez(file, meta=text, **arrays)  # type: ignore[arg-type]


def read_npz(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read arrays and description.

    Raises
    ------
    ValueError
        If the file is missing, truncated, damaged, or not a checkpoint of tervit_np.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path}: not a checkpoint of tervit_np, or truncated (it is not an .npz archive)"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(arrays.pop("meta").tobytes())
    except (KeyError, AttributeError):  # no "meta", or it is not an array
        raise ValueError(f"{path}: an archive, but not a checkpoint of tervit_np") from None
    except _DAMAGE as error:
        raise ValueError(f"{path}: a damaged checkpoint ({error})") from None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise ValueError(f"{path}: not a checkpoint of this version (expected {FORMAT!r})")
    return arrays, meta


def save_checkpoint(
    model: Classifier,
    path: str | Path,
    *,
    plan: Plan | None = None,
    extra: dict[str, Any] | None = None,
) -> None:
    """Write a model's parameters, configuration and plan; `extra` is any JSON.

    Without `plan`, the plan is that of the model's quantizers.
    """
    rules = plan_to_spec(plan_of(model) if plan is None else plan)
    meta = {"format": FORMAT, **describe(model), "plan": rules}
    write_npz(Path(path), model.state_dict(), {**meta, "extra": extra or {}})


def is_npz_checkpoint(path: Path) -> bool:
    """Tell whether a file is a checkpoint of tervit_np, whatever its name."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "meta.npy" in archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def load_model(path: str | Path) -> tuple[Classifier, dict[str, Any]]:
    """Load a saved model with its quantizers.  -> model, `extra` of `save_checkpoint`.

    Raises
    ------
    ValueError
        If the file is damaged, or its description does not fit its arrays.
    """
    arrays, meta = read_npz(Path(path))
    try:
        config = config_from(meta["model"], meta["config"])
        dtype = meta["dtype"]
        plan = plan_from_spec(meta["plan"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: its description of the model is damaged ({error})") from None
    model = build(config, None, dtype)
    quantize(model, plan)
    model.load_state_dict(arrays)
    return model, meta.get("extra", {})


def describe(model: Classifier) -> dict[str, Any]:
    """Describe a model as JSON: class, configuration, dtype."""
    model.require_latent_weights()
    return {
        "model": type(model).__name__,
        "config": asdict(model.config),
        "dtype": str(model.dtype),
    }
