"""The folder of a run: its configuration, its measurements, and the state to continue from.

    run.json          the configuration (run_config.py): model, stages, recipe, data, seed, threads
    metrics.jsonl     one JSON object per line: steps, evaluations, stages
    <stage>.npz       the model at the end of each stage
    checkpoint.npz    everything needed to continue to the same bits

No generator states are stored: every random number is drawn from (seed, stage, epoch or step).
"""

import itertools
import json
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from tervit_np.arrays import Array
from tervit_np.checkpoints.npz import FORMAT, read_npz, write_npz
from tervit_np.files import write_text

MUST_AGREE = ("seed", "threads", "backend", "model", "stages", "recipe", "data")


class Saved(NamedTuple):
    """A checkpoint of a run."""

    arrays: dict[str, Array]
    position: dict[str, Any]  # stage and step to continue with, results so far, counters


class RunFolder:
    """Reads and writes the files of one run."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.checkpoint = self.path / "checkpoint.npz"
        self.metrics = self.path / "metrics.jsonl"

    def stage_file(self, stage: str) -> Path:
        """Return the path of a stage's model."""
        return self.path / f"{stage}.npz"

    def begin(self, run_config: dict[str, Any]) -> None:
        """Start a new run in an empty or absent folder.

        Raises
        ------
        ValueError
            If the folder already holds a run.
        """
        self._refuse_another()
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.path / "run.json", json.dumps(run_config, indent=1))
        self.metrics.write_text("")

    def begin_after(self, earlier: "RunFolder", run_config: dict[str, Any]) -> None:
        """Start a run from a copy of another, finished run that has trained its first stages.

        The result is bit-equal to training all stages here, since a stage depends only on the
        checkpoint before it. The folder is created atomically.

        Raises
        ------
        ValueError
            If the other run is not finished, its stages are not the first ones of this run, or the
            folder already holds a run.
        """
        self._refuse_another()
        stages = run_config["stages"][: len(earlier.read_run_config()["stages"])]
        earlier.check_same_config({**run_config, "stages": stages})
        saved = earlier.load()
        if saved is None or saved.position["stage"] != len(stages):
            raise ValueError(f"{earlier.path} is not finished; its stages cannot be copied")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f".{self.path.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(earlier.path, partial)
        write_text(partial / "run.json", json.dumps(run_config, indent=1))
        os.rename(partial, self.path)

    def _refuse_another(self) -> None:
        if (self.path / "run.json").exists():
            raise ValueError(
                f"{self.path} already holds a run: continue it with --resume, or choose another "
                "folder with --out"
            )

    def read_run_config(self) -> dict[str, Any]:
        """Read run.json; ValueError if it is missing or damaged."""
        file = self.path / "run.json"
        try:
            run_config = json.loads(file.read_text())
        except FileNotFoundError:
            raise ValueError(f"{self.path} holds no run: it has no run.json") from None
        except ValueError as error:
            raise ValueError(f"{file} is damaged: {error}") from None
        if not isinstance(run_config, dict):
            raise ValueError(f"{file} is damaged: expected a JSON object")
        return run_config

    def check_same_config(self, run_config: dict[str, Any]) -> None:
        """Raise ValueError if settings differ from run.json, which would give other bits."""
        stored = self.read_run_config()
        current = json.loads(json.dumps(run_config))  # tuples become lists, as in the file
        for key in MUST_AGREE:
            if stored.get(key) != current[key]:
                raise ValueError(
                    f"resume: {key} was {_short(stored.get(key))} when this run began and is now "
                    f"{_short(current[key])}; continue with the same settings to get the same bits"
                )

    def log(self, **record: Any) -> None:
        """Append one record to metrics.jsonl."""
        with open(self.metrics, "a") as file:
            file.write(json.dumps(record) + "\n")

    def save(self, state: Saved) -> None:
        """Write the checkpoint, with the current length of the metrics."""
        meta = {"format": FORMAT, **state.position, "metrics_bytes": self.metrics.stat().st_size}
        write_npz(self.checkpoint, state.arrays, meta)

    def load(self) -> Saved | None:
        """Read the checkpoint and truncate the metrics to it; None if there is none yet."""
        if not self.checkpoint.exists():
            self.metrics.write_text("")  # also if `begin` was interrupted before it wrote them
            return None
        saved = Saved(*read_npz(self.checkpoint))
        os.truncate(self.metrics, saved.position["metrics_bytes"])
        return saved


def unused_folder(parent: Path, name: str) -> Path:
    """Return the first of parent/name, parent/name-2, parent/name-3 ... that holds no run."""
    names = itertools.chain([name], (f"{name}-{i}" for i in itertools.count(2)))
    return next(parent / n for n in names if not (parent / n).exists())


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
