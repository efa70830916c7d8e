"""A run folder as the report and the log read it: configuration, metrics, stages."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tervit_np.train import batches
from tervit_np.train.folder import RunFolder
from tervit_np.train.metrics import read_metrics


class StageRecord(NamedTuple):
    """A finished stage; accuracies are those on the test split."""

    name: str
    start_accuracy: float
    start_loss: float
    accuracy: float
    loss: float
    seconds: float | None  # None where the record was lost
    epochs: float
    cpu_seconds: float | None = None  # None, too, in runs of earlier versions


@dataclass(frozen=True)
class RunRecord:
    """The records of a run."""

    folder: RunFolder
    config: dict[str, Any]  # run.json
    stages: list[StageRecord]  # the finished ones
    records: list[dict[str, Any]]  # the lines of metrics.jsonl
    damaged: int  # lines of it that could not be read

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The records of training steps."""
        return [record for record in self.records if record["kind"] == "step"]

    @property
    def evaluations(self) -> list[dict[str, Any]]:
        """The records of evaluations on the validation split."""
        return [record for record in self.records if record["kind"] == "eval"]

    @property
    def stage_names(self) -> list[str]:
        """Names of all stages, finished or not."""
        return [str(stage["name"]) for stage in self.config["stages"]]

    @property
    def epoch_steps(self) -> int:
        """Steps in an epoch; at least 1, whatever numbers a damaged file has."""
        images, batch = self.config["data"]["train"], self.config["recipe"]["batch_size"]
        return max(batches.epoch_steps(int(images), max(int(batch), 1)), 1)


def read_run(path: str | Path) -> RunRecord:
    """Read a run folder.

    Raises
    ------
    ValueError
        If there is no run in it, or its files are damaged.
    """
    folder = RunFolder(path)
    config = folder.read_run_config()
    records, damaged = read_metrics(folder.metrics)
    finished = {line["stage"]: _stage(line) for line in records if line["kind"] == "stage"}
    stages = [finished[s["name"]] for s in config["stages"] if s["name"] in finished]
    return RunRecord(folder, config, stages, records, damaged)


def _stage(line: dict[str, Any]) -> StageRecord:
    start, end = line["start"], line["end"]
    return StageRecord(
        line["stage"],
        start["test_accuracy"],
        start["test_loss"],
        end["test_accuracy"],
        end["test_loss"],
        line["seconds"],
        line["epochs"],
        line["cpu_seconds"],
    )
