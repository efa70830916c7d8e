"""The folder of a run: what was asked, what was measured, and where to continue.

    run.json          the request: model, stages, recipe, data, seed, threads, environment, command
    metrics.jsonl     one JSON object a line: steps, evaluations, stages
    <stage>.npz       the model at the end of each stage
    checkpoint.npz    everything needed to continue to the same bits

No generator states are stored: every random number is drawn from (seed, stage, epoch or step).
"""

import itertools
import json
import os
import shutil
from pathlib import Path
from typing import Any

from tervit_np.arrays import Array
from tervit_np.checkpoints.npz import FORMAT, read_npz, write_npz
from tervit_np.files import write_text

MUST_AGREE = ("seed", "threads", "backend", "model", "stages", "recipe", "data")


class RunFolder:
    """Reads and writes the files of one run."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.checkpoint = self.path / "checkpoint.npz"
        self.metrics = self.path / "metrics.jsonl"

    def stage_file(self, stage: str) -> Path:
        """Where a stage's model lies."""
        return self.path / f"{stage}.npz"

    def begin(self, request: dict[str, Any]) -> None:
        """Start a new run in an empty or absent folder.

        Raises
        ------
        ValueError
            If the folder already holds a run.
        """
        self._refuse_another()
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.path / "run.json", json.dumps(request, indent=1))
        self.metrics.write_text("")

    def begin_after(self, earlier: "RunFolder", request: dict[str, Any]) -> None:
        """Start a run whose first stages another, finished run has trained: take them over.

        What follows is bit-equal to training all stages here, since a stage depends on nothing but
        the checkpoint before it. The folder appears whole or not at all.

        Raises
        ------
        ValueError
            If the other run is not finished or not the beginning of this one, or if the folder
            already holds a run.
        """
        self._refuse_another()
        before = earlier.read_run_config()
        stages = request["stages"][: len(before["stages"])]
        earlier.check_same_config({**request, "stages": stages})
        saved = earlier.load()
        if saved is None or saved[1]["stage"] != len(stages):
            raise ValueError(f"{earlier.path} is not finished; its stages cannot be taken over")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f".{self.path.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(earlier.path, partial)
        write_text(partial / "run.json", json.dumps(request, indent=1))
        os.rename(partial, self.path)

    def _refuse_another(self) -> None:
        if (self.path / "run.json").exists():
            raise ValueError(
                f"{self.path} already holds a run: continue it with --resume, or choose another "
                "folder with --out"
            )

    def read_run_config(self) -> dict[str, Any]:
        """Read run.json; ValueError where it is missing or damaged."""
        file = self.path / "run.json"
        try:
            request = json.loads(file.read_text())
        except FileNotFoundError:
            raise ValueError(f"{self.path} holds no run: there is no run.json in it") from None
        except ValueError as error:
            raise ValueError(f"{file} is damaged: {error}") from None
        if not isinstance(request, dict):
            raise ValueError(f"{file} is damaged: it holds no object")
        return request

    def check_same_config(self, request: dict[str, Any]) -> None:
        """Refuse to continue a run with other settings, which would give other bits."""
        before = self.read_run_config()
        now = json.loads(json.dumps(request))  # tuples become lists, as they did on disk
        for key in MUST_AGREE:
            if before.get(key) != now[key]:
                raise ValueError(
                    f"resume: {key} was {_short(before.get(key))} when this run began and is now "
                    f"{_short(now[key])}; continue with the same settings to get the same bits"
                )

    def log(self, **record: Any) -> None:
        """Append one record to metrics.jsonl."""
        with open(self.metrics, "a") as file:
            file.write(json.dumps(record) + "\n")

    def save(self, arrays: dict[str, Array], position: dict[str, Any]) -> None:
        """Write the checkpoint, and how long the metrics were at that moment."""
        meta = {"format": FORMAT, **position, "metrics_bytes": self.metrics.stat().st_size}
        write_npz(self.checkpoint, arrays, meta)

    def load(self) -> tuple[dict[str, Array], dict[str, Any]] | None:
        """Read the checkpoint and cut the metrics back to it; None if there is none yet."""
        if not self.checkpoint.exists():
            self.metrics.write_text("")  # also where it is missing: stopped while it began
            return None
        arrays, position = read_npz(self.checkpoint)
        os.truncate(self.metrics, position["metrics_bytes"])
        return arrays, position


def unused_folder(parent: Path, name: str) -> Path:
    """Return the first of parent/name, parent/name-2, parent/name-3 ... that holds no run."""
    names = itertools.chain([name], (f"{name}-{i}" for i in itertools.count(2)))
    return next(parent / n for n in names if not (parent / n).exists())


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
