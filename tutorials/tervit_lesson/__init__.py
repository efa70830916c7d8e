"""Shared by all chapters: checked numbers, claims, figures, a trained model.

Import it before NumPy: it makes `tervit_np` importable from a clone that is
not installed, and sets BLAS to one thread, because training starts its own
threads. It is installed with `tervit_np`, so a chapter also runs outside the
clone. Environment variables that change a chapter:

    TERVIT_FAST=1         run a short form, for the tests; numbers that depend
                          on the length are printed but not checked
    TERVIT_SEED=1         draw weights and pictures from another seed; claims
                          are still checked, numbers are only printed
    TERVIT_PLAY=1         report what differs from the text instead of
                          stopping the chapter
    TERVIT_SHOW=1         also open figures in the picture viewer
    TERVIT_TUTORIALS=DIR  write figures and models to DIR (runs/tutorials in
                          the clone; outside it, in the current folder)
    TERVIT_BOOK=1         save figures for the book: as SVG, light and dark
    TERVIT_RESULTS=FILE   write the numbers and claims to a JSON file
"""

import importlib.util
import sys

from tervit_lesson.settings import FAST, IN_CLONE, OUT, ROOT, SEED

if IN_CLONE and str(ROOT) not in sys.path:
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

from tervit_lesson.variables import check_variables  # noqa: E402

check_variables()

from tervit_lesson.numbers import claim, predict, quote  # noqa: E402
from tervit_lesson.own import named_picture  # noqa: E402
from tervit_lesson.pictures import (  # noqa: E402
    COLOURS,
    figure,
    show,
    stage_colour,
)
from tervit_lesson.training import (  # noqa: E402
    fresh_folder,
    shapes,
    trained_model,
)

__all__ = [
    "COLOURS",
    "FAST",
    "OUT",
    "ROOT",
    "SEED",
    "claim",
    "figure",
    "fresh_folder",
    "named_picture",
    "predict",
    "quote",
    "shapes",
    "show",
    "stage_colour",
    "trained_model",
]
