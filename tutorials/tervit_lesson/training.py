"""The embedded data set, and the model that several chapters share."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tervit_lesson.settings import FAST, OUT, SEED

if TYPE_CHECKING:
    from tervit_np.models import Classifier
    from tervit_np.train import Data, Recipe, Stage

EPOCHS = 2 if FAST else 8  # of the shared model
THREADS = 2


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
    """Return a float deit_shapes, trained on the embedded set.

    The first call trains it for 8 epochs, in about 40 seconds on two cores,
    and stores it in OUT; another chapter that runs meanwhile waits for it.
    Each call returns a new copy, which may be changed. With TERVIT_FAST it is
    trained for 2 epochs on fewer pictures.
    """
    from data_tools.lock import locked
    from tervit_np.checkpoints import load_model
    from tervit_np.train import PRESETS, Stage

    stage = Stage("float", "float", EPOCHS, lr=2e-3)
    recipe = PRESETS["shapes"].recipe
    settings = [FAST, SEED, stage.describe(), recipe.describe()]
    key = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:8]
    folder = OUT / f"model-{key}"
    if not (folder / "float.npz").exists():
        OUT.mkdir(parents=True, exist_ok=True)
        with locked(OUT, wait=True):
            if not (folder / "float.npz").exists():
                _train(stage, recipe, folder)
    return load_model(folder / "float.npz")[0]


def _train(stage: "Stage", recipe: "Recipe", folder: Path) -> None:
    """Train in a temporary folder and rename it, so no partial one remains."""
    import tervit_np as tv

    print("Training the model that several chapters share, once.", flush=True)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model = tv.create_model("deit_shapes", seed=SEED)
    tv.train.run(
        model,
        [stage],
        shapes(),
        partial,
        recipe=recipe,
        threads=THREADS,
        seed=SEED,
    )
    os.replace(partial, folder)
