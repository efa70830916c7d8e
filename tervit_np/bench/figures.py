"""Figures of measurements: ratios to baselines as bars, and rooflines."""

import textwrap
from pathlib import Path
from typing import Any

from tervit_np.analysis.style import FAINT, INK, SOFT, STAGE_COLOURS, figure, save
from tervit_np.bench.baselines import DYNAMIC, Comparison, fastest
from tervit_np.bench.models import ModelComparison
from tervit_np.bench.timing import Times
from tervit_np.bench.variants import VariantTable

Span = tuple[float, float]
_NEAR = 1.5  # a factor between two roofs, below which their names would overlap
_FLOAT, _EIGHT, _TERNARY = (STAGE_COLOURS[name] for name in ("float", "8-bit", "ternary"))
_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}  # text hides lines behind it
BASELINES = {  # names of times: label, colour, opacity
    "numpy float32": ("NumPy float32", _FLOAT, 1.0),
    "torch float32": ("PyTorch float32", _FLOAT, 0.65),
    "torch bfloat16": ("PyTorch bfloat16", _FLOAT, 0.35),
    DYNAMIC: ("PyTorch 8 bit", _EIGHT, 1.0),
    "torch _int_mm": ("PyTorch _int_mm (product only)", _EIGHT, 0.65),
    "onnxruntime MatMulInteger": ("onnxruntime (product only)", _EIGHT, 0.35),
    "ggml TQ2_0": ("ggml TQ2_0, ternary", _TERNARY, 0.55),
}


def ratios(layers: list[Comparison], path: Path, processor: str = "") -> Path:
    """Draw how many times faster the ternary layer is than each baseline, by shape."""
    labels = [f"{row.tokens} x {row.inputs} x {row.outputs}" for row in layers]
    groups = [(row.times, row.times["ternary"]) for row in layers]
    title = "A ternary layer, tokens x inputs x outputs"
    return _bars(labels, groups, _on(title, processor), path)


def model_ratios(models: list[ModelComparison], path: Path, processor: str = "") -> Path:
    """Draw how many times faster the packed model is than each baseline."""
    labels = [
        f"{row.model.split('_patch')[0]}, batch {row.batch}"
        + (f", {row.threads} threads" if row.threads > 1 else "")
        for row in models
    ]
    groups = [(row.times, row.times["packed"]) for row in models]
    return _bars(labels, groups, _on("Whole ternary models, image to logits", processor), path)


def _on(title: str, processor: str) -> str:
    return f"{title}\n{processor}" if processor else title


def _bars(labels: list[str], groups: list[Any], title: str, path: Path) -> Path:
    """Draw a panel for each baseline, with a bar for each label."""
    names = [name for name in BASELINES if any(_has(times, name) for times, _ in groups)]
    with figure(max(7.6, 1.25 * len(names)), 1.6 + 0.28 * len(labels)) as fig:
        panels = fig.subplots(1, len(names), sharex=True, sharey=True, squeeze=False)[0]
        ratios = [1.0]
        for axes, name in zip(panels, names, strict=True):
            label, colour, opacity = BASELINES[name]
            for row, (times, ours) in enumerate(groups):
                if _has(times, name):
                    ratios += [_bar(axes, row, fastest(times, name), ours,
                                    color=colour, alpha=opacity)]  # fmt: skip
            axes.axvline(1, color=INK, linewidth=0.8)
            first, _, rest = label.partition(" ")
            axes.set_title(f"{first}\n{textwrap.fill(rest, 12)}", fontsize=9)
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
        axes.set_xscale("log", base=2)
        ticks = [tick for tick in (1, 4, 16, 64) if tick <= max(4, *ratios)]
        axes.set_xticks(ticks, labels=map(str, ticks))
        axes.set_xlim(min(ratios) / 1.3, 2.4 * max(ratios))  # numbers are right of the bars
        panels[0].set_yticks(range(len(labels)), labels=labels, fontsize=10)
        axes.set_ylim(len(labels) - 0.4, -0.6)
        fig.supxlabel("times faster than the program above, logarithmic", fontsize=10)
        fig.suptitle(title, x=0.01, ha="left", fontsize=12)
        return save(fig, path)


def _bar(axes: Any, row: int, theirs: Times, ours: Times, **style: Any) -> float:
    """Draw a ratio of medians; its whisker spans the ratios of opposite quartiles.  -> ratio."""
    ratio = theirs.median / ours.median
    low, high = theirs.low / ours.high, theirs.high / ours.low
    axes.barh(row, ratio - 1, 0.7, left=1, **style)
    axes.plot([low, high], [row, row], color="#666666", linewidth=0.8)
    text = f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:.0f}"
    axes.annotate(text, (max(ratio, high, 1), row), (3, 0), textcoords="offset points",
                  va="center", fontsize=9)  # fmt: skip
    return ratio


def _has(times: dict[str, Times], name: str) -> bool:
    return any(timed.startswith(name) for timed in times)


def roofline(
    table: VariantTable, layers: list[Comparison], path: Path, processor: str = ""
) -> Path:
    """Draw speed over intensity: each variant by its inner loop, each shape by its traffic."""
    with figure(11, 5) as fig:
        fig.suptitle(processor, x=0.01, ha="left", fontsize=12)
        left, right = fig.subplots(1, 2, sharey=True)
        _ceilings(left, table, ("L1",), (0.5, 90))
        _points(left, [
            (variant.total_intensity, variant.speed, variant.name)
            for variant in table.variants if variant.total_intensity is not None
        ])  # fmt: skip
        left.set_title("Variants: the inner loop and the L1 cache")
        left.set_xlabel("operations per byte that the inner loop loads")
        left.set_ylabel("10⁹ multiplications and additions per second")
        _ceilings(right, table, ("L2", "memory"), (1.5, 2000))
        _points(right, [
            (intensity(row), row.speed, f"{row.tokens}x{row.inputs}x{row.outputs}")
            for row in layers
        ])  # fmt: skip
        _name_peaks(right, table)
        right.set_title("Layers: all data read and written once")
        right.set_xlabel("operations per byte of weights, tokens and outputs")
        return save(fig, path)


def intensity(row: Comparison) -> float:
    """Return operations per byte read or written: 2-bit weights, float32 tokens and outputs."""
    traffic = row.inputs * row.outputs / 4 + 4 * row.tokens * (row.inputs + row.outputs)
    return 2 * row.tokens * row.inputs * row.outputs / traffic


def _ceilings(axes: Any, table: VariantTable, levels: tuple[str, ...], span: Span) -> None:
    """Draw the roofs: slanted lines for reading memory levels, horizontal ones for arithmetic.

    The picture begins further left than `span` where the fastest level would be left of it.
    """
    peaks = _peaks(table)
    top = max(speed for _, speed, _ in peaks)
    fastest = table.limits.read[levels[0]]
    span = (min(span[0], 0.4 * top / fastest), span[1])
    for level in levels:
        bandwidth = table.limits.read[level]
        ridge = min(top / bandwidth, span[1])
        axes.plot([span[0], ridge], [span[0] * bandwidth, ridge * bandwidth], color=FAINT)
        axes.annotate(f"{level}, {bandwidth:.0f} GB/s", (span[0], span[0] * bandwidth), (12, -4),
                      textcoords="offset points", fontsize=8, color=SOFT, va="top")  # fmt: skip
    for _, speed, colour in peaks:
        axes.plot([speed / fastest, span[1]], [speed, speed], color=colour, linewidth=1.2)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.set_xlim(*span)
    axes.set_ylim(min(1, *(v.speed / 2 for v in table.variants)), 2 * top)


def _peaks(table: VariantTable) -> list[tuple[str, float, str]]:
    """Return name, speed and colour of each limit of arithmetic, the highest first."""
    peaks = [("dot products\nof bytes", v.speed, INK) for v in table.variants if v.name == "peak"]
    peaks += [("float32\nmultiply-adds", table.limits.float32, _FLOAT)]
    return sorted(peaks, key=lambda peak: -peak[1])


def _name_peaks(axes: Any, table: VariantTable) -> None:
    """Name the horizontal roofs, right of the axes: one over the other where both are equal."""
    peaks = _peaks(table)
    are_near = len(peaks) > 1 and peaks[0][1] < _NEAR * peaks[1][1]
    for (name, speed, colour), side in zip(peaks, ("bottom", "top"), strict=False):
        axes.annotate(name, (1.01, speed), xycoords=("axes fraction", "data"), fontsize=8,
                      color=colour, va=side if are_near else "center")  # fmt: skip


def _points(axes: Any, points: list[tuple[float, float, str]]) -> None:
    """Draw points with their names below, low enough not to overlap other names.

    A name begins at its line and goes to the right, and points follow from the right to the left,
    so no line crosses the name of another point.
    """
    taken: list[tuple[float, float, float]] = []  # left, right and top of names, in points
    for x, y, name in sorted(points, reverse=True):
        axes.plot(x, y, "o", color=_TERNARY, markersize=6)
        left, up = axes.transData.transform((x, y)) * 72 / axes.figure.dpi
        right, depth = left + 5.2 * len(name), 14.0
        while any(start < right and left < end and abs(up - depth - top) < 12
                  for start, end, top in taken):  # fmt: skip
            depth += 4
        taken.append((left, right, up - depth))
        line = {"arrowstyle": "-", "color": FAINT, "lw": 0.8, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (x, y), (0, -depth - 8), textcoords="offset points", arrowprops=line,
                      zorder=1)  # fmt: skip
        axes.annotate(name, (x, y), (3, -depth), textcoords="offset points", va="top", fontsize=8,
                      bbox=_PAPER)  # fmt: skip
