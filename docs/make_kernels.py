"""Make the tables and figures of docs/kernels.md from the file that `tervit bench --out` wrote.

    python docs/make_kernels.py

It reads docs/bench_zen4.json and measures nothing; for Arm and for Intel's matrix unit it compiles
the kernels and counts their instructions.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tervit_np.bench import cross_compile, figures  # noqa: E402
from tervit_np.bench.assembly import count_instructions, find_inner_loop  # noqa: E402
from tervit_np.bench.baselines import Comparison  # noqa: E402
from tervit_np.bench.models import ATTENTION, ONE_THREAD, ModelComparison  # noqa: E402
from tervit_np.bench.store import load_results  # noqa: E402
from tervit_np.bench.variants import VariantTable, intensities  # noqa: E402

DOCS = ROOT / "docs"
STORE, PAGE = DOCS / "bench_zen4.json", DOCS / "kernels.md"


def variant_table(timed: VariantTable) -> str:
    """One row for each variant timed, and for each elsewhere, whose assembly is only counted."""
    rows = [["variant", "10⁹ op/s", "of the peak", "op per byte of weights", "inner loop"]]
    for variant in timed.variants:
        peak = _percent(variant.fraction_of_peak)
        intensity = "" if variant.intensity is None else f"{variant.intensity:.0f}"
        cells = [variant.name, f"{variant.speed:.1f}", peak, intensity, _counts(variant.loop)]
        rows.append(cells)
    for name, target in cross_compile.TARGETS.items():
        intensity = "16" if name == "generic" else f"{intensities(name)[0]:.0f}"
        loop = count_instructions(find_inner_loop(cross_compile.assembly(name)))
        rows.append([f"{name}, for {target.name}", "", "", intensity, _counts(loop)])
    return table(rows)


def _counts(loop: dict[str, int]) -> str:
    return ", ".join(f"{count} `{name}`" for name, count in list(loop.items())[:4])


def limits_line(table: VariantTable) -> str:
    """The limits of the CPU."""
    read = ", ".join(f"{level} {speed:.0f} GB/s" for level, speed in table.limits.read.items())
    return f"Reading: {read}. Float32 multiply-adds: {table.limits.float32:.0f} · 10⁹ op/s.\n"


def machine_line(environment: dict[str, str]) -> str:
    """The machine and the versions of a section."""
    e = environment
    return (
        f"\n{e['processor']}, {e['blas']}, NumPy {e['numpy']}, PyTorch {e['torch']}, onnxruntime "
        f"{e['onnxruntime']}, load {e['load']} before.\n"
    )


def layer_table(layers: list[Comparison]) -> str:
    """One row for each shape."""
    names = _timed(layers)
    heads = ["tokens x in x out", "µs", "10⁹ op/s", "of the peak"]
    body = [heads + [figures.BASELINES[name][0] for name in names]]
    for row in layers:
        shape, median = f"{row.tokens}x{row.inputs}x{row.outputs}", row.times["ternary"].median
        ratios = [f"{row.ratio(name):.2f}" for name in names]
        peak = _percent(row.fraction_of_peak)
        body.append([shape, f"{1e6 * median:.0f}", f"{row.speed:.0f}", peak, *ratios])
    return table(body)


def model_table(models: list[ModelComparison]) -> str:
    """One row for each model, batch size, number of threads, and kind of attention."""
    names = _timed(models)
    heads = ["model", "batch", "threads", "attention", "ms per image", "of the peak"]
    body = [heads + [figures.BASELINES[name][0] for name in names]]
    for row in models:
        for packed, attention in ATTENTION.items():
            if packed not in row.times:
                continue
            ms = f"{1e3 * row.times[packed].median / row.batch:.1f}"
            ratios = [f"{row.ratio(name, packed):.2f}" for name in names]
            first = [row.model, str(row.batch), str(row.threads), attention, ms]
            body.append([*first, _percent(row.fraction_of_peak(packed)), *ratios])
    return table(body)


def threads_line(models: list[ModelComparison]) -> str:
    """How many times faster several threads are than one, model by model."""
    ratios = [
        f"{row.model.split('_patch')[0]} {row.ratio(ONE_THREAD):.2f} for a batch of {row.batch} on "
        f"{row.threads} threads"
        for row in models
        if row.threads > 1
    ]
    return f"\nTimes faster than on one thread: {', '.join(ratios)}.\n" if ratios else ""


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.0f} %"


def _timed(rows: Sequence[Comparison | ModelComparison]) -> list[str]:
    """Return the baselines that were timed in every row."""
    return [
        name
        for name in figures.BASELINES
        if all(any(timed.startswith(name) for timed in row.times) for row in rows)
    ]


def table(rows: list[list[str]]) -> str:
    """Format rows as Markdown, the first as the head."""
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def rewrite(text: str, name: str, new: str) -> str:
    """Replace the text between the marks of a name."""
    marks = rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
    return re.sub(marks, lambda match: match[1] + new + match[2], text, flags=re.DOTALL)


def main() -> None:
    """Make the tables and figures of all sections."""
    results, text = load_results(STORE), PAGE.read_text()
    if results.variants is not None:
        machine = machine_line(results.environments["variants"])
        ladder = variant_table(results.variants) + "\n" + limits_line(results.variants)
        text = rewrite(text, "variants", ladder + machine)
        figures.roofline(results.variants, results.layers, DOCS / "roofline_zen4.png")
    if results.layers:
        machine = machine_line(results.environments["layers"])
        text = rewrite(text, "layers", layer_table(results.layers) + machine)
        figures.ratios(results.layers, DOCS / "layers_zen4.png")
    if results.models:
        machine = machine_line(results.environments["models"])
        text = rewrite(
            text, "models", model_table(results.models) + threads_line(results.models) + machine
        )
        figures.model_ratios(results.models, DOCS / "models_zen4.png")
    PAGE.write_text(text)
    print(PAGE)


if __name__ == "__main__":
    main()
