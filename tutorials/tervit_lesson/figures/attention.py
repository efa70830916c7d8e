"""Figures of chapter 05: weights, heads, the Jacobian, attention maps."""

import numpy as np
from matplotlib.patches import Rectangle
from tervit_lesson import COLOURS, figure, show

GREY = "#666666"
HEADS = np.array([(128, 199, 238), (224, 134, 64), (217, 154, 189)])


def largest_weights(widths, largest):
    """Draw the largest of 16 attention weights over K, two ways."""
    with figure(5.6, 3.3) as fig:
        ax = fig.subplots()
        for i, values in enumerate(largest.values()):
            ax.plot(widths, values, "o-", color=COLOURS[i])
        ax.text(40, 0.31, "divided by $\\sqrt{K}$", color=COLOURS[0])
        ax.text(32, 0.85, "not divided", color=COLOURS[1], ha="right")
        ax.set_xscale("log", base=2)
        ax.set_xticks(widths, widths)
        ax.axhline(1 / 16, color="#B8B8B8", zorder=0)
        ax.text(256, 0.075, "all equal", ha="right", fontsize=9, color=GREY)
        ax.set_ylim(0, 1)
        ax.set_xlabel("K")
        ax.set_ylabel("largest weight among 16 tokens")
        show(fig, "05_scale")


def heads(token, head, right, wrong):
    """Draw both ways to split (T, D) into heads, coloured by head."""
    H, _, K = right(head).shape
    with figure(6.8, 4.6) as fig:
        axes = fig.subplots(2, 1 + H, width_ratios=[H * K] + H * [K])
        for line, split, name in (
            (axes[0], right, "reshape, transpose"),
            (axes[1], wrong, "reshape only"),
        ):
            _cells(line[0], token, head, "q, a row is a token")
            line[0].set_ylabel(name, fontweight="bold")
            for h in range(H):
                _cells(
                    line[1 + h], split(token)[h], split(head)[h], f"head {h}"
                )
        show(fig, "05_heads")


def _cells(ax, tokens, heads, title):
    """Draw cells coloured by head, with the number of the token in each."""
    ax.imshow(HEADS[heads])
    for (row, column), number in np.ndenumerate(tokens):
        ax.text(column, row, number, ha="center", va="center")
    ax.set_title(title, loc="center", fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)


def jacobian(y, J):
    """Draw the weights of a row, and the Jacobian of its softmax."""
    with figure(6.4, 2.9) as fig:
        bars, matrix = fig.subplots(1, 2)
        bars.bar(range(len(y)), y, color="#7F7F7F")
        bars.set_xticks(range(len(y)))
        bars.set_ylim(0, 1)
        bars.set_xlabel("i")
        bars.set_title("softmax $y_i$", loc="center")
        shown = matrix.imshow(J, cmap="RdBu_r", vmin=-0.25, vmax=0.25)
        matrix.set_xticks(range(len(y)))
        matrix.set_xlabel("input j")
        matrix.set_ylabel("output i")
        matrix.set_title("Jacobian $J_{ij}$", loc="center")
        fig.colorbar(shown, ax=matrix)
        show(fig, "05_jacobian")


def maps(test, maps, chosen, queries):
    """Draw pictures and, for one query of each, the rows of all maps."""
    blocks, heads = maps.shape[0], maps.shape[2]
    side = round(maps.shape[-1] ** 0.5)
    P = test.images.shape[1] // side
    with figure(7.4, 2.9) as fig:
        axes = fig.subplots(len(chosen), 1 + blocks * heads)
        for line, i in zip(axes, chosen, strict=True):
            line[0].imshow(test.images[i])
            corner = P * (queries[i] % side), P * (queries[i] // side)
            box = {"fill": False, "edgecolor": "white", "linewidth": 1.5}
            line[0].add_patch(Rectangle(corner, P - 0.5, P - 0.5, **box))
            line[0].set_ylabel(test.classes[test.labels[i]], fontsize=9)
            for m, (b, h) in enumerate(np.ndindex(blocks, heads)):
                row = maps[b, i, h, queries[i]].reshape(side, side)
                shown = line[1 + m].imshow(
                    row, cmap="cividis", vmin=0, vmax=0.6
                )
        for m, (b, h) in enumerate(np.ndindex(blocks, heads)):
            words = f"block {b}\nhead {h}"
            axes[0, 1 + m].set_title(words, fontsize=8, loc="center")
        for ax in axes.flat:
            ax.set_xticks([])
            ax.set_yticks([])
        bar = fig.colorbar(shown, ax=axes, shrink=0.8, pad=0.01, extend="max")
        bar.set_label("attention weight", fontsize=9)
        show(fig, "05_maps")


def hidden_patches(counts, curves):
    """Draw accuracy over the number of hidden patches, four orders."""
    with figure(6.2, 3.6) as fig:
        ax = fig.subplots()
        for i, (name, values) in enumerate(curves.items()):
            line = "o:" if name == "brightest" else "o-"
            ax.plot(counts, values, line, color=COLOURS[i])
        clear = 0.0
        by_height = sorted(curves, key=lambda name: curves[name][-1])
        for name in by_height:
            height = max(clear, curves[name][-1])
            colour = COLOURS[list(curves).index(name)]
            ax.text(8.2, height, name, color=colour, va="center")
            clear = height + 7  # of the word below
        ax.set_xlim(-0.2, 11)
        ax.set_xticks(counts)
        ax.set_ylim(0, 100)
        ax.set_xlabel("patches hidden, of 16")
        ax.set_ylabel("accuracy (%)")
        show(fig, "05_hidden")
