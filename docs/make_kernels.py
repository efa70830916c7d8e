"""Tables and pictures of docs/kernels.md, from what `tervit bench --out` stored.

    python docs/make_kernels.py          docs/bench_zen4.json into the page and its pictures

Nothing is measured here, but kernels are translated for Arm and their instructions are counted.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tervit_np.bench import arm, figures  # noqa: E402
from tervit_np.bench.assembly import counted, innermost  # noqa: E402
from tervit_np.bench.baselines import Comparison  # noqa: E402
from tervit_np.bench.models import ALONE, OURS, ModelComparison  # noqa: E402
from tervit_np.bench.store import stored  # noqa: E402
from tervit_np.bench.variants import Ladder, intensities  # noqa: E402

DOCS = ROOT / "docs"
STORE, PAGE = DOCS / "bench_zen4.json", DOCS / "kernels.md"


def ladder_table(ladder: Ladder) -> str:
    """One row for each rung timed, and those for Arm, whose machine code is read and not timed."""
    rows = [["rung", "10⁹ op/s", "of the peak", "op for each byte of weights", "inner loop"]]
    for rung in ladder.variants:
        share = _percent(rung.share)
        each = "" if rung.intensity is None else f"{rung.intensity:.0f}"
        rows.append([rung.name, f"{rung.speed:.1f}", share, each, _counts(rung.loop)])
    for name in arm.FEATURES:
        each = "16" if name == "generic" else f"{intensities(name)[0]:.0f}"
        found = counted(innermost(arm.assembly(name)))
        rows.append([f"{name}, for Arm", "", "", each, _counts(found)])
    return _table(rows)


def _counts(loop: dict[str, int]) -> str:
    return ", ".join(f"{count} `{name}`" for name, count in list(loop.items())[:4])


def limits_line(ladder: Ladder) -> str:
    """What the processor reads and multiplies at most."""
    read = ", ".join(f"{place} {speed:.0f} GB/s" for place, speed in ladder.limits.read.items())
    return f"Reading: {read}. Float32 multiply-adds: {ladder.limits.float32:.0f} · 10⁹ op/s.\n"


def machine_line(environment: dict[str, str]) -> str:
    """What a section was measured on."""
    e = environment
    return (
        f"\n{e['processor']}, {e['blas']}, NumPy {e['numpy']}, PyTorch {e['torch']}, onnxruntime "
        f"{e['onnxruntime']}, load {e['load']} before.\n"
    )


def layer_table(layers: list[Comparison]) -> str:
    """One row for each shape."""
    names = _timed(layers)
    heads = ["tokens x in x out", "µs", "10⁹ op/s", "of the peak"]
    body = [heads + [figures.RIVALS[name][0] for name in names]]
    for row in layers:
        shape, median = f"{row.tokens}x{row.inputs}x{row.outputs}", row.times["ternary"].median
        ratios = [f"{row.ratio(name):.2f}" for name in names]
        share = _percent(row.share)
        body.append([shape, f"{1e6 * median:.0f}", f"{row.speed:.0f}", share, *ratios])
    return _table(body)


def model_table(models: list[ModelComparison]) -> str:
    """One row for each model, batch size, number of threads and kind of attention."""
    names = _timed(models)
    heads = ["model", "batch", "threads", "attention", "ms an image", "of the peak"]
    body = [heads + [figures.RIVALS[name][0] for name in names]]
    for row in models:
        for ours, attention in zip(OURS, ("float32", "int8"), strict=True):
            ms = f"{1e3 * row.times[ours].median / row.batch:.1f}"
            ratios = [f"{row.ratio(name, ours):.2f}" for name in names]
            first = [row.model, str(row.batch), str(row.threads), attention, ms]
            body.append([*first, _percent(row.share(ours)), *ratios])
    return _table(body)


def threads_line(models: list[ModelComparison]) -> str:
    """How many times faster several threads are than one, model by model."""
    found = [
        f"{row.model.split('_patch')[0]} {row.ratio(ALONE):.2f} for a batch of {row.batch} on "
        f"{row.threads} threads"
        for row in models
        if row.threads > 1
    ]
    return f"\nTimes faster than on one thread, in turn: {', '.join(found)}.\n" if found else ""


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def _timed(rows: Sequence[Comparison | ModelComparison]) -> list[str]:
    """Return the rivals that were timed in every row."""
    return [
        name
        for name in figures.RIVALS
        if all(any(timed.startswith(name) for timed in row.times) for row in rows)
    ]


def _table(rows: list[list[str]]) -> str:
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def rewrite(text: str, name: str, new: str) -> str:
    """Replace what stands between the marks of a name."""
    marks = rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
    return re.sub(marks, lambda match: match[1] + new + match[2], text, flags=re.DOTALL)


def main() -> None:
    """Make tables and pictures of what was measured."""
    found, text = stored(STORE), PAGE.read_text()
    if found.ladder is not None:
        machine = machine_line(found.environments["ladder"])
        table = ladder_table(found.ladder) + "\n" + limits_line(found.ladder)
        text = rewrite(text, "ladder", table + machine)
        figures.roofline(found.ladder, found.layers, DOCS / "roofline_zen4.png")
    if found.layers:
        machine = machine_line(found.environments["layers"])
        text = rewrite(text, "layers", layer_table(found.layers) + machine)
        figures.ratios(found.layers, DOCS / "layers_zen4.png")
    if found.models:
        machine = machine_line(found.environments["models"])
        text = rewrite(
            text, "models", model_table(found.models) + threads_line(found.models) + machine
        )
        figures.model_ratios(found.models, DOCS / "models_zen4.png")
    PAGE.write_text(text)
    print(PAGE)


if __name__ == "__main__":
    main()
