"""Make the tables and figures of docs/kernels.md from the files that `tervit bench --out` wrote.

    python docs/make_kernels.py

It reads a file for each family of processors, docs/bench_zen4.json and so on, and measures nothing;
for Arm and for Intel's matrix unit it compiles the kernels and counts their instructions. A new
family is a line of FAMILIES, and marks in the page.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

from page_parts import rewrite, table  # noqa: E402

from tervit_np.bench import cross_compile, figures  # noqa: E402
from tervit_np.bench.assembly import count_instructions, find_inner_loop  # noqa: E402
from tervit_np.bench.baselines import Comparison  # noqa: E402
from tervit_np.bench.models import ATTENTION, ONE_THREAD, ModelComparison  # noqa: E402
from tervit_np.bench.store import load_results  # noqa: E402
from tervit_np.bench.variants import VariantTable, intensities  # noqa: E402

DOCS = ROOT / "docs"
PAGE = DOCS / "kernels.md"
FAMILIES = {"zen4": "AMD EPYC, Zen 4", "zen2": "AMD EPYC, Zen 2"}  # a file for each
ELSEWHERE = "zen4"  # the family whose table has the variants that are only compiled, too


def store(family: str) -> Path:
    """Return the file of a family's measurements."""
    return DOCS / f"bench_{family}.json"


def variant_table(timed: VariantTable, elsewhere: bool) -> str:
    """One row for each variant timed, and for each elsewhere, whose assembly is only counted."""
    rows = [["variant", "10⁹ op/s", "of the peak", "op per byte of weights", "inner loop"]]
    for variant in timed.variants:
        peak = _percent(variant.fraction_of_peak)
        intensity = "" if variant.intensity is None else f"{variant.intensity:.0f}"
        cells = [variant.name, f"{variant.speed:.1f}", peak, intensity, _counts(variant.loop)]
        rows.append(cells)
    for name, target in cross_compile.TARGETS.items() if elsewhere else ():
        intensity = "16" if name == "generic" else f"{intensities(name)[0]:.0f}"
        loop = count_instructions(find_inner_loop(cross_compile.assembly(name)))
        rows.append([f"{name}, for {target.name}", "", "", intensity, _counts(loop)])
    return table(rows)


def _counts(loop: dict[str, int]) -> str:
    return ", ".join(f"{count} `{name}`" for name, count in list(loop.items())[:4])


def limits_line(timed: VariantTable) -> str:
    """The limits of the CPU."""
    read = ", ".join(f"{level} {speed:.0f} GB/s" for level, speed in timed.limits.read.items())
    return f"Reading: {read}. Float32 multiply-adds: {timed.limits.float32:.0f} · 10⁹ op/s.\n"


def machine_line(environment: dict[str, str], name: str) -> str:
    """The processor and the versions of a section."""
    e = environment
    others = [("PyTorch", e["torch"]), ("onnxruntime", e["onnxruntime"])]
    versions = "".join(f", {other} {version}" for other, version in others if version != "absent")
    return f"\n{name}, {e['blas']}, NumPy {e['numpy']}{versions}, load {e['load']} before.\n"


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


def remade(text: str) -> str:
    """Return the page with the tables of all families."""
    for family, name in FAMILIES.items():
        results = load_results(store(family))
        environments = results.environments
        if results.variants is not None:
            ladder = variant_table(results.variants, family == ELSEWHERE)
            ladder += "\n" + limits_line(results.variants)
            machine = machine_line(environments["variants"], name)
            text = rewrite(text, f"variants {family}", ladder + machine)
        if results.layers:
            machine = machine_line(environments["layers"], name)
            text = rewrite(text, f"layers {family}", layer_table(results.layers) + machine)
        if results.models:
            machine = machine_line(environments["models"], name)
            models = model_table(results.models) + threads_line(results.models)
            text = rewrite(text, f"models {family}", models + machine)
    return text


def draw(family: str, name: str) -> None:
    """Draw the figures of a family, with its name."""
    results = load_results(store(family))
    if results.variants is not None:
        path = DOCS / f"roofline_{family}.png"
        figures.roofline(results.variants, results.layers, path, name)
    if results.layers:
        figures.ratios(results.layers, DOCS / f"layers_{family}.png", name)
    if results.models:
        figures.model_ratios(results.models, DOCS / f"models_{family}.png", name)


def main() -> None:
    """Make the tables and figures of all families."""
    for family, name in FAMILIES.items():
        draw(family, name)
    PAGE.write_text(remade(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
