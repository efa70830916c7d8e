"""Progressive training: check the arguments, lock the run folder, run the stages in it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from data_tools.plain_numbers import whole_number
from tervit_np.blas import one_thread
from tervit_np.files import as_path
from tervit_np.models import Classifier
from tervit_np.train.beginning import begin
from tervit_np.train.folder import RunFolder
from tervit_np.train.interrupt import StopRequest
from tervit_np.train.memory import keep_freed_memory
from tervit_np.train.ranks import ONE, Ranks
from tervit_np.train.run_config import check_run, make_run_config
from tervit_np.train.shared_folder import SharedFolder
from tervit_np.train.splits import Data
from tervit_np.train.stage_loop import StageLoop
from tervit_np.train.stages import Recipe, Stage, StageResult


def run(
    model: Classifier,
    stages: Sequence[Stage],
    data: Data,
    out_dir: str | Path,
    resume: bool = False,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    threads: int = 1,
    workers: int = 2,
    quiet: bool = False,
    command: str = "",
    on_step: Callable[[int], None] | None = None,
    on_record: Callable[[dict[str, Any]], None] | None = None,
    ranks: Ranks = ONE,
) -> list[StageResult]:
    """Train through all stages and write a run folder; the model is trained in place.

    Afterwards the model has the quantizers of the last stage, and the recipe's `recompute` and
    `precision`; after Ctrl-C or an error it is as in the middle of a stage.

    Several threads may train at once, each a model of its own into a folder of its own. Ctrl-C
    stops a training in the main thread after its step; one in another thread goes on.

    `workers` processes decode pictures that are not in memory; they change no bit of the result.
    `on_step` is called after each step with the number of finished steps, `on_record` with each
    record (train/metrics.py) right after it was written to metrics.jsonl. With several `ranks`
    (train/ranks.py) each process calls this function, and rank 0 alone writes and prints.

    Raises
    ------
    ValueError
        If an argument has another type, settings contradict each other, the folder holds another
        run, or a resumed run differs.
    Interrupted
        After Ctrl-C, when everything is saved.
    """
    recipe = Recipe() if recipe is None else recipe
    out_dir, seed = as_path(out_dir, "out_dir"), whole_number("seed", seed, 0)
    if not isinstance(command, str):
        raise ValueError(f"train: command is {command!r}; expected text")
    threads, workers = whole_number("threads", threads, 1), whole_number("workers", workers, 0)
    check_run(model, stages, recipe, data, resume)
    data = Data(*data)
    folder = RunFolder(out_dir, on_record) if ranks.rank == 0 else SharedFolder(out_dir)
    run_config = make_run_config(model, stages, recipe, data, seed, threads, command)
    run_config["ranks"] = ranks.size
    # Without run.json there is nothing to lock.
    ranks.first(folder.read_run_config if resume else folder.refuse_another)
    with folder.lock():
        saved = ranks.first(lambda: begin(folder, run_config, model, resume, quiet))
        keep_freed_memory()
        loop = StageLoop(
            model, list(stages), data, folder, recipe=recipe, seed=seed, threads=threads,
            quiet=quiet or ranks.rank > 0, workers=workers, ranks=ranks,
        )  # fmt: skip
        try:
            with one_thread(), StopRequest() as stop:
                return loop.run(saved, stop, on_step)
        finally:
            loop.batches.close()
