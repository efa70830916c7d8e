"""Figures of chapter 18."""

import numpy as np
from tervit_lesson import COLOURS, figure, show, stage_colour

GREY, INK = "#B8B8B8", "#222222"
SLOT_COLOURS = ("#56B4E9", "#009E73", "#E69F00", "#CC79A7")


def roofline(best, formats):
    """Time at best of each format over the number of tokens, with its knee."""
    counts = np.unique(np.logspace(0, np.log10(400), 300).round(2))
    colours = {"float32": "float", "8 bits": "8-bit", "ternary": "ternary"}
    with figure(6.6, 4.0) as fig:
        ax = fig.subplots()
        for name, how in formats.items():
            colour = stage_colour(colours[name])
            points = [best(count, *how) for count in counts]
            times = np.array([us for us, _ in points])
            ahead = {"8 bits": 2.6}.get(name, 1.8)
            style = (0, (4, 2)) if name == "ternary" else "-"
            ax.plot(counts, times, color=colour, linewidth=ahead, ls=style)
            ax.text(
                0.95, times[0], name, color=colour, ha="right", va="center"
            )
            limits = [limit for _, limit in points]
            knee = next(i for i, x in enumerate(limits) if x == "operations")
            ax.plot(counts[knee], times[knee], "o", color=colour, markersize=6)
        words = "left of a point bytes limit,\nright of it operations"
        ax.text(420, 6.5, words, fontsize=9, color="#444444", ha="right")
        ax.set(xscale="log", yscale="log", xlim=(0.45, 420), ylim=(5, 4500))
        ax.set_xticks([1, 4, 16, 64, 197], ["1", "4", "16", "64", "197"])
        ax.set_xticks([], minor=True)
        ticks = [10, 100, 1000]
        ax.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
        ax.set_xlabel("tokens (384 inputs, 1536 outputs)")
        ax.set_ylabel("microseconds at best")
        show(fig, "18_roofline")


def lane(loaded, inputs, lane, slot):
    """One lane of the dot product: bytes, mask, products, sum."""
    mask = 3 << 2 * slot
    four = loaded[4 * lane : 4 * lane + 4]
    products = []
    with figure(7.2, 3.6) as fig:
        ax = fig.subplots()
        columns = (0, 4.4, 6.6, 8.6, 11.2)
        heads = (
            "byte of the panel",
            f"& {mask}",
            "input",
            "product",
            "added to the sum",
        )
        for x, head in zip(columns, heads, strict=True):
            ax.text(x, 0.6, head, va="center", fontsize=10, color="#666666")
        for row, (byte, value) in enumerate(zip(four, inputs, strict=True)):
            y = -row
            for pair in range(4):  # the highest slot stands on the left
                index = 3 - pair
                bits = f"{byte >> 2 * index & 3:02b}"
                colour = SLOT_COLOURS[index] if index == slot else "#E8E8E8"
                place = 0.9 * pair
                ax.add_patch(box((place, y - 0.32), 0.84, 0.64, colour))
                ink = "white" if index == slot else "#666666"
                ax.text(
                    place + 0.42, y, bits, ha="center", va="center", color=ink
                )
            masked = int(byte) & mask
            products.append(masked * int(value))
            for x, number in zip(
                columns[1:4], (masked, int(value), products[-1]), strict=True
            ):
                ax.text(x + 0.9, y, str(number), ha="right", va="center")
            ax.text(columns[2] - 0.6, y, "x", ha="center", va="center")
            ax.text(columns[3] - 0.6, y, "=", ha="center", va="center")
        ax.plot([10.1, 10.3, 10.3, 10.1], [0.3, 0.3, -3.3, -3.3], color=GREY)
        total = sum(products)
        ax.text(columns[4], -1.5, f"{total}", va="center", fontsize=14)
        factor = 4**slot
        words = f"= {factor} x {total // factor}" if factor > 1 else ""
        ax.text(columns[4], -2.1, words, va="center", color="#666666")
        ax.text(0, 1.25, "Lane 0 of 16, slot 1: four weights, four inputs")
        ax.set(xlim=(-0.1, 14), ylim=(-3.6, 1.6))
        ax.set_axis_off()
        show(fig, "18_lane")


def box(corner, width, height, colour):
    """Return a filled box without an edge."""
    from matplotlib.patches import Rectangle

    return Rectangle(corner, width, height, facecolor=colour)


def ladder(speeds):
    """Speed of each program and variant, slowest first."""
    names = list(speeds)[::-1]
    values = [speeds[name] for name in names]
    with figure(6.6, 0.32 * len(names) + 0.9) as fig:
        ax = fig.subplots()
        written = ("three loops", "NumPy int32", "NumPy float32", "numpy")
        colours = [COLOURS[0] if n in written else COLOURS[1] for n in names]
        bars = ax.barh(names, values, color=colours)
        labels = [f"{v:.3g}" if v >= 0.1 else f"{v:.3f}" for v in values]
        ax.bar_label(bars, labels, padding=4, fontsize=9)
        ax.set_xlim(0, 1.12 * max(values))
        ax.set_xlabel("billion operations a second, on this machine")
        ax.tick_params(axis="y", length=0)
        show(fig, "18_ladder")
