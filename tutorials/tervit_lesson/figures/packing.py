"""Figures of chapter 17."""

import numpy as np
from tervit_lesson import COLOURS, figure, show, stage_colour

GREY, INK = "#B8B8B8", "#222222"


def entropies(zeros, entropy):
    """Entropy over the fraction of zeros, both formats, and the matrices."""
    fractions = np.linspace(0, 1, 201)
    curve = [entropy([(1 - z) / 2, z, (1 - z) / 2]) for z in fractions]
    with figure(6.2, 3.6) as fig:
        ax = fig.subplots()
        ax.plot(fractions, curve, color=COLOURS[0])
        for bits, name, side in ((2, "2 bits", 0.03), (1.6, "base 3", -0.03)):
            ax.axhline(bits, color=GREY, zorder=0)
            place = "bottom" if side > 0 else "top"
            ax.text(0.99, bits + side, name, ha="right", va=place)
        at = [entropy([(1 - z) / 2, z, (1 - z) / 2]) for z in zeros]
        colour = stage_colour("ternary")
        ax.plot(zeros, at, "o", color=colour, markersize=4, zorder=3)
        ax.text(
            0.39, 1.46, "our matrices", color=colour, va="top", ha="center"
        )
        ax.text(0.8, 1.0, "entropy", color=COLOURS[0])
        ax.set(xlim=(0, 1), ylim=(0, 2.2))
        ax.set_xlabel("fraction of zeros")
        ax.set_ylabel("bits a weight")
        show(fig, "17_entropy")


def digits(codes, bytes_of, pack_base_3):
    """Five thirds of thirds: how multiplication finds the digits of a byte."""
    byte = int(bytes_of(pack_base_3(codes))[0])
    with figure(6.4, 3.8) as fig:
        ax = fig.subplots()
        rest = byte
        for row in range(5):
            at, digit = rest / 256, 3 * rest >> 8
            for third in range(3):
                hit = third == digit
                colour = stage_colour("ternary") if hit else "#EEEEEE"
                box = (third / 3, -row - 0.62)
                ax.add_patch(rectangle(box, 1 / 3, 0.5, colour))
                ink = "white" if hit else "#666666"
                height = -row - 0.37
                ax.text(
                    third / 3 + 0.02, height, third, color=ink, va="center"
                )
            ax.plot([at, at], [-row - 0.62, -row - 0.12], color=INK)
            ax.text(
                -0.03, -row - 0.37, f"{rest} / 256", ha="right", va="center"
            )
            words = f"digit {digit}, code {digit - 1:+d}".replace("+0", "0")
            ax.text(1.03, -row - 0.37, words, va="center")
            if row < 4:
                for corner, end in ((digit / 3, 0), (digit / 3 + 1 / 3, 1)):
                    ends = [-row - 0.62, -row - 1.12]
                    ax.plot([corner, end], ends, color=GREY, linewidth=0.8)
            rest = 3 * rest & 255
        ax.set(xlim=(-0.2, 1.35), ylim=(-4.7, 0))
        ax.set_axis_off()
        ax.set_title(f"The byte {byte}: multiply by 3, take the integer part")
        show(fig, "17_digits")


def rectangle(corner, width, height, colour):
    """Return a box with a white edge."""
    from matplotlib.patches import Rectangle

    return Rectangle(
        corner, width, height, facecolor=colour, edgecolor="white"
    )


PARTS = {  # in the order of the bars
    "ternary codes": stage_colour("ternary"),
    "8-bit codes": stage_colour("8-bit"),
    "scales": "#0072B2",
    "norms and biases": "#56B4E9",
    "positions": "#A6CEE3",
    "names and header": "#B8B8B8",
}


def file_parts(weights):
    """Percentages of a file for each kind of number, one panel a file."""
    with figure(7.2, 3.2) as fig:
        panels = fig.subplots(1, len(weights), sharey=True, sharex=True)
        for ax, (name, weight) in zip(panels, weights.items(), strict=True):
            total = sum(weight.values())
            parts = list(PARTS)[::-1]
            shares = [100 * weight.get(part, 0) / total for part in parts]
            bars = ax.barh(parts, shares, color=[PARTS[p] for p in parts])
            ax.bar_label(bars, fmt="%.1f %%", padding=4, fontsize=9)
            unit, scale = ("MB", 1e6) if total > 1e6 else ("kB", 1e3)
            ax.set_title(f"{name}: {total / scale:.1f} {unit}", fontsize=11)
            ax.set(xlim=(0, 95), xlabel="% of the file")
            ax.tick_params(axis="y", length=0)
        show(fig, "17_parts")


def ratios(names, times):
    """How many times smaller than float32 each model is, against 20."""
    with figure(6.4, 2.5) as fig:
        ax = fig.subplots()
        order = slice(None, None, -1)
        colour = stage_colour("ternary")
        bars = ax.barh(names[order], times[order], color=colour)
        ax.bar_label(bars, fmt="%.1f", padding=4)
        ax.axvline(20, color=INK, linewidth=1)
        ax.text(20.2, 3.4, "codes alone", va="top", fontsize=9)
        ax.set(
            xlim=(0, 23.5), xlabel="times smaller than float32, without header"
        )
        ax.tick_params(axis="y", length=0)
        show(fig, "17_ratios")
