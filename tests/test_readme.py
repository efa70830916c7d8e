"""README says what is there: the table is made from stored results, files and names exist."""

import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import tervit_np as tv
from tervit_np.analysis.comparison import read_plan
from tervit_np.analysis.comparison.running import (
    choose_multipliers,
    final_trials,
    search_trials,
    widened,
)
from tervit_np.train.metrics import stage_record

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def results():
    spec = importlib.util.spec_from_file_location("results", ROOT / "docs" / "make_results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_made_from_the_stored_results(results):
    runs = json.loads(results.STORE.read_text())
    for page, shown in results.RUN_TABLES.items():
        assert results.run_table(runs, *shown) in page.read_text(encoding="utf-8")
    pages = "".join(page.read_text(encoding="utf-8") for page in results.PAGES)
    rows = {run["command"].removesuffix(results.TWIN) for run in runs}  # twins: cells of rows
    assert all(f"| `{command}` |" in pages for command in rows)  # nothing is left out


def test_the_pages_are_what_the_stored_results_make_of_them(results):
    runs = json.loads(results.STORE.read_text())
    for page in results.PAGES:
        assert results.remade(page, runs) == page.read_text(encoding="utf-8"), page
    pages = "".join(page.read_text(encoding="utf-8") for page in results.PAGES)
    for file in results.COMPARISONS.glob("*.json"):  # nothing is left out
        assert f"<!-- comparison {file.stem} -->" in pages
        assert f"](comparisons/{file.stem}.png)" in pages


@pytest.mark.parametrize("cpu", [{"cpu_seconds": 3.5}, {}, {"cpu_seconds": None}])
def test_a_summary_has_the_cpu_time_where_it_is_known(results, tmp_path, cpu):
    config = {"command": "tervit train", "seed": 0, "data": {"test": 8}, "environment": {}}
    (tmp_path / "run.json").write_text(json.dumps(config))
    end = {"test_accuracy": 0.5}
    stage = {"kind": "stage", "stage": "a", "start": end, "end": end}
    lines = [stage | {"seconds": 2, "cpu_seconds": 1}, stage | {"seconds": 3} | cpu]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    summary = results.summary(tmp_path)
    assert summary["seconds"] == 5
    assert summary.get("cpu_seconds") == (4.5 if any(cpu.values()) else None)


def test_an_unknown_time_of_a_stage_leaves_that_of_the_run_unknown(results, tmp_path):
    """The record of a stage that was lost is made anew without its time (train/metrics.py)."""
    config = {"command": "tervit train", "seed": 0, "data": {"test": 8}, "environment": {}}
    (tmp_path / "run.json").write_text(json.dumps(config))
    ends = [(f"s{i}", 0.5, 1.0, 0.6, 0.9) for i in range(2)]
    lines = [stage_record({}, ends[0], 60.0, 60.0), stage_record({}, ends[1])]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    unknown = results.summary(tmp_path)
    assert unknown["seconds"] is None and "cpu_seconds" not in unknown
    for time, key in results.TIMES.items():
        known = [unknown | {key: seconds} for seconds in (180.0, 120.0)]
        for runs, minutes in (([unknown], ""), ([unknown, *known], "2.0")):
            cells = results.run_table(runs, lambda command: True, time).split("|")
            assert cells[-2].strip() == minutes


def searched_grid(plan, search):
    """Return the grid that a search ends with which grows where an arm's best is at an end."""
    grid = plan.multipliers
    for _ in range(plan.widen):
        grid = widened(
            grid, choose_multipliers(plan, [t for t in search if t["multiplier"] in grid]).values()
        )
    return grid


def test_a_grid_that_grew_is_searched_as_far_as_an_arm_asked_for_it(results):
    record = results.read_record(results.COMPARISONS / "zoo.json")
    assert record.plan.multipliers == (0.5, 1, 2) and 8 in record.multipliers.values()
    for widen in range(3):
        plan = replace(record.plan, widen=widen)
        assert searched_grid(plan, record.search) == (0.5, 1, 2, 4, 8)[: 3 + widen]


def test_stored_comparisons_are_those_of_the_plans(results):
    """Of the same arms, seeds and rates; what was tried and tested is complete."""
    plans = sorted(results.COMPARISONS.glob("*.toml"))
    assert plans
    for file in plans:
        plan, record = read_plan(file), results.read_record(file.with_suffix(".json"))
        assert record.plan.describe() == plan.describe(), file
        assert file.with_suffix(".png").exists()
        assert file.stem == plan.name
        tried = {(t["arm"], t["multiplier"], t["seed"]) for t in record.search}
        wanted = search_trials(plan, searched_grid(plan, record.search))
        assert tried == {(t.arm.name, t.multiplier, t.seed) for t in wanted}
        assert record.multipliers == choose_multipliers(plan, record.search)
        tested = [(t["arm"], t["multiplier"], t["seed"]) for t in record.tested]
        wanted = final_trials(plan, record.multipliers)
        assert tested == [(t.arm.name, t.multiplier, t.seed) for t in wanted]


def test_a_comparison_is_added_and_drawn_under_its_name(results, tmp_path, monkeypatch):
    stored = results.COMPARISONS / "main.json"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "comparison.json").write_bytes(stored.read_bytes())
    monkeypatch.setattr(results, "COMPARISONS", tmp_path)
    results.add_comparison(tmp_path / "run")
    assert (tmp_path / "main.json").read_bytes() == stored.read_bytes()
    assert results.draw_comparisons() == [tmp_path / "main.png"]
    assert (tmp_path / "main.png").exists()


def test_settings_are_told_in_words(results):
    record = results.read_record(results.COMPARISONS / "main.json")
    budget, choice, test, machine = results.setting(record).splitlines()
    assert budget.startswith(
        "- 10 epochs of 6,000 pictures of shapes in batches of 64 for every arm"
    )
    assert (
        "among 0.5, 1 and 2 times those of the plan, with seeds 100, 101 and 102, on 1,000 valid"
        in choice
    )
    assert test.endswith("on 2,000 test pictures")
    assert machine == "- on an AMD EPYC"
    for trial in (*record.search, *record.tested):
        trial["cpu_seconds"] = 20.4
    assert results.setting(record).endswith(
        "- on an AMD EPYC, 20 CPU seconds a training (median)\n"
    )
    fixed = replace(record, plan=replace(record.plan, fixed_rates=("float",)))
    assert "- rates after the stage float chosen among 0.5," in results.setting(fixed)
    record = results.read_record(results.COMPARISONS / "distillation.json")
    choice = results.setting(record).splitlines()[1]
    assert choice == "- rates 1 times those of the plan, without a search"


def test_a_spread_takes_three_seeds(results):
    """Of two, both are printed, in the order of the seeds."""
    runs = [{"command": "tervit train", "seed": seed, "seconds": 60.0,
             "stages": [{"stage": "float", "start": 10.0, "end": 90.0 + seed}]}
            for seed in (2, 1, 4)]  # fmt: skip
    rows = [
        results.run_table(runs[:count], lambda command: True).splitlines()[-1]
        for count in (1, 2, 3)
    ]
    assert [row.split(" | ")[1:3] for row in rows] == [
        ["2", "92.0"], ["1, 2", "91.0, 92.0"], ["1, 2, 4", "92.3 ± 1.5"],
    ]  # fmt: skip


def test_a_float_twin_is_a_cell_of_the_row_of_its_training(results):
    def run(command, seed, *ends):
        names = "float", "8-bit", "ternary"
        stages = [{"stage": n, "start": 0.0, "end": e} for n, e in zip(names, ends, strict=True)]
        return {"command": command, "seed": seed, "seconds": 60.0, "stages": stages}

    twin = "tervit train --float-twin"
    runs = [run("tervit train", 0, 50, 51, 80), run("tervit train", 1, 60, 61, 81),
            run(twin, 1, 60, 70, 83), run("tervit train --mixup 1", 0, 1, 2, 3),
            run(twin, 0, 50, 60, 82)]  # fmt: skip
    *_, row, other = results.run_table(runs, lambda command: True).splitlines()
    assert row.endswith("| 80.0, 81.0 | 82.0, 83.0 | 1.0 |")
    assert other.endswith("| 3.0 |  | 1.0 |")


def test_commands_are_grouped_without_seed_and_folder(results):
    command = "tervit train --data cifar10 --seed 3 --out runs/x --quiet --stages float:2"
    assert results.plain_command(command) == "tervit train --data cifar10 --stages float:2"
    for command in (
        "tervit train --data folder:/home/me/flowers@32 --seed 3",
        "tervit train --data=folder:/home/me/flowers@32 --seed=3 --out='my runs/x'",
        "tervit train --out 'my runs/x' --data folder:/home/me/flowers@32",
    ):
        assert results.plain_command(command) == "tervit train --data folder:flowers@32"


def test_named_files_and_packages_exist():
    for name in re.findall(r"`([\w/]+\.(?:py|json|md))`", TEXT):
        assert any((ROOT / base / name).exists() for base in (".", "tervit_np")), name
    for name in re.findall(r"^(tervit_np/\w+|data_tools) ", TEXT, re.MULTILINE):
        assert (ROOT / name / "__init__.py").exists(), name


def test_the_python_example_runs(monkeypatch):
    """All but the training itself, on one batch of the embedded set."""
    code = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)[1]
    from data_tools import normalise, shapes

    val = shapes.make("val", count=16)
    images, labels = normalise(val.images, val.mean, val.std), val.labels
    monkeypatch.setattr(tv.train, "load_data", lambda name: None)
    monkeypatch.setattr(tv.train, "run", lambda *args: None)
    exec(compile(code, "README.md", "exec"), {"images": images, "labels": labels})


def test_the_lines_of_mathematics_are_counted():
    """The number is rounded, so it may be off by a tenth."""
    said = int(re.search(r"mathematics is ([\d,]+) lines", TEXT)[1].replace(",", ""))
    files = [f for folder in ("ops", "quant") for f in (ROOT / "tervit_np" / folder).glob("*.py")]
    files = [f for f in files if not f.stem.startswith(("pattern", "plan_"))]  # no mathematics
    counted = sum(len(file.read_text("utf-8").splitlines()) for file in files)
    assert abs(counted - said) <= said / 10


def test_speeds_are_those_stored():
    rows = {}
    for processor in ("zen2", "zen4", "zen5", "intel"):
        record = json.loads((ROOT / "docs" / f"train_step_{processor}.json").read_text())["rows"]
        for name in ("torch/ours", "both ternary"):
            ratios = [row[name] for row in record if name in row]
            cell = f" {min(ratios):.2f} to {max(ratios):.2f} |" if ratios else " |"
            rows[name] = rows.get(name, "|") + cell
    assert f"| float step {rows['torch/ours']}\n| ternary step {rows['both ternary']}\n" in TEXT

    record = json.loads((ROOT / "docs" / "bench_zen4.json").read_text())["models"]["results"][0]
    times = {name: each["median"] for name, each in record["times"].items()}
    int8 = min(time for name, time in times.items() if name.startswith("torch int8"))
    ratios = [t / times["packed"] for t in (times["numpy float32"], times["torch float32"], int8)]
    assert f"in {1e3 * times['packed']:.0f} ms on one Zen 4 core, {ratios[0]:.1f} times" in TEXT
    words = " ".join(TEXT.split())
    assert (
        f"{ratios[1]:.1f} times faster than PyTorch in float32 and {ratios[2]:.1f} times" in words
    )
