"""All results of a run as one JSON file, from which figures and words are made and nothing else.

NamedTuples become objects, arrays lists, numbers six digits. Reading follows the types, so a file
of another layout is refused.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np

from tervit_np.analysis.surfaces.curvature import Curvature, Prediction
from tervit_np.analysis.surfaces.directions import Curve, Sheet
from tervit_np.analysis.surfaces.gaps import Gaps
from tervit_np.analysis.surfaces.interpolation import Interpolation
from tervit_np.analysis.surfaces.planes import Plane
from tervit_np.analysis.surfaces.stairs import Stairs
from tervit_np.files import write_text

FILE = "surface.json"


class Settings(NamedTuple):
    """What was measured, and how to do it again."""

    data: str
    split: str
    images: int
    seed: int
    grid: int
    stages: dict[str, str]  # float, 8-bit, ternary: the stage that each model is from
    command: str
    seconds: float
    environment: dict[str, str]


class Surfaces(NamedTuple):
    """Everything that `tervit surface` measures."""

    settings: Settings
    gaps: tuple[Gaps, ...]  # of the latent weights of each model
    same: Plane  # one set of latent weights under three quantizations
    trained: Plane  # three models, each after its own training
    far: tuple[Curve, ...]
    near: tuple[Curve, ...]
    stairs: Stairs
    sheets: tuple[Sheet, ...]
    interpolation: Interpolation
    curvature: tuple[Curvature, ...]
    predictions: tuple[Prediction, ...]


def write_surfaces(found: Surfaces, folder: Path) -> Path:
    """Store results in a run's folder, whole or not at all; return the file."""
    file = folder / FILE
    write_text(file, json.dumps(_plain(found), indent=None, separators=(",", ":")) + "\n")
    return file


def read_surfaces(file: Path) -> Surfaces:
    """Read stored results.

    Raises
    ------
    ValueError
        If the file is missing, damaged or of another layout.
    """
    try:
        found: Surfaces = _typed(Surfaces, json.loads(file.read_text()))
        return found
    except FileNotFoundError:
        raise ValueError(f"{file} is not there; `tervit surface RUN` measures it") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{file} is damaged or of another version ({error})") from None


def _plain(value: Any) -> Any:
    """Turn NamedTuples, arrays and numbers into what JSON has."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: _plain(each) for key, each in value._asdict().items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.6g}")
    return value


def _typed(kind: Any, value: Any) -> Any:
    """Undo `_plain` as the type says."""
    origin = get_origin(kind)
    if hasattr(kind, "_fields"):
        hints = get_type_hints(kind)
        if set(value) != set(hints):
            raise ValueError(f"{kind.__name__} has {sorted(value)}, expected {sorted(hints)}")
        return kind(**{key: _typed(hint, value[key]) for key, hint in hints.items()})
    if origin is np.ndarray:
        return np.asarray(value, float)
    if origin is tuple:
        return tuple(_typed(get_args(kind)[0], each) for each in value)
    if origin is dict:
        return dict(value)
    if not isinstance(value, kind | int if kind is float else kind):
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return kind(value)
