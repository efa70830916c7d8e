"""The folder of a run: its configuration, its measurements, and the state to continue from.

    run.json          the configuration (run_config.py): model, stages, recipe, data, seed, threads;
                      and a checksum of it
    metrics.jsonl     one JSON object per line: steps, evaluations, stages
    <stage>.npz       the model at the end of each stage
    checkpoint.npz    everything needed to continue to the same bits (checkpoint.py)

No generator states are stored: every random number is drawn from (seed, stage, epoch or step).
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from data_tools.lock import locked
from data_tools.terminal import note, shell_word
from tervit_np.files import make_folder
from tervit_np.json_files import first_difference, mismatch
from tervit_np.train import metrics
from tervit_np.train.checkpoint import Checkpoints, Saved
from tervit_np.train.names import check_file_name
from tervit_np.train.run_config import with_new_fields
from tervit_np.train.run_file import CONFIG, read_config, write_config

MUST_AGREE = ("seed", "backend", "model", "stages", "recipe", "data")

# Partial files of what is written under the lock; `tervit export` may write others meanwhile.
_PARTIAL = re.compile(r"\..+\.(npz|json|jsonl|html|png)\.[0-9a-f]+\.partial")


class RunFolder:
    """Reads and writes the files of one run; hands each record that it logs to `on_record`."""

    def __init__(
        self, path: str | Path, on_record: Callable[[dict[str, Any]], None] | None = None
    ) -> None:
        self.path, self.on_record = Path(path), on_record
        self.word = shell_word(path)  # of a command line
        self.checkpoints = Checkpoints(self.path)
        self.config_file = self.path / "run.json"
        self.metrics = self.path / "metrics.jsonl"

    def stage_file(self, stage: str) -> Path:
        """Return the path of a stage's model; ValueError if the name is a path itself."""
        check_file_name("stage name", stage)
        return self.path / f"{stage}.npz"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Make the folder if it is absent, and keep other processes out while the block runs.

        Raises
        ------
        ValueError
            If another process uses the folder.
        """
        make_folder(self.path)
        try:
            with locked(self.path):
                yield
        finally:
            with suppress(OSError):  # it is not empty
                self.path.rmdir()

    def remove_partial_files(self) -> None:
        """Remove what writes of killed processes have left; the folder must be locked."""
        for file in self.path.glob(".*.partial"):
            if _PARTIAL.fullmatch(file.name):
                file.unlink(missing_ok=True)

    def begin(self, run_config: dict[str, Any], initial: Saved) -> None:
        """Start a new run, whose first checkpoint is `initial`, in an empty or absent folder.

        run.json is written last: a folder that has it has a checkpoint too, so a missing checkpoint
        was lost and is not still to come.

        Raises
        ------
        ValueError
            If the folder already holds a run.
        """
        self.refuse_another()
        make_folder(self.path)
        self.metrics.write_text("")
        for _ in range(2):  # so that from the beginning one may be damaged
            self._write(initial, run_config)
        write_config(self.config_file, run_config)

    def begin_after(self, earlier: "RunFolder", run_config: dict[str, Any]) -> None:
        """Start a run from a copy of another, finished run that has trained its first stages.

        The result is bit-equal to training all stages here, since a stage depends only on the
        checkpoint before it. The folder is created atomically.

        Raises
        ------
        ValueError
            If the other run is not finished, its stages are not the first ones of this run, or the
            folder already holds a run.
        OSError
            If the copy cannot be written; nothing of it stays.
        """
        self.refuse_another()
        stages = run_config["stages"][: len(earlier.read_run_config()["stages"])]
        earlier.check_same_config({**run_config, "stages": stages})
        saved = earlier.load()
        if saved.position["stage"] != len(stages):
            raise ValueError(f"{earlier.path} is not finished; its stages cannot be copied")
        make_folder(self.path.parent)
        partial = self.path.with_name(f".{self.path.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            shutil.copytree(earlier.path, partial)
            copied = RunFolder(partial)
            copied.checkpoints.remove()
            copied._write(saved, run_config)
            write_config(copied.config_file, run_config)
            os.rename(partial, self.path)
        except shutil.Error as error:
            _, _, reason = error.args[0][0]  # of the first file that could not be copied
            raise OSError(f"{earlier.path} could not be copied ({reason})") from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def refuse_another(self) -> None:
        """Raise ValueError if the folder already holds a run."""
        if self.config_file.exists():
            raise ValueError(
                f"{self.path} already holds a run: continue it with --resume, or choose another "
                "folder with --out"
            )
        if self.metrics.exists() and self.metrics.stat().st_size > 0:
            raise ValueError(
                f"{self.path} holds a run whose run.json is missing: `tervit train --resume "
                f"{self.word}` writes it again from a checkpoint, or --out names another folder"
            )

    def read_run_config(self) -> dict[str, Any]:
        """Read run.json; ValueError if it is missing or damaged."""
        return self._read(CONFIG)

    def stage_names(self) -> list[str]:
        """Read the names of all stages, finished or not, from run.json; ValueError as above."""
        return [stage["name"] for stage in self._read({"stages": [{"name": str}]})["stages"]]

    def _read(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Read run.json; if it is missing or damaged, write it again from a checkpoint."""
        try:
            return read_config(self.config_file, schema)
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            damaged = isinstance(error, ValueError)
            if (stored := self._stored_config()) is not None:
                write_config(self.config_file, stored)
                state = "damaged" if damaged else "missing"
                note(
                    f"{self.config_file} was {state}; it is written again from the run's checkpoint"
                )
                return stored
            if damaged:
                raise
            if self.path.is_dir():
                raise ValueError(f"{self.path} holds no run: it has no run.json") from None
            what = "is a file" if self.path.exists() else "does not exist"
            raise ValueError(f"{self.path} {what}; expected the folder of a run") from None

    def _stored_config(self) -> dict[str, Any] | None:
        """Return the configuration that the checkpoints hold, or None."""
        if not self.checkpoints.exist:
            return None
        try:
            stored: dict[str, Any] = self.checkpoints.load().position["run"]
        except ValueError:
            return None
        return None if mismatch(stored, CONFIG) else stored

    def check_same_config(self, run_config: dict[str, Any]) -> None:
        """Raise ValueError if settings differ from run.json, which would give other bits."""
        stored = self.read_run_config()
        # In JSON, where tuples are lists.
        before, current = json.loads(json.dumps([with_new_fields(stored), run_config]))
        for key in MUST_AGREE:
            if difference := first_difference(before.get(key), current[key], key):
                field, was, now = difference
                if field == "data.held_out" and was == "null":
                    raise ValueError(
                        f"resume: {self.path} was begun by an earlier version, which held out "
                        "other validation images: continue it with that version, or train in a "
                        f"new folder, perhaps from a finished stage (--weights {self.word})"
                    )
                raise ValueError(
                    f"resume: {field} was {was} when this run began and is now {now}; "
                    "continue with the same settings to get the same bits"
                )

    def log(self, **record: Any) -> None:
        """Append one record to metrics.jsonl."""
        metrics.append(self.metrics, record)
        if self.on_record is not None:
            self.on_record(record)

    def save(self, state: Saved) -> None:
        """Write a checkpoint, with the current length of the metrics, which are synced before."""
        self._write(state, self.read_run_config())

    def _write(self, state: Saved, run_config: dict[str, Any]) -> None:
        extra = {"metrics_bytes": metrics.sync(self.metrics), "run": run_config}
        self.checkpoints.save(Saved(state.arrays, state.position | extra))

    def load(self) -> Saved:
        """Read a checkpoint; cut the metrics to its time, or make them anew from what is left.

        Raises
        ------
        ValueError
            If there is no checkpoint, or none that is whole.
        """
        if not self.checkpoints.exist:
            raise ValueError(
                f"{self.checkpoints.newest} is missing, and without it this run cannot continue to "
                "the same result: restore the file from a copy, or train in a new folder, perhaps "
                f"from a finished stage of this run (--weights {self.word})"
            )
        saved = self.checkpoints.load()
        length = saved.position["metrics_bytes"]
        if not metrics.cut(self.metrics, length):
            self._restore_metrics(saved, length)
        return saved

    def _restore_metrics(self, saved: Saved, length: int) -> None:
        """Keep the lines of the metrics that are left, and make those of finished stages anew."""
        found = self.metrics.stat().st_size if self.metrics.is_file() else 0
        stages = self.read_run_config()["stages"]
        results = zip(stages, saved.position["results"], strict=False)
        metrics.rewrite(self.metrics, length, [metrics.stage_record(*pair) for pair in results])
        self.save(saved)  # with the new length
        note(
            f"{self.metrics} has lost lines: it has {found} bytes, {length} were written, and what "
            "is left may be damaged; training continues to the same weights, and the curves of the "
            "report have gaps"
        )
