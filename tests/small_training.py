"""A training of seconds with everything that a checkpoint must hold, for tests.kills and .faults.

python -m tests.small_training FOLDER    begins it, or continues it, and says what it does
"""

import hashlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import tervit_np as tv
from data_tools import Augment
from tervit_np.train import Data, Interrupted, Recipe, Stage, run
from tests.train.conftest import colours

STAGES = (
    Stage("float", "float", 2),
    Stage("8-bit", "int8", 1.5, optimizer="keep"),
    Stage("ternary", "ternary", 2, teacher="float", ramp=0.5),
)
SLOW_WRITE = 0.02  # seconds that each write to the disk takes longer in tests.kills
BETWEEN_WRITES = "between writes"


def train(folder: Path, on_step: Callable[[int], None] | None = None) -> None:
    """Begin or continue the training: three stages, an average of the weights, drop path."""
    config = tv.DeiTConfig(8, 4, 3, 16, 2, 2, drop_path=0.3, pool="mean", init="xavier")
    data = Data(colours(64, "train", 0), colours(24, "val", 1), colours(24, "test", 2))
    augment = Augment(crop_padding=1, mixup=0.4, cutmix=0.5)
    recipe = Recipe(batch_size=8, ema=0.9, augment=augment)
    metrics = folder / "metrics.jsonl"  # empty before the first step, of which nothing can be lost
    resume = (folder / "run.json").exists() or (metrics.exists() and metrics.stat().st_size > 0)
    model = tv.DeiT(config, np.random.default_rng(0))
    options = {"recipe": recipe, "seed": 5, "quiet": True, "on_step": on_step}
    run(model, STAGES, data, folder, resume, **options)


def weights(folder: Path) -> str:
    """Return a hash of the weights of all stages."""
    digest = hashlib.sha256()
    for stage in STAGES:
        with np.load(folder / f"{stage.name}.npz") as arrays:
            for name in sorted(set(arrays) - {"meta"}):
                digest.update(arrays[name].tobytes())
    return digest.hexdigest()


def partial_files(folder: Path) -> list[str]:
    """Return the names of hidden files, of which a training that has ended leaves none."""
    return [file.name for file in folder.iterdir() if file.name.startswith(".")]


def write_slowly_and_say_so() -> None:
    """Make each write to the disk take longer, and print a line when it begins and when it ends."""
    fsync = os.fsync

    def slow(file: int) -> None:
        print(f"writing {_name(file)}", flush=True)
        time.sleep(SLOW_WRITE)
        fsync(file)
        print(BETWEEN_WRITES, flush=True)

    os.fsync = slow


def _name(file: int) -> str:
    """Return the name of an open file; of a partial one, that of the file it will replace."""
    path = Path(f"/proc/self/fd/{file}")
    name = path.readlink().name if path.is_symlink() else "a file"
    return name[1:].rsplit(".", 2)[0] if name.endswith(".partial") else name


def main(folder: Path) -> int:
    """Begin or continue the training, as a program.  -> exit status."""
    write_slowly_and_say_so()
    print(BETWEEN_WRITES, flush=True)
    try:
        with tv.backend("numpy"):
            train(folder)
    except Interrupted:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
