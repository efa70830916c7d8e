"""All surfaces of a run as one JSON file, the only source of figures and texts.

NamedTuples become objects, arrays lists, numbers six digits. Reading follows the types, so a file
of another layout is refused.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np

from tervit_np.analysis.surfaces.curvature import Curvature, Prediction
from tervit_np.analysis.surfaces.directions import Curve, Grid2D
from tervit_np.analysis.surfaces.gaps import Gaps
from tervit_np.analysis.surfaces.interpolation import Interpolation
from tervit_np.analysis.surfaces.planes import Plane
from tervit_np.analysis.surfaces.stairs import Stairs
from tervit_np.files import write_text

FILE = "surface.json"
_IN_FILE = {"grids": "sheets"}  # fields whose name in the file is older


class Settings(NamedTuple):
    """The sample and the options of a measurement, and the command that repeats it."""

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
    """All results of `tervit surface`."""

    settings: Settings
    gaps: tuple[Gaps, ...]  # for the latent weights of each model
    same: Plane  # one set of latent weights under three quantizations
    trained: Plane  # three models, each after its own training
    far: tuple[Curve, ...]
    near: tuple[Curve, ...]
    stairs: Stairs
    grids: tuple[Grid2D, ...]
    interpolation: Interpolation
    curvature: tuple[Curvature, ...]
    predictions: tuple[Prediction, ...]


def write_surfaces(surfaces: Surfaces, folder: Path) -> Path:
    """Write the results into a run's folder, atomically.  -> the file."""
    file = folder / FILE
    write_text(file, json.dumps(_plain(surfaces), indent=None, separators=(",", ":")) + "\n")
    return file


def read_surfaces(file: Path) -> Surfaces:
    """Read stored results.

    Raises
    ------
    ValueError
        If the file is missing, damaged or of another layout.
    """
    try:
        surfaces: Surfaces = _typed(Surfaces, json.loads(file.read_text()))
        return surfaces
    except FileNotFoundError:
        raise ValueError(f"{file}: no such file; `tervit surface RUN` writes it") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{file} is damaged or of another version ({error})") from None


def _plain(value: Any) -> Any:
    """Convert NamedTuples, arrays and numbers to types that JSON has."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {_IN_FILE.get(key, key): _plain(each) for key, each in value._asdict().items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.6g}")
    return value


def _typed(kind: Any, value: Any) -> Any:
    """Convert back by the type."""
    origin = get_origin(kind)
    if hasattr(kind, "_fields"):
        keys = {name: _IN_FILE.get(name, name) for name in kind._fields}
        if set(value) != set(keys.values()):
            expected = sorted(keys.values())
            raise ValueError(f"{kind.__name__} has {sorted(value)}, expected {expected}")
        hints = get_type_hints(kind)
        return kind(**{name: _typed(hints[name], value[key]) for name, key in keys.items()})
    if origin is np.ndarray:
        return np.asarray(value, float)
    if origin is tuple:
        return tuple(_typed(get_args(kind)[0], each) for each in value)
    if origin is dict:
        return dict(value)
    if not isinstance(value, kind | int if kind is float else kind):
        raise ValueError(f"{value!r} is not a {kind.__name__}")
    return kind(value)
