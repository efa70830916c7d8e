"""Figures of chapter 22: the zoo of quantizers."""

import numpy as np
from tervit_lesson import COLOURS, figure, show, stage_colour

TERNARY, FLOAT = stage_colour("ternary"), stage_colour("float")
SLOPE, GREY, DARK = COLOURS[1], "#8A8A8A", "#444444"


def stairs(row, values, slopes):
    """Draw w_hat over w for each rule, and below it the gradient's factor."""
    with figure(9.0, 6.4) as fig:
        axes = fig.subplots(
            4, 4, sharex=True, sharey="row", height_ratios=[3, 1, 3, 1]
        )
        for i, (name, w_hat) in enumerate(values.items()):
            top, bottom = axes[2 * (i // 4) : 2 * (i // 4) + 2, i % 4]
            top.plot(row, row, ":", color=GREY, linewidth=1)
            top.plot(row, w_hat, ".", color=TERNARY, markersize=2.5)
            top.set_title(name)
            top.set_yticks([-4, -2, 0, 2, 4])
            bottom.plot(row, slopes[name], ".", color=SLOPE, markersize=2)
            bottom.set_ylim(-0.3, 2)
            bottom.set_yticks([0, 1])
        for row_of_axes, label in zip(
            axes, ("w_hat", "factor") * 2, strict=True
        ):
            row_of_axes[0].set_ylabel(label)
        axes[0, 0].set_ylim(-4.2, 4.2)
        axes[2, 0].set_ylim(-4.2, 4.2)
        for ax in axes[-1]:
            ax.set_xlabel("w")
        show(fig, "22_stairs")


def bits(bits, errors):
    """Draw the error of each rule over its bits, and the Gaussian limit."""
    with figure(7.2, 4.0) as fig:
        ax = fig.subplots()
        line = np.linspace(1, 4.1, 100)
        ax.semilogy(line, 2.0 ** (-2 * line), color=GREY)
        ax.text(2.8, 0.0235, "limit", color=DARK)
        labels = {"exact": "TerViT, exact, QuEST", "TerViT": "", "QuEST": ""}
        for name, x in bits.items():
            y = errors[name]["Gaussian"]
            ax.semilogy([x], [y], "o", color=TERNARY)
            before = name == "Sherry"
            ax.annotate(
                labels.get(name, name),
                (x, y),
                (-8 if before else 8, 0),
                textcoords="offset points",
                ha="right" if before else "left",
                va="center",
            )
        ax.set_ylim(0.003, 1.2)
        ax.set_xlim(0.9, 4.4)
        ax.set_xticks([1, 2, 3, 4])
        ax.set_xlabel("bits of a weight, without scales")
        ax.set_ylabel("relative squared error, Gaussian")
        show(fig, "22_bits")


def training(points):
    """Draw the accuracy of each rule when rounded, and after training."""
    names = sorted(points, key=lambda name: points[name][0])
    with figure(7.2, 3.6) as fig:
        ax = fig.subplots()
        for y, name in enumerate(names):
            before, after = points[name]
            ax.plot([before, after], [y, y], color=GREY, linewidth=1.5)
            ax.plot([before], [y], "o", color="white", markeredgecolor=TERNARY)
            ax.plot([after], [y], "o", color=TERNARY)
        before, after = points[names[0]]
        ax.text(before, 0.3, "rounded", color=DARK, ha="center")
        ax.text(after, 0.3, "trained", color=DARK, ha="center")
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(-0.5, len(names) - 0.4)
        ax.set_xlim(0, 100)
        ax.set_xlabel("accuracy in percent, 1,000 test pictures")
        show(fig, "22_training")


def rest(points):
    """Draw the loss of each rule over the codes that change in a step."""
    with figure(7.2, 3.6) as fig:
        ax = fig.subplots()
        for name, (changed, loss) in points.items():
            if name == "Tequila":  # on TerViT
                continue
            label = "TerViT, Tequila" if name == "TerViT" else name
            ax.plot([changed], [loss], "o", color=TERNARY)
            ax.annotate(
                label,
                (changed, loss),
                (8, {"SEQ": 5, "TTQ": -5}.get(name, 0)),
                textcoords="offset points",
                va="center",
            )
        ax.set_xlim(-1, 40)
        ax.set_ylim(0, 33)
        ax.set_xlabel("codes that change in a step, percent")
        ax.set_ylabel("loss")
        show(fig, "22_rest")
