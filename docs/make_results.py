"""Write the tables of accuracies of README and of the pages of docs that have marks for them.

    python docs/make_results.py runs/shapes runs/shapes-2 ...    add these runs, rewrite the tables
    python docs/make_results.py runs/compare-main                add a comparison, rewrite tables
    python docs/make_results.py                                  rewrite the tables, draw

Runs are stored in docs/results.json and comparisons in docs/comparisons/NAME.json. The tables, and
the figures of comparisons, are made from these files alone.
"""

import argparse
import json
import re
import shlex
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

from page_parts import rewrite, table  # noqa: E402

from tervit_np.analysis import comparison  # noqa: E402
from tervit_np.analysis.comparison import Record, read_record, write_record  # noqa: E402
from tervit_np.analysis.comparison.figure import draw_comparison  # noqa: E402
from tervit_np.train.run_config import without_options  # noqa: E402
from tervit_np.train.stage_time import total_time  # noqa: E402

STORE = ROOT / "docs" / "results.json"
OLD = "--preset cifar10-adamw"
TIMES = {"minutes": "seconds", "CPU minutes": "cpu_seconds"}  # columns, and what is stored
# Which commands a page shows, and which time: minutes say little if other runs use the machine.
RUN_TABLES: dict[Path, tuple[Callable[[str], bool], str]] = {
    ROOT / "README.md": (
        lambda command: OLD not in command and "--precision" not in command,
        "minutes",
    ),
    ROOT / "docs" / "results.md": (lambda command: OLD in command, "CPU minutes"),
    ROOT / "docs" / "float_product.md": (
        lambda command: "--precision" in command or command == "tervit train --data cifar10",
        "minutes",
    ),
}
COMPARISON_PAGES = ("stages.md", "rules.md", "swin_and_photographs.md")
PAGES = (*RUN_TABLES, *(ROOT / "docs" / page for page in COMPARISON_PAGES))
SEARCHES = {  # by their marks in the pages
    "search": ROOT / "docs" / "preset_search.json",
    "search long": ROOT / "docs" / "preset_search_long.json",
}
COMPARISONS = ROOT / "docs" / "comparisons"
HEAD = ("command", "seeds", "float", "8-bit", "ternary, untrained", "ternary")
TWIN = " --float-twin"  # at the end of the command of a float twin


def summary(folder: Path) -> dict[str, Any]:
    """Summarize a finished run: command without seed and folder, accuracies in percent, time."""
    config = json.loads((folder / "run.json").read_text())
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    finished = [line for line in lines if line["kind"] == "stage"]
    stages = [
        {
            "stage": line["stage"],
            "start": 100 * line["start"]["test_accuracy"],
            "end": 100 * line["end"]["test_accuracy"],
        }
        for line in finished
    ]
    # Unknown where lines of the metrics were lost; CPU time in earlier versions, too.
    seconds = total_time([line["seconds"] for line in finished])
    cpu = total_time([line.get("cpu_seconds") for line in finished])
    return {
        "command": plain_command(config["command"]),
        "seed": config["seed"],
        "stages": stages,
        "seconds": None if seconds is None else round(seconds, 1),
        **({} if cpu is None else {"cpu_seconds": round(cpu, 1)}),
        "test_images": config["data"]["test"],
        "environment": config["environment"],
    }


def plain_command(command: str) -> str:
    """Remove what differs between repetitions or changes no bit: paths of folders, --seed, ..."""
    words = shlex.split(without_options(command, "--seed", "--out", "--threads", "--workers"))
    kept = [re.sub(r"^folder:.*/", "folder:", word) for word in words if word != "--quiet"]
    return shlex.join(kept)


def run_table(
    runs: list[dict[str, Any]], shown: Callable[[str], bool], time: str = "minutes"
) -> str:
    """Return a table with a row for each command that is shown; cells are in the order of seeds.

    The float twin of a training is a cell of its row.
    """
    groups = defaultdict(list)
    for run in sorted(runs, key=lambda run: run["seed"]):
        if shown(run["command"]):
            groups[run["command"]].append(run)
    has_twins = any(command.endswith(TWIN) for command in groups)
    head = (*HEAD, *["float, as long"] * has_twins, time)
    rows = [head]
    for command, repeats in groups.items():
        if command.endswith(TWIN):
            continue
        twins = [run["stages"][-1]["end"] for run in groups.get(command + TWIN, [])]
        rows.append(
            (
                f"`{command}`",
                ", ".join(str(run["seed"]) for run in repeats),
                *(_mean_and_sd(_of_stage(repeats, name, "end")) for name in ("float", "8-bit")),
                *(_mean_and_sd(_of_stage(repeats, "ternary", side)) for side in ("start", "end")),
                *[_mean_and_sd(twins)] * has_twins,
                _minutes(repeats, TIMES[time]),
            )
        )
    return table(rows)


def _of_stage(repeats: list[dict[str, Any]], name: str, side: str) -> list[float]:
    """Return the accuracies of repeated runs before or after a stage, none if they lack it."""
    stages = [stage for run in repeats for stage in run["stages"]]
    return [float(stage[side]) for stage in stages if stage["stage"] == name]


def _minutes(repeats: list[dict[str, Any]], key: str) -> str:
    """Return the least time of any run; "" if none is known. Other programs lengthen a time."""
    seconds = [run[key] for run in repeats if run.get(key) is not None]
    return f"{min(seconds) / 60:.1f}" if seconds else ""


def _mean_and_sd(values: list[float]) -> str:
    """Format mean ± standard deviation of three or more values, or each of one or two."""
    if len(values) < 3:
        return ", ".join(f"{value:.1f}" for value in values)
    return f"{mean(values):.1f} ± {stdev(values):.1f}"


def search_table(file: Path) -> str:
    """Return a table of the candidates for a preset."""
    results = json.loads(file.read_text(encoding="utf-8"))["results"]
    rows = [("candidate", "heads", "rate of AdamW", "of Muon", "held-out accuracy", "CPU minutes")]
    rows += [
        (result["name"], str(result["heads"]), f"{result['lr']:g}",
         f"{result['lr'] * result['ratio']:g}", f"{100 * result['accuracy']:.1f}",
         f"{result['cpu_seconds'] / 60:.1f}")
        for result in results
    ]  # fmt: skip
    return table(rows)


def remade(page: Path, runs: list[dict[str, Any]]) -> str:
    """Return a page with new tables; it shows the comparisons that it has marks for."""
    text = page.read_text(encoding="utf-8")
    if page in RUN_TABLES:
        text = rewrite(text, "results", run_table(runs, *RUN_TABLES[page]))
    for mark, file in SEARCHES.items():
        if f"<!-- {mark} -->" in text:
            text = rewrite(text, mark, search_table(file))
    for name in re.findall(r"<!-- comparison ([\w-]+) -->", text):
        record = read_record(COMPARISONS / f"{name}.json")
        tables = comparison.arms_table(record), comparison.contrasts_table(record)
        both = "\n".join(map(comparison.markdown, tables))
        text = rewrite(text, f"comparison {name}", f"{setting(record)}\n{both}")
    return text


def setting(record: Record) -> str:
    """Describe the budget, pictures and seeds of a comparison."""
    plan, data = record.plan, record.data
    lines = (
        f"- {plan.arms[0].epochs:g} epochs of {data['train']:,} pictures of {plan.data} in "
        f"batches of {plan.recipe.batch_size} for every arm, model {plan.model}",
        f"- {_rates(record)}",
        f"- compared with seeds {_words(plan.seeds)} on {data['test']:,} test pictures",
        f"- on an {record.environment['processor']}{_seconds(record)}",
    )
    return "".join(f"{line}\n" for line in lines)


def _rates(record: Record) -> str:
    """Describe the search of learning rates, which one multiplier makes empty."""
    plan, tried = record.plan, sorted({trial["multiplier"] for trial in record.search})
    if len(tried) == 1:
        return f"rates {tried[0]:g} times those of the plan, without a search"
    word = "seeds" if len(plan.search_seeds) > 1 else "seed"
    rates = f"rates after the stage {', '.join(plan.fixed_rates)}" if plan.fixed_rates else "rates"
    return (
        f"{rates} chosen among {_words(tried)} times those of the plan, with {word} "
        f"{_words(plan.search_seeds)}, on {record.data['validation']:,} validation pictures"
    )


def _seconds(record: Record) -> str:
    """Say what a training takes, if all trials have stored their time."""
    times = [trial.get("cpu_seconds") for trial in (*record.search, *record.tested)]
    return "" if None in times else f", {median(times):.0f} CPU seconds a training (median)"


def _words(values: Sequence[float]) -> str:
    *most, last = (f"{value:g}" for value in values)
    return f"{', '.join(most)} and {last}" if most else last


def add_comparison(folder: Path) -> None:
    """Store a finished comparison under its name."""
    record = read_record(folder)
    write_record(record, COMPARISONS / f"{record.plan.name}.json")


def draw_comparisons() -> list[Path]:
    """Draw the figure of each stored comparison."""
    records = [read_record(file) for file in sorted(COMPARISONS.glob("*.json"))]
    return [draw_comparison(record, COMPARISONS / f"{record.plan.name}.png") for record in records]


def add_run(folder: Path, runs: list[dict[str, Any]]) -> None:
    """Add a run; one with a stored command and seed replaces the stored run."""
    new = summary(folder)
    keys = [(run["command"], run["seed"]) for run in [*runs, new]]
    place = keys.index(keys[-1])  # its own, at the end, if none is stored
    runs[place : place + 1] = [new]


def main() -> None:
    """Add runs and comparisons, then make the tables and draw the figures."""
    parser = argparse.ArgumentParser(description="Tables of accuracies, from run folders.")
    parser.add_argument("runs", nargs="*", type=Path, help="folders of finished runs, comparisons")
    args = parser.parse_args()
    runs = json.loads(STORE.read_text()) if STORE.exists() else []
    for folder in args.runs:
        if (folder / "comparison.json").exists():
            add_comparison(folder)
        else:
            add_run(folder, runs)
    STORE.write_text(json.dumps(runs, indent=1) + "\n")
    for page in PAGES:
        page.write_text(remade(page, runs), encoding="utf-8")
        print(f"wrote {page.relative_to(ROOT)}")
    print(f"drew {len(draw_comparisons())} comparisons")


if __name__ == "__main__":
    main()
