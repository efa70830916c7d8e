"""Figures of chapter 11."""

import numpy as np
from tervit_lesson import COLOURS, figure, show

INK, GREY = "#222222", "#8A8A8A"


def kinds(arrays):
    """Draw a histogram of each kind of activation."""
    with figure(7.6, 4.6) as fig:
        axes = fig.subplots(2, 2).ravel()
        for ax, (name, x) in zip(axes, arrays.items(), strict=True):
            counts, edges = np.histogram(x, bins=80)
            ax.stairs(counts / x.size, edges, fill=True, color="#56B4E9")
            ax.set_yscale("log")
            powers = (1e-5, 1e-3, 1e-1)
            ax.set_yticks(powers, ["0.001 %", "0.1 %", "10 %"])
            ax.minorticks_off()
            ax.set_title(name)
        for ax in axes[::2]:
            ax.set_ylabel("share of values")
        show(fig, "11_kinds")


def clipping(clips, parts, ends):
    """Draw both parts of the error over the end of the grid."""
    with figure(6.8, 3.8) as fig:
        ax = fig.subplots()
        rounding, clipping = 100 * parts.T
        ax.plot(clips, rounding + clipping, color=INK)
        ax.plot(clips, rounding, color=COLOURS[0])
        ax.plot(clips, clipping, color=COLOURS[1])
        top = 2.2 * (rounding + clipping)[-1]
        ax.set_ylim(0, top)
        ax.set_xlim(0, clips[-1] * 1.02)
        at = len(clips) * 7 // 10
        ax.text(clips[at], rounding[at] * 0.72, "rounding", color=COLOURS[0])
        start = np.argmax(clipping < 0.8 * top)
        ax.text(
            clips[start] - 0.1,
            clipping[start],
            "clipping",
            color=COLOURS[1],
            ha="right",
        )
        for name, clip in ends.items():
            ax.axvline(clip, color=GREY, linestyle=":", linewidth=1.2)
            ax.text(
                clip,
                top,
                name,
                rotation=90,
                va="top",
                ha="right",
                fontsize=9,
                color=GREY,
            )
        ax.set_xlabel("end of the grid")
        ax.set_ylabel("squared error (% of x squared)")
        show(fig, "11_clipping")


def measured(results, at_float):
    """Draw the loss of all ways and bits."""
    ways = list(dict.fromkeys(way for _, way in results))
    with figure(7.2, 3.4) as fig:
        ax = fig.subplots()
        for i, bits in enumerate((8, 6, 4)):
            losses = [results[bits, way][1] for way in ways]
            rows = np.arange(len(ways)) + 0.26 * (i - 1)
            name, colour = f"{bits} bits", COLOURS[i]
            bars = ax.barh(rows, losses, 0.24, color=colour, label=name)
            ax.bar_label(bars, fmt="%.3f", padding=3, fontsize=8)
        ax.axvline(at_float[1], color=INK, linestyle=":", linewidth=1.2)
        ax.set_yticks(range(len(ways)), ways)
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("test loss (dotted: float)")
        fig.legend(loc="outside upper right", ncols=3)
        show(fig, "11_measured")


def outliers(factors, losses, at_float):
    """Draw the loss over the size of a planted channel, one line for a way."""
    with figure(7.2, 3.8) as fig:
        ax = fig.subplots()
        for i, (name, values) in enumerate(losses.items()):
            colour = (*COLOURS, INK)[i]
            ax.plot(factors, values, "o-", color=colour, markersize=4)
            lift = 0.04 if name.startswith("dynamic") else 0
            at = factors[-1] * 1.06, values[-1] + lift
            ax.text(*at, name, color=colour, va="center")
        ends = 0.9, factors[-1]
        ax.plot(ends, [at_float[1]] * 2, ":", color=INK, linewidth=1.2)
        ax.set_xscale("log")
        ax.set_xticks(factors, factors)
        ax.minorticks_off()
        ax.set_xlim(0.9, factors[-1] * 8)
        ax.set_ylim(0)
        ax.set_yticks([0, 0.5, 1, 1.5, 2])
        ax.set_xlabel("factor of the planted channel")
        ax.set_ylabel("test loss, 8 bits (dotted: float)")
        show(fig, "11_outliers")
