"""All surfaces of a run as one JSON file, the only source of figures and texts."""

import json
from pathlib import Path
from typing import NamedTuple

from tervit_np.analysis.surfaces.curvature import Curvature, Prediction
from tervit_np.analysis.surfaces.directions import Curve, Grid2D
from tervit_np.analysis.surfaces.gaps import Gaps
from tervit_np.analysis.surfaces.interpolation import Interpolation
from tervit_np.analysis.surfaces.planes import Plane
from tervit_np.analysis.surfaces.stairs import Stairs
from tervit_np.analysis.typed_json import plain, typed
from tervit_np.files import write_text
from tervit_np.json_files import load_json

FILE = "surface.json"
_LONGEST = 1 << 26  # bytes
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
    write_text(file, json.dumps(plain(surfaces, _IN_FILE), separators=(",", ":")) + "\n")
    return file


def read_surfaces(file: Path) -> Surfaces:
    """Read stored results.

    Raises
    ------
    ValueError
        If the file is missing, damaged or of another layout.
    """
    try:
        surfaces: Surfaces = typed(Surfaces, load_json(file, dict, _LONGEST), _IN_FILE)
        return surfaces
    except FileNotFoundError:
        raise ValueError(f"{file}: no such file; `tervit surface RUN` writes it") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{file} is damaged or of another version ({error})") from None
