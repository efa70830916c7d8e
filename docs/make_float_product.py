"""Make the tables of docs/float_product.md and of training steps from what the benchmarks wrote.

    taskset -c 0 python benchmarks/float_ladder.py --out docs/float_ladder_zen2.json
    taskset -c 0 python benchmarks/float_product.py --out docs/float_product_zen2.json
    taskset -c 0 python benchmarks/train_step.py --out docs/train_step_zen2.json
    taskset -c 0 python benchmarks/train_step.py --precision --out docs/step_precision_zen5.json
    python benchmarks/step_threads.py --threads 2 --out docs/step_threads_zen5.json
    python3.14t benchmarks/step_threads.py --threads 2 --out docs/step_threads_free_zen5.json
    python docs/make_float_product.py

Each processor has files of its own. It measures nothing.
"""

import json
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

from page_parts import rewrite, table  # noqa: E402

PAGE, BENCHMARKS = DOCS / "float_product.md", DOCS.parent / "benchmarks" / "README.md"
PROCESSORS = {  # /proc/cpuinfo does not always tell them apart
    "zen2": "AMD EPYC of the Zen 2 family",
    "zen5": "AMD EPYC of the Zen 5 family",
    "intel": "Intel Xeon of the Sapphire Rapids family",
}
FREE_THREADED = "_free"  # in the names of what a Python without a global lock measured


def measured(kind: str) -> list[str]:
    """Return the processors on which a benchmark has run."""
    return [name for name in PROCESSORS if (DOCS / f"{kind}_{name}.json").exists()]


def stored(kind: str, processor: str) -> dict[str, Any]:
    """Read what a benchmark wrote on a processor."""
    record: dict[str, Any] = json.loads((DOCS / f"{kind}_{processor}.json").read_text())
    return record


def ladder_table(processor: str) -> str:
    """One row for each step."""
    record = stored("float_ladder", processor)
    speeds = record["speeds"]
    rows = [["step", "GFLOP/s", "of the peak"]] + [
        [name, f"{speed:.1f}", f"{100 * speed / speeds['peak']:.0f} %"]
        for name, speed in sorted(speeds.items(), key=lambda step: step[0] == "peak")
    ]
    m, k, n = record["shape"].split("x")
    return (
        f"{table(rows)}\nM = {m}, K = {k}, N = {n}, one thread of an {_machine(record, processor)}."
    )


def product_table(processor: str) -> str:
    """One row for each layer and each of its three products."""
    record = stored("float_product", processor)
    rows = [["M x I x O", "product", "ours", "NumPy", "PyTorch", "peak", "of the peak",
             "to NumPy", "to PyTorch"]]  # fmt: skip
    for row in record["rows"]:
        speed = {name: pair[0] for name, pair in row["speeds"].items()}
        ours, torch = speed["ours"], speed.get("PyTorch", float("nan"))
        rows.append(
            [row["shape"], row["product"], *(f"{x:.0f}" for x in
             (ours, speed["NumPy"], torch, speed["peak"])), f"{100 * ours / speed['peak']:.0f} %",
             f"{ours / speed['NumPy']:.2f}", f"{ours / torch:.2f}"]
        )  # fmt: skip
    machine = _machine(record, processor)
    return f"{table(rows)}\nMedians in GFLOP/s, one thread of an {machine}."


def step_table(processor: str) -> str:
    """One row for each model: milliseconds of a step, ours and PyTorch's."""
    record = stored("train_step", processor)
    rows = [["shape, batch", "float", "ternary", "PyTorch", "PyTorch ternary", "float ratio",
             "ternary ratio"]]  # fmt: skip
    for row in record["rows"]:
        s = row["seconds"]
        times = s["float"], s["ternary"], min(s["torch"], s["sdpa"]), s["torch ternary"]
        rows.append(
            [f"{row['shape']}, {row['batch']}", *(_milliseconds(t) for t in times),
             f"{row['torch/ours']:.2f}", f"{row['both ternary']:.2f}"]
        )  # fmt: skip
    return f"{table(rows)}\nOne thread of an {_machine(record, processor)}."


def precision_table(processor: str) -> str:
    """One row for each model and plan: milliseconds of a step in each precision."""
    record = stored("step_precision", processor)
    rows = [["shape, batch", "forward", "float32", "bf16", "bf16x2", "float32 / bf16",
             "PyTorch float32 / bf16"]]  # fmt: skip
    for row in record["rows"]:
        for plan in ("float", "ternary"):
            s = {name: row["seconds"][f"{plan} {name}"] for name in ("float32", "bf16", "bf16x2")}
            torch = min(row["seconds"]["torch"], row["seconds"]["sdpa"]) / s["bf16"]
            rows.append([f"{row['shape']}, {row['batch']}", plan, *map(_milliseconds, s.values()),
                         f"{s['float32'] / s['bf16']:.2f}", f"{torch:.2f}"])  # fmt: skip
    machine = _machine(record, processor)
    return f"{table(rows)}\nMilliseconds of a training step, one thread of an {machine}."


def threads_table(processor: str, python: str = "") -> str:
    """One row for each model: milliseconds of a step on one thread and on two, and the ratio."""
    record = stored(f"step_threads{python}", processor)
    rows = [["shape", "one thread", "two threads", "ratio", "two processes"]] + [
        [row["shape"], *(_milliseconds(t) for t in row["seconds"].values()),
         f"{row['ratio']:.2f}", f"{row['processes']:.2f}"]
        for row in record["rows"]
    ]  # fmt: skip
    place = f"Python {record['environment']['python']}, {_machine(record, processor)}"
    return f"{table(rows)}\nMilliseconds of a float step; {place}."


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.{0 if seconds > 0.1 else 1}f}"


def _machine(record: dict[str, Any], processor: str) -> str:
    e = record["environment"]
    return f"{PROCESSORS[processor]} ({e['blas']}, NumPy {e['numpy']}, Numba {e['numba']})"


def remade(page: str) -> str:
    """Return the page with all tables made anew."""
    for processor in measured("float_ladder"):
        page = rewrite(page, f"ladder {processor}", ladder_table(processor) + "\n")
    for processor in measured("float_product"):
        page = rewrite(page, f"products {processor}", product_table(processor) + "\n")
    for processor in measured("step_precision"):
        page = rewrite(page, f"precision {processor}", precision_table(processor) + "\n")
    return page


def remade_benchmarks(page: str) -> str:
    """Return benchmarks/README.md with the tables of training steps made anew."""
    for processor in measured("train_step"):
        page = rewrite(page, f"steps {processor}", step_table(processor) + "\n")
    for python in ("", FREE_THREADED):
        for processor in measured(f"step_threads{python}"):
            mark = f"threads{python} {processor}"
            page = rewrite(page, mark, threads_table(processor, python) + "\n")
    return page


if __name__ == "__main__":
    PAGE.write_text(remade(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    BENCHMARKS.write_text(
        remade_benchmarks(BENCHMARKS.read_text(encoding="utf-8")), encoding="utf-8"
    )
    print(PAGE, BENCHMARKS, sep="\n")
