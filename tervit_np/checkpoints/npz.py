"""Our checkpoints: one .npz with every parameter and a JSON description, without pickles.

    "meta"  JSON: format, model class, configuration, dtype, plan, and `extra` of the caller
    <official parameter name>  array

Files are written atomically.
"""

import copy
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.checkpoints.formats.npz_archive import check_directory, read_arrays
from tervit_np.checkpoints.memory import require_fits
from tervit_np.checkpoints.own_parts import changed_setting, own_class
from tervit_np.files import as_path, atomic_write, make_folder, require_file
from tervit_np.models.classifier import Classifier, float_dtype, require_model
from tervit_np.models.quantization import plan_of, quantize
from tervit_np.models.registry import build, config_from
from tervit_np.quant import Plan, named_plan
from tervit_np.quant.spec import plan_from_spec, plan_to_spec

FORMAT = "tervit_np 1"
MAX_META = 1_500_000  # bytes of JSON, which take up to twenty times as many in memory
# What zipfile and json raise for damaged bytes.
_DAMAGE = (OSError, ValueError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile)


def write_npz(path: Path, arrays: Mapping[str, Array], meta: dict[str, Any]) -> None:
    """Write arrays and a JSON description atomically.

    Raises
    ------
    ValueError
        If the description is too long or no JSON.
    OSError
        If the disk is full or the folder cannot be written; the partial file is deleted.
    """
    path = Path(path)
    make_folder(path.parent)
    try:
        text = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is not written: its description is no JSON ({error})") from None
    if text.size > MAX_META:
        raise ValueError(f"{path}: the description has {text.size} bytes, at most {MAX_META} fit")
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
    require_file(path)
    if not zipfile.is_zipfile(path):
        hint = ""
        if path.suffix == ".safetensors":
            hint = "; load_packed reads packed files, and pretrained reads official weights"
        raise ValueError(
            f"{path}: not a checkpoint of tervit_np, or truncated (it is not an .npz archive){hint}"
        )
    if not is_npz_checkpoint(path):
        raise ValueError(f"{path}: an archive, but not a checkpoint of tervit_np")
    try:
        arrays = read_arrays(path)
        meta = _parse(arrays.pop("meta").tobytes())
    except _DAMAGE as error:
        raise ValueError(f"{path}: a damaged checkpoint ({error})") from None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise ValueError(f"{path}: not a checkpoint of this version (expected {FORMAT!r})")
    return arrays, meta


def _parse(text: bytes) -> Any:
    """Parse a description; ValueError if it is too long or not JSON."""
    if len(text) > MAX_META:
        raise ValueError(f"its description has {len(text)} bytes, at most {MAX_META} are read")
    return json.loads(text)


def save_checkpoint(
    model: Classifier,
    path: str | Path,
    *,
    plan: str | Plan | None = None,
    extra: dict[str, Any] | None = None,
) -> None:
    """Write a model's parameters, configuration and plan; `extra` is any JSON object.

    Without `plan`, the plan is that of the model's quantizers.

    Raises
    ------
    ValueError
        If `load_model` would refuse the file: the model is packed, a parameter or buffer holds NaN
        or infinite values, what its quantizers have learned does not belong to `plan`, or `extra`
        is no JSON. An older file of this name is then kept.
    OSError
        If the file cannot be written.
    """
    require_model(model)
    path = as_path(path)
    description = describe(model)
    chosen = plan_of(model) if plan is None else named_plan(plan)
    if plan is not None:
        _check_learned(model, chosen, path)
    meta = {"format": FORMAT, **description, "plan": plan_to_spec(chosen)}
    if not isinstance(extra, dict | None):
        raise ValueError(f"{path} is not written: extra is {extra!r}, expected a dictionary")
    for name, array in model.named_arrays().items():
        if not np.isfinite(array).all():
            raise ValueError(
                f"{path} is not written: {name} holds NaN or infinite values; the training has "
                "diverged"
            )
    write_npz(path, model.state_dict(), {**meta, "extra": extra or {}})


def _check_learned(model: Classifier, plan: Plan, path: Path) -> None:
    """Raise ValueError unless a model with this plan has the arrays that the model has."""
    planned = copy.deepcopy(model, {id(param): param for _, param in model.named_params()})
    names = quantize(planned, plan).named_arrays().keys()
    differing = sorted(names ^ model.named_arrays().keys())
    if differing:
        raise ValueError(
            f"{path} is not written: {differing[0]} belongs to the plan or to the model's "
            "quantizers, and not to both; quantize the model by this plan, or leave it out"
        )


def is_npz_checkpoint(path: Path) -> bool:
    """Tell whether a file is a checkpoint of tervit_np, whatever its name."""
    try:
        check_directory(path)
        with zipfile.ZipFile(path) as archive:
            return "meta.npy" in archive.namelist()
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile):
        return False


def load_model(path: str | Path) -> tuple[Classifier, dict[str, Any]]:
    """Load a saved model with its quantizers.  -> model, `extra` of `save_checkpoint`.

    Raises
    ------
    ValueError
        If the file is damaged, or its description does not fit its arrays.
    """
    arrays, meta = read_npz(as_path(path))
    try:
        model = described_model(meta, arrays)
        model.load_state_dict(arrays)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    extra = meta.get("extra")
    return model, extra if isinstance(extra, dict) else {}


def described_model(
    meta: Mapping[str, Any], arrays: Mapping[str, Array], bytes_per_parameter: float | None = None
) -> Classifier:
    """Build the model of a description, with its quantizers and without its weights.

    A parameter takes the bytes of its dtype in the file, or as many as the caller says.

    Raises
    ------
    ValueError
        If the description is damaged, or the arrays are too few or too small for it.
    """
    name = meta.get("model")
    if isinstance(name, str) and "." in name:
        part = name if "=" in name else f"the class {name}"
        raise ValueError(
            f"it holds a model with {part}, which no file can describe; build the model and load "
            "its weights: model.load_state_dict(tv.load_checkpoint(FILE))"
        )
    try:
        config = config_from(meta["model"], meta["config"])
        dtype = float_dtype(meta["dtype"])
        plan = plan_from_spec(meta["plan"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"its description of the model is damaged ({error})") from None
    require_fits(config, arrays, bytes_per_parameter or dtype.itemsize)
    return quantize(build(config, None, dtype), plan)


def describe(model: Classifier) -> dict[str, Any]:
    """Describe a model as JSON: class, configuration, dtype.

    In place of the class stands what no reader can build (own_parts.py); it has a dot.
    """
    model.require_latent_weights()
    return {
        "model": own_class(model) or changed_setting(model) or type(model).__name__,
        "config": asdict(model.config),
        "dtype": str(model.dtype),
    }
