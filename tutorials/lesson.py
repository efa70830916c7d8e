"""Shared by all chapters: checked numbers, figures, a trained model.

Import it before NumPy: it makes `tervit_np` importable from a clone that is
not installed, and sets BLAS to one thread, because training starts its own
threads. Environment variables that change a chapter:

    TERVIT_FAST=1         run a short form, for the tests; numbers that depend
                          on the length are printed but not checked
    TERVIT_PLAY=1         report a number that differs from the text instead
                          of stopping the chapter
    TERVIT_SHOW=1         also open figures in the picture viewer
    TERVIT_TUTORIALS=DIR  write figures and models to DIR (runs/tutorials)
    TERVIT_RESULTS=FILE   write the numbers to a JSON file
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

NEEDED = {"numpy": "numpy", "matplotlib": "matplotlib", "PIL": "pillow"}
absent = [n for m, n in NEEDED.items() if importlib.util.find_spec(m) is None]
if absent:
    sys.exit(
        f"tutorials: not installed here: {', '.join(absent)}. In the folder "
        f"{ROOT} run: {sys.executable} -m pip install ."
    )

from tervit_np.cli.startup import prepare  # noqa: E402

prepare()

from tervit_np.analysis.style import figure, save, stage_colour  # noqa: E402

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tervit_np.models import Classifier
    from tervit_np.train import Data, Recipe, Stage

__all__ = [
    "COLOURS",
    "FAST",
    "OUT",
    "ROOT",
    "figure",
    "fresh_folder",
    "quote",
    "shapes",
    "show",
    "stage_colour",
    "trained_model",
]


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "") not in ("", "0")


FAST = _is_set("TERVIT_FAST")
OUT = Path(os.environ.get("TERVIT_TUTORIALS") or ROOT / "runs" / "tutorials")
COLOURS = tuple(stage_colour("", i) for i in range(4))  # not of stages
EPOCHS = 2 if FAST else 8  # of the shared model
THREADS = 2  # fixed: the last bits of a training depend on it
_quoted: dict[str, dict[str, float]] = {}


def quote(
    name: str,
    value: float,
    expected: float,
    tolerance: float,
    full_only: bool = False,
) -> None:
    """Print a number and check that it is `expected`, within `tolerance`.

    With TERVIT_FAST, `full_only` numbers are printed but not checked; one that
    differs is printed with the expected value.

    Raises
    ------
    AssertionError
        If it differs from `expected` by more than `tolerance`.
    """
    value = float(value)
    print(f"{name}: {_digits(value)}")
    _quoted[name] = {"value": value, "text": expected, "tolerance": tolerance}
    _record()
    if abs(value - expected) <= tolerance:
        return
    claim = f"the text says {_digits(expected)}, give or take {tolerance:g}"
    if FAST and full_only:
        print(f"    (of the full run {claim})")
        return
    if not _is_set("TERVIT_PLAY"):
        raise AssertionError(
            f"{name} is {_digits(value)}, but {claim}. If you changed the "
            "code, that is your result: set TERVIT_PLAY=1 and the chapter "
            "runs on. If you did not, please report it."
        )
    print(f"    ({claim})")


def _digits(value: float) -> str:
    """Format integers in full and other numbers with four digits."""
    is_integer = float(value).is_integer() and abs(value) < 1e12
    return f"{int(value):,}" if is_integer else f"{value:.4g}"


def _record() -> None:
    """Write all numbers so far to TERVIT_RESULTS, atomically."""
    if results := os.environ.get("TERVIT_RESULTS"):
        partial = Path(f"{results}.partial")
        partial.write_text(json.dumps(_quoted, indent=1), encoding="utf-8")
        os.replace(partial, results)


def show(fig: "Figure", name: str) -> Path:
    """Save a figure as OUT/<name>.png and print its path.

    In a notebook cell the figure is also displayed. With TERVIT_SHOW=1 the
    picture viewer opens it if there is a screen; the chapter does not wait.
    """
    OUT.mkdir(parents=True, exist_ok=True)
    path = save(fig, OUT / f"{name}.png")
    inside = path.is_relative_to(Path.cwd())
    print(f"figure: {path.relative_to(Path.cwd()) if inside else path}")
    if _in_cells():
        from IPython.display import Image, display

        display(Image(str(path)))
    elif _is_set("TERVIT_SHOW"):
        _open(path)
    return path


def _in_cells() -> bool:
    """Return whether an editor or a notebook runs the script by cells."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in shell.config


def _open(path: Path) -> None:
    """Open a picture in the system's viewer, if there is a screen."""
    if sys.platform == "win32":
        os.startfile(path)
        return
    mac = sys.platform == "darwin"
    opener = shutil.which("open" if mac else "xdg-open")
    screens = os.environ.get("DISPLAY"), os.environ.get("WAYLAND_DISPLAY")
    if opener and (mac or any(screens)):
        quiet = subprocess.DEVNULL
        subprocess.Popen([opener, str(path)], stdout=quiet, stderr=quiet)


def fresh_folder(name: str) -> Path:
    """Delete OUT/<name> of an earlier run.  -> its path."""
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def shapes() -> "Data":
    """Return the embedded data set: train, val, test.

    The first call on a machine draws it, in a few seconds, and caches it. With
    TERVIT_FAST each split is a part of the full one.
    """
    import numpy as np

    from tervit_np.train import load_data

    data = load_data("shapes")
    if not FAST:
        return data
    sizes = {"train": 4000, "val": 250, "test": 500}
    return type(data)(*(s.take(np.arange(sizes[s.split])) for s in data))


def trained_model() -> "Classifier":
    """Return a float deit_shapes, trained on the embedded set with seed 0.

    The first call trains it for 8 epochs, in about 40 seconds on two cores,
    and stores it in OUT. Each call returns a new copy, which may be changed.
    With TERVIT_FAST it is trained for 2 epochs on fewer pictures.
    """
    from tervit_np.checkpoints import load_model
    from tervit_np.train import PRESETS, Stage

    stage = Stage("float", "float", EPOCHS, lr=2e-3)
    recipe = PRESETS["shapes"].recipe
    settings = [FAST, THREADS, stage.describe(), recipe.describe()]
    key = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:8]
    folder = OUT / f"model-{key}"
    if not (folder / "float.npz").exists():
        _train(stage, recipe, folder)
    return load_model(folder / "float.npz")[0]


def _train(stage: "Stage", recipe: "Recipe", folder: Path) -> None:
    """Train in a temporary folder and rename it, so no partial one remains."""
    import tervit_np as tv

    print("Training the model that several chapters share, once.", flush=True)
    partial = folder.with_name(f".{folder.name}-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    model = tv.create_model("deit_shapes")
    tv.train.run(
        model, [stage], shapes(), partial, recipe=recipe, threads=THREADS
    )
    try:
        os.replace(partial, folder)
    except OSError:  # another chapter finished first
        shutil.rmtree(partial)
