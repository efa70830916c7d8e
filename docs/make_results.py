"""README's table of accuracies and those of docs/results.md, from run folders.

    python docs/make_results.py runs/shapes runs/shapes-2 ...    add these runs, rewrite the tables
    python docs/make_results.py runs/compare-main                the same with a comparison
    python docs/make_results.py                                  rewrite the tables

What is quoted lies in docs/results.json and docs/comparisons/NAME.json; the tables are made from
these and from nothing else, the figures of comparisons too.
"""

import argparse
import json
import re
import shlex
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from tervit_np.analysis.comparison import Record, read_record, tables, write_record
from tervit_np.analysis.comparison.figure import draw_comparison

ROOT = Path(__file__).parents[1]
STORE = ROOT / "docs" / "results.json"
PAGES = {  # which commands each page shows, by what stands after --data
    ROOT / "README.md": ("shapes", "cifar10"),
    ROOT / "docs" / "results.md": ("folder:tiny-imagenet-200@32",),
}
COMPARISONS = ROOT / "docs" / "comparisons"
BEGIN, END = "<!-- results -->\n", "<!-- end of results -->"
HEAD = ("command", "seeds", "float", "8-bit", "ternary, untrained", "ternary", "minutes")


def summary(folder: Path) -> dict[str, Any]:
    """Condense a finished run: command without seed and folder, accuracies in percent, time."""
    request = json.loads((folder / "run.json").read_text())
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    stages = [
        {
            "stage": line["stage"],
            "start": 100 * line["start"]["test_accuracy"],
            "end": 100 * line["end"]["test_accuracy"],
        }
        for line in lines
        if line["kind"] == "stage"
    ]
    return {
        "command": plain_command(request["command"]),
        "seed": request["seed"],
        "stages": stages,
        "seconds": next(line["seconds"] for line in lines if line["kind"] == "run"),
        "test_images": request["data"]["test"],
        "environment": request["environment"],
    }


def plain_command(command: str) -> str:
    """Drop what differs between repetitions: --seed, --out, --quiet, where a folder lies."""
    words = shlex.split(command)
    kept: list[str] = []
    while words:
        word = words.pop(0)
        if word in ("--seed", "--out"):
            words.pop(0)
        elif word != "--quiet":
            kept.append(re.sub(r"^folder:.*/", "folder:", word))
    return shlex.join(kept)


def data_of(command: str) -> str:
    """Return what a command trains on."""
    words = shlex.split(command)
    return words[words.index("--data") + 1] if "--data" in words else "shapes"


def table(runs: list[dict[str, Any]], sets: tuple[str, ...]) -> str:
    """Lay out one row for each command on these sets; cells follow the order of the seeds."""
    groups = defaultdict(list)
    for run in runs:
        if data_of(run["command"]) in sets:
            groups[run["command"]].append(run)
    rows = [HEAD, ("---",) * len(HEAD)]
    for command, found in groups.items():
        same = sorted(found, key=lambda run: run["seed"])
        ends = {
            s["stage"]: [_stage(run, s["stage"], "end") for run in same] for s in same[0]["stages"]
        }
        starts = [_stage(run, "ternary", "start") for run in same] if "ternary" in ends else []
        minutes = mean(run["seconds"] for run in same) / 60
        rows.append(
            (
                f"`{command}`",
                ", ".join(str(run["seed"]) for run in same),
                *(_spread(ends.get(name, [])) for name in ("float", "8-bit")),
                _spread(starts),
                _spread(ends.get("ternary", [])),
                f"{minutes:.1f}",
            )
        )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _stage(run: dict[str, Any], name: str, side: str) -> float:
    return float(next(s[side] for s in run["stages"] if s["stage"] == name))


def _spread(values: list[float]) -> str:
    """Write one or two values as they are: two have no spread to speak of."""
    if len(values) < 3:
        return ", ".join(f"{value:.1f}" for value in values)
    return f"{mean(values):.1f} ± {stdev(values):.1f}"


def rewrite(text: str, new: str, begin: str = BEGIN, end: str = END) -> str:
    """Replace what stands between two marks of a page."""
    before, rest = text.split(begin)
    return before + begin + new + end + rest.split(end)[1]


def remade(page: Path, runs: list[dict[str, Any]]) -> str:
    """Return a page with its tables made anew; a page quotes those comparisons that it marks."""
    text = rewrite(page.read_text(encoding="utf-8"), table(runs, PAGES[page]))
    for name in re.findall(r"<!-- comparison ([\w-]+) -->", text):
        record = read_record(COMPARISONS / f"{name}.json")
        marks = f"<!-- comparison {name} -->\n", f"<!-- end of comparison {name} -->"
        text = rewrite(text, f"{setting(record)}\n{tables(record)}", *marks)
    return text


def setting(record: Record) -> str:
    """Say what a comparison's numbers rest on: budget, pictures, seeds."""
    plan, data = record.plan, record.data
    lines = (
        f"- {plan.arms[0].epochs:g} epochs of {data['train']:,} pictures of {plan.data} in "
        f"batches of {plan.recipe.batch_size} for every arm, model {plan.model}",
        f"- rates chosen among {_words(plan.multipliers)} times those of the plan, with seed "
        f"{_words(plan.search_seeds)}, on {data['validation']:,} validation pictures",
        f"- compared with seeds {_words(plan.seeds)} on {data['test']:,} test pictures",
    )
    return "".join(f"{line}\n" for line in lines)


def _words(values: tuple[float, ...]) -> str:
    *most, last = (f"{value:g}" for value in values)
    return f"{', '.join(most)} and {last}" if most else last


def add_comparison(folder: Path) -> None:
    """Store a finished comparison under its name, and draw its figure."""
    record = read_record(folder)
    write_record(record, COMPARISONS / f"{record.plan.name}.json")
    draw_comparison(record, COMPARISONS / f"{record.plan.name}.png")


def add_run(folder: Path, runs: list[dict[str, Any]]) -> None:
    """Put a run among the others; a repetition keeps its place."""
    new = summary(folder)
    known = [(run["command"], run["seed"]) for run in runs]
    key = new["command"], new["seed"]
    if key in known:
        runs[known.index(key)] = new
    else:
        runs.append(new)


def main() -> None:
    """Add runs and comparisons, then make the tables."""
    parser = argparse.ArgumentParser(description="Tables of accuracies, from run folders.")
    parser.add_argument("runs", nargs="*", type=Path, help="folders of finished runs, comparisons")
    args = parser.parse_args()
    runs = json.loads(STORE.read_text()) if STORE.exists() else []
    for folder in args.runs:
        if (folder / "comparison.json").exists():
            add_comparison(folder)
        else:
            add_run(folder, runs)
    STORE.parent.mkdir(exist_ok=True)
    STORE.write_text(json.dumps(runs, indent=1) + "\n")
    for page, sets in PAGES.items():
        page.write_text(remade(page, runs), encoding="utf-8")
        print(f"{page}\n{table(runs, sets)}")


if __name__ == "__main__":
    main()
