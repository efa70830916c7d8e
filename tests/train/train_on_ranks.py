"""Train a tiny model on all ranks that mpiexec has started; resumes if it has begun."""

import os
import sys
import time
from pathlib import Path

import numpy as np

import tervit_np as tv
from tervit_np.train import Data, Interrupted, Recipe, Stage, run
from tervit_np.train.ranks import current_ranks
from tests.train.conftest import colours

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    config = tv.DeiTConfig(8, 4, 3, 16, 2, 2, drop_path=0.3, pool="mean", init="xavier")
    stages = [Stage("float", "float", 1), Stage("ternary", "ternary", 2, teacher="float")]
    data = Data(colours(64, "train", 0), colours(24, "val", 1), colours(24, "test", 2))
    model, ranks = tv.DeiT(config, np.random.default_rng(0)), current_ranks()
    recipe = Recipe(batch_size=16, ema=0.9, accumulate=2)
    resume = ranks.first((folder / "run.json").exists)
    print(f"{ranks.rank} {os.getpid()}\n", end="", flush=True)
    slow = (lambda done: time.sleep(0.2)) if ranks.size > 1 else None
    options = {"recipe": recipe, "seed": 5, "quiet": True, "on_step": slow, "ranks": ranks}
    try:
        with ranks.together():
            run(model, stages, data, folder, resume, **options)
    except Interrupted:
        sys.exit(130)
