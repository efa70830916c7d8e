"""Make the tables of docs/float_product.md from what the two benchmarks wrote.

    taskset -c 0 python benchmarks/float_ladder.py --out docs/float_ladder.json
    taskset -c 0 python benchmarks/float_product.py --out docs/float_product.json
    python docs/make_float_product.py

It measures nothing.
"""

import json
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

from make_kernels import rewrite, table  # noqa: E402

PAGE, LADDER, PRODUCT = (
    DOCS / name for name in ("float_product.md", "float_ladder.json", "float_product.json")
)


def ladder_table(record: dict[str, Any]) -> str:
    """One row for each step."""
    speeds = record["speeds"]
    rows = [["step", "GFLOP/s", "of the peak"]] + [
        [name, f"{speed:.1f}", f"{100 * speed / speeds['peak']:.0f} %"]
        for name, speed in sorted(speeds.items(), key=lambda step: step[0] == "peak")
    ]
    m, k, n = record["shape"].split("x")
    return (
        f"{table(rows)}\nM = {m}, K = {k}, N = {n}, one thread of {_machine(record)}. The peak is "
        "that of fused multiply-adds on registers alone, timed in turn with the steps.\n"
    )


def product_table(record: dict[str, Any]) -> str:
    """One row for each layer and each of its three products."""
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
    return f"{table(rows)}\nMedians in GFLOP/s, one thread of {_machine(record)}.\n"


def _machine(record: dict[str, Any]) -> str:
    e = record["environment"]
    return f"{e['processor']} ({e['blas']}, NumPy {e['numpy']}, Numba {e['numba']})"


def remade(page: str) -> str:
    """Return the page with both tables made anew."""
    page = rewrite(page, "ladder", ladder_table(json.loads(LADDER.read_text())))
    return rewrite(page, "products", product_table(json.loads(PRODUCT.read_text())))


if __name__ == "__main__":
    PAGE.write_text(remade(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(PAGE)
