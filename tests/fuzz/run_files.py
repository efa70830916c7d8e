"""A small good file of each format of plans and results."""

import json
from pathlib import Path

from tests.fuzz import mutations as m
from tests.fuzz.format import SMALL, Format

PLAN = """
name = "small"
data = "shapes"
about = "A plan for tests."
images = 48
multipliers = [0.5, 1]
search_seeds = [7]
seeds = [0, 1]
baseline = "direct"
config = {patch_size = 4, dim = 16, depth = 1, heads = 2}
recipe = {batch_size = 8, betas = [0.9, 0.99]}

[[arms]]
name = "direct"
stages = [{name = "float", plan = "float", epochs = 1, lr = 4e-3}, {name = "ternary", plan = "ternary", epochs = 2, lr = 4e-3}]

[[arms]]
name = "progressive"
stages = [{name = "float", plan = "float", epochs = 1, lr = 4e-3}, {name = "int8", plan = [["blocks.*", {rule = "UniformWeight", bits = 8, per = "channel"}, {rule = "UniformAct", bits = 8, kind = "symmetric", per = "token"}]], epochs = 2, lr = 4e-3}]

[[contrasts]]
name = "gain"
of = ["progressive"]
against = ["direct"]
"""  # noqa: E501


def make_plan(folder: Path) -> None:
    """Write a plan of a comparison."""
    (folder / "plan.toml").write_text(PLAN, encoding="utf-8")


def read_plan(folder: Path) -> str:
    """Read a plan."""
    from tervit_np.analysis.comparison.reading import read_plan

    return repr(read_plan(folder / "plan.toml").describe())


RUN = {
    "command": "tervit train",
    "started": "today",
    "seed": 1,
    "threads": 1,
    "backend": "numpy",
    "model": {"model": "DeiT", "config": SMALL, "dtype": "float32", "parameters": 7},
    "stages": [{"name": "a", "plan": "float", "epochs": 1, "lr": 0.1}],
    "recipe": {"batch_size": 8, "betas": [0.9, 0.99], "augment": {}},
    "data": {"name": "shapes", "classes": ["x"], "train": 8, "val": 0, "test": 8},
    "environment": {"numpy": "2"},
}
ENDS = {"test_accuracy": 0.5, "test_loss": 1.5}
METRICS = [
    {"kind": "step", "stage": "a", "step": 0, "loss": 2.5, "rate": 10.0, "lr": 0.1},
    {"kind": "eval", "stage": "a", "step": 1, "loss": 2.5, "accuracy": 0.5, "epoch": 1},
    {"kind": "stage", "stage": "a", "name": "a", "epochs": 1, "start": ENDS, "end": ENDS,
     "seconds": 1.0},
    {"kind": "run", "seconds": 1.0},
]  # fmt: skip


def make_run(folder: Path) -> None:
    """Write the configuration and the metrics of a run."""
    (folder / "run.json").write_text(json.dumps(RUN))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in METRICS))


def read_run(folder: Path) -> str:
    """Read a run as its report does."""
    from tervit_np.analysis.run_record import read_run

    run = read_run(folder)
    return repr((run.stage_names, run.epoch_steps, run.stages, run.steps, run.evaluations))


def make_progress(folder: Path) -> None:
    """Write a student's progress."""
    from tervit_np.exercises.progress import Progress
    from tervit_np.exercises.tasks import EXERCISES

    Progress(folder).record_pass(EXERCISES[0])
    Progress(folder).open_hint(EXERCISES[0])


def read_progress(folder: Path) -> str:
    """Read it as `tervit exercise` does."""
    from tervit_np.exercises.progress import Progress
    from tervit_np.exercises.tasks import EXERCISES

    record = Progress(folder)
    return repr([(record.passed(e), record.hints(e)) for e in EXERCISES])


def make_comparison(folder: Path) -> None:
    """Write the record of a comparison."""
    import tomllib

    from tervit_np.analysis.comparison import Record
    from tervit_np.analysis.comparison.reading import plan_from_table
    from tervit_np.analysis.comparison.record import write_record

    plan = plan_from_table(tomllib.loads(PLAN))
    tested = [
        {"arm": arm.name, "seed": seed, "multiplier": 1.0, "accuracy": 0.5, "loss": 1.0,
         "test_accuracy": 0.5 + seed / 10, "test_loss": 1.0,
         "stages": [{"name": s.name, "start_accuracy": 0.1} for s in arm.stages]}
        for arm in plan.arms for seed in plan.seeds
    ]  # fmt: skip
    chosen, data = {"direct": 0.5, "progressive": 1.0}, {"train": 48, "validation": 24, "test": 24}
    record = Record(plan, [], chosen, tested, data, {"numpy": "2"})
    write_record(record, folder / "comparison.json")


def read_comparison(folder: Path) -> str:
    """Read the record and what tables show of it."""
    from tervit_np.analysis.comparison.record import read_record

    record = read_record(folder)
    parts = [record.difference(contrast) for contrast in record.plan.contrasts]
    return repr((parts, [record.untrained(arm.name) for arm in record.plan.arms]))


RUNS = {
    "plan": Format(make_plan, read_plan, (m.words,)),
    "run": Format(make_run, read_run, (m.json_text,), "run.json"),
    "metrics": Format(make_run, read_run, (m.json_text,), "metrics.jsonl"),
    "progress": Format(make_progress, read_progress, (m.json_text,)),
    "comparison": Format(make_comparison, read_comparison, (m.json_text,)),
}  # fmt: skip
