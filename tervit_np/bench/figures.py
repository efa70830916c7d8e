"""Pictures of measurements: how many times faster, and how near to the limits."""

from pathlib import Path
from typing import Any

from tervit_np.analysis.style import FAINT, INK, STAGE_COLOURS, figure, save
from tervit_np.bench.baselines import DYNAMIC, Comparison, fastest
from tervit_np.bench.models import ModelComparison
from tervit_np.bench.timing import Times
from tervit_np.bench.variants import Ladder

Span = tuple[float, float]
_FLOAT, _EIGHT, _TERNARY = (STAGE_COLOURS[name] for name in ("float", "8-bit", "ternary"))
_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}  # lines pass behind words
RIVALS = {  # names of times: words, colour, strength
    "numpy float32": ("NumPy float32", _FLOAT, 1.0),
    "torch float32": ("PyTorch float32", _FLOAT, 0.65),
    "torch bfloat16": ("PyTorch bfloat16", _FLOAT, 0.35),
    DYNAMIC: ("PyTorch 8 bit", _EIGHT, 1.0),
    "torch _int_mm": ("PyTorch _int_mm (bare product)", _EIGHT, 0.65),
    "onnxruntime MatMulInteger": ("onnxruntime (bare product)", _EIGHT, 0.35),
    "ggml TQ2_0": ("ggml TQ2_0, ternary", _TERNARY, 0.55),
}


def ratios(layers: list[Comparison], path: Path) -> Path:
    """Bars: how many times faster the ternary layer is than each rival, by shape."""
    labels = [f"{row.tokens} x {row.inputs} x {row.outputs}" for row in layers]
    groups = [(row.times, row.times["ternary"]) for row in layers]
    return _bars(labels, groups, "A ternary layer, tokens x inputs x outputs", path)


def model_ratios(models: list[ModelComparison], path: Path) -> Path:
    """Bars: how many times faster the packed model is than each rival."""
    labels = [
        f"{row.model.split('_patch')[0]}\nbatch {row.batch}"
        + (f"\n{row.threads} threads" if row.threads > 1 else "")
        for row in models
    ]
    groups = [(row.times, row.times["packed"]) for row in models]
    return _bars(labels, groups, "Whole ternary models, image to logits", path)


def _bars(labels: list[str], groups: list[Any], title: str, path: Path) -> Path:
    names = [name for name in RIVALS if any(_has(times, name) for times, _ in groups)]
    width = 0.84 / len(names)
    with figure(10, 4.6) as fig:
        axes = fig.subplots()
        drawn = [1.0]
        for i, name in enumerate(names):
            words, colour, strength = RIVALS[name]
            for place, (times, ours) in enumerate(groups):
                if _has(times, name):
                    drawn += [_bar(axes, place + (i - len(names) / 2 + 0.5) * width, width,
                         fastest(times, name), ours, color=colour, alpha=strength)]  # fmt: skip
            axes.bar(0, 0, color=colour, alpha=strength, label=words)
        axes.axhline(1, color=INK, linewidth=0.8)
        axes.set_yscale("log", base=2)
        axes.set_yticks([0.5, 1, 2, 4, 8, 16, 32], labels=["0.5", "1", "2", "4", "8", "16", "32"])
        axes.set_ylim(min(drawn) / 1.5, 1.5 * max(drawn))
        axes.set_xticks(range(len(labels)), labels=labels)
        axes.tick_params(axis="x", length=0)
        axes.set_ylabel("times faster than")
        axes.set_title(title)
        fig.legend(loc="outside lower center", ncols=4, fontsize=9)
        return save(fig, path)


def _bar(axes: Any, place: float, width: float, rival: Times, ours: Times, **style: Any) -> float:
    """Draw a ratio of medians; its whisker spans the ratios of opposite quartiles.  -> ratio."""
    ratio = rival.median / ours.median
    low, high = rival.low / ours.high, rival.high / ours.low
    axes.bar(place, ratio - 1, width * 0.9, bottom=1, **style)
    axes.plot([place, place], [low, high], color="#666666", linewidth=0.8)
    up = ratio >= 1
    end = min(max(ratio, high), 1.3 * ratio) if up else max(min(ratio, low), ratio / 1.3)
    words = f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:.0f}"
    style = {"bbox": _PAPER | {"pad": 0.2}}  # of a long whisker the number hides a piece
    style |= {"va": "bottom", "xytext": (0, 1)} if up else {"va": "top", "xytext": (0, -2)}
    axes.annotate(words, (place, end), textcoords="offset points", ha="center", fontsize=7, **style)
    return ratio


def _has(times: dict[str, Times], name: str) -> bool:
    return any(known.startswith(name) for known in times)


def roofline(ladder: Ladder, layers: list[Comparison], path: Path) -> Path:
    """Speed over intensity: each rung at its inner loop, each shape at its memory traffic."""
    with figure(11, 4.8) as fig:
        left, right = fig.subplots(1, 2, sharey=True)
        _ceilings(left, ladder, ("L1",), (0.5, 90))
        _points(
            left, [(r.loaded, r.speed, r.name) for r in ladder.variants if r.loaded is not None]
        )
        left.set_title("Rungs: the inner loop and the nearest cache")
        left.set_xlabel("operations for each byte that the inner loop loads")
        left.set_ylabel("10⁹ multiplications and additions a second")
        _ceilings(right, ladder, ("L2", "memory"), (1.5, 2000))
        _points(right, [
            (intensity(row), row.speed, f"{row.tokens}x{row.inputs}x{row.outputs}")
            for row in layers
        ])  # fmt: skip
        right.set_title("Layers: everything read and written once")
        right.set_xlabel("operations for each byte of weights, tokens and outputs")
        return save(fig, path)


def intensity(row: Comparison) -> float:
    """Operations for each byte that has to move: 2-bit weights, float32 tokens and outputs."""
    moved = row.inputs * row.outputs / 4 + 4 * row.tokens * (row.inputs + row.outputs)
    return 2 * row.tokens * row.inputs * row.outputs / moved


def _ceilings(axes: Any, ladder: Ladder, places: tuple[str, ...], span: Span) -> None:
    """Draw slanted lines of bandwidth and level ones of products."""
    read = ladder.limits.read
    levels = [("float32 fused multiply-adds", ladder.limits.float32, _FLOAT)]
    peaks = [variant.speed for variant in ladder.variants if variant.name == "peak"]
    levels += [("dot products of bytes", speed, INK) for speed in peaks]
    top = max(speed for _, speed, _ in levels)
    for place in places:
        ridge = min(top / read[place], span[1])
        axes.plot([span[0], ridge], [span[0] * read[place], ridge * read[place]], color=FAINT)
        _note(
            axes,
            f"{place}, {read[place]:.0f} GB/s",
            1.1 * span[0],
            1.1 * span[0] * read[place],
            -12,
        )
    for words, speed, colour in levels:
        begin = speed / read[places[0]]
        axes.plot([begin, span[1]], [speed, speed], color=colour, linewidth=1.2)
        _note(axes, words, begin, speed, 3)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(*span)
    axes.set_ylim(1, 2 * top)


def _note(axes: Any, words: str, x: float, y: float, lift: int) -> None:
    axes.annotate(
        words,
        (x, y),
        (4, lift),
        textcoords="offset points",
        fontsize=8,
        color="#777777",
        bbox=_PAPER,
    )


def _points(axes: Any, points: list[tuple[float, float, str]]) -> None:
    """Draw points, each with its name below it, as deep as it needs to keep clear of the others."""
    taken: list[tuple[float, float, float]] = []  # left, right and top of names, in points
    for x, y, words in sorted(points):
        axes.plot(x, y, "o", color=_TERNARY, markersize=6)
        across, up = axes.transData.transform((x, y)) * 72 / axes.figure.dpi
        half, depth = 2.6 * len(words), 14.0
        while any(left < across + half and across - half < right and abs(up - depth - top) < 12
                  for left, right, top in taken):  # fmt: skip
            depth += 5
        taken.append((across - half, across + half, up - depth))
        axes.annotate(words, (x, y), (0, -depth), textcoords="offset points",
                      ha="center", va="top", fontsize=8, bbox=_PAPER,
                      arrowprops={"arrowstyle": "-", "color": FAINT, "lw": 0.8})  # fmt: skip
