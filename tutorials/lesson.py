"""What all chapters share: numbers that must hold, figures, a trained model.

Import it before NumPy: it makes `tervit_np` importable from a clone that is
not installed, and asks for one BLAS thread, because training runs threads of
its own. Environment variables that change a chapter:

    TERVIT_FAST=1         shorter, for the tests; numbers that depend on the
                          length are printed and not held to the text
    TERVIT_PLAY=1         a number that differs from the text is pointed out
                          and does not stop the chapter
    TERVIT_SHOW=1         figures also open in the picture viewer
    TERVIT_TUTORIALS=DIR  where figures and models go (runs/tutorials)
    TERVIT_RESULTS=FILE   a JSON file that receives the numbers
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
    "emptied",
    "figure",
    "quote",
    "shapes",
    "show",
    "stage_colour",
    "trained_model",
]


def _set(variable: str) -> bool:
    return os.environ.get(variable, "") not in ("", "0")


FAST = _set("TERVIT_FAST")
OUT = Path(os.environ.get("TERVIT_TUTORIALS") or ROOT / "runs" / "tutorials")
COLOURS = tuple(stage_colour("", i) for i in range(4))  # they mean no stage
EPOCHS = 2 if FAST else 8  # of the trained model
THREADS = 2  # fixed: the last bits of a training depend on it
_quoted: dict[str, dict[str, float]] = {}


def quote(
    name: str,
    value: float,
    expected: float,
    tolerance: float,
    full_only: bool = False,
) -> None:
    """Print a number, and insist that it is `expected`, give or take.

    With TERVIT_FAST, `full_only` numbers are only printed, with what the text
    says where they miss it.

    Raises
    ------
    AssertionError
        If it lies further than `tolerance` from what the text says.
    """
    value = float(value)
    print(f"{name}: {_digits(value)}")
    _quoted[name] = {"value": value, "text": expected, "tolerance": tolerance}
    _record()
    if abs(value - expected) <= tolerance:
        return
    said = f"the text says {_digits(expected)}, give or take {tolerance:g}"
    if FAST and full_only:
        print(f"    (of the full run {said})")
        return
    if not _set("TERVIT_PLAY"):
        raise AssertionError(
            f"{name} is {_digits(value)}, but {said}. If you changed the "
            "code, that is your result: set TERVIT_PLAY=1 and the chapter "
            "runs on. If you did not, please report it."
        )
    print(f"    ({said})")


def _digits(value: float) -> str:
    """Write whole numbers whole and others with four digits."""
    whole = float(value).is_integer() and abs(value) < 1e12
    return f"{int(value):,}" if whole else f"{value:.4g}"


def _record() -> None:
    """Write all numbers so far, whole or not at all, if one collects them."""
    if wanted := os.environ.get("TERVIT_RESULTS"):
        partial = Path(f"{wanted}.partial")
        partial.write_text(json.dumps(_quoted, indent=1), encoding="utf-8")
        os.replace(partial, wanted)


def show(fig: "Figure", name: str) -> Path:
    """Save a figure as OUT/<name>.png and say where.

    In a notebook cell it also appears; with TERVIT_SHOW=1 the picture viewer
    opens it where there is a screen. Nothing ever waits for it.
    """
    OUT.mkdir(parents=True, exist_ok=True)
    path = save(fig, OUT / f"{name}.png")
    below = path.is_relative_to(Path.cwd())
    print(f"figure: {path.relative_to(Path.cwd()) if below else path}")
    if _in_cells():
        from IPython.display import Image, display

        display(Image(str(path)))
    elif _set("TERVIT_SHOW"):
        _open(path)
    return path


def _in_cells() -> bool:
    """Tell whether an editor or a notebook runs the script cell by cell."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in shell.config


def _open(path: Path) -> None:
    """Hand a picture to the system's viewer, where there is a screen."""
    if sys.platform == "win32":
        os.startfile(path)
        return
    mac = sys.platform == "darwin"
    opener = shutil.which("open" if mac else "xdg-open")
    screens = os.environ.get("DISPLAY"), os.environ.get("WAYLAND_DISPLAY")
    if opener and (mac or any(screens)):
        quiet = subprocess.DEVNULL
        subprocess.Popen([opener, str(path)], stdout=quiet, stderr=quiet)


def emptied(name: str) -> Path:
    """Return OUT/<name>, without what an earlier run of a chapter left."""
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def shapes() -> "Data":
    """Return the embedded data set: train, val, test; less if TERVIT_FAST.

    The first call on a machine draws it, in some seconds, and caches it.
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

    It is trained once and then read from OUT; each call gives a model of its
    own, which may be changed. The 8 epochs (2, of less, if TERVIT_FAST) take
    about 40 seconds on two cores.
    """
    from tervit_np.checkpoints import load_model
    from tervit_np.train import PRESETS, Stage

    stage = Stage("float", "float", EPOCHS, lr=2e-3)
    recipe = PRESETS["shapes"].recipe
    asked = [FAST, THREADS, stage.describe(), recipe.describe()]
    key = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:8]
    folder = OUT / f"model-{key}"
    if not (folder / "float.npz").exists():
        _train(stage, recipe, folder)
    return load_model(folder / "float.npz")[0]


def _train(stage: "Stage", recipe: "Recipe", folder: Path) -> None:
    """Train beside `folder` and move it there: Ctrl-C leaves nothing half."""
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
    except OSError:  # another chapter was quicker
        shutil.rmtree(partial)
