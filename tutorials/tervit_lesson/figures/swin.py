"""Figures of chapter 16."""

import numpy as np
from tervit_lesson import COLOURS, figure, show

GREY, INK = "#B8B8B8", "#222222"


def shift(numbers, rolled, w):
    """Draw the numbered map and the rolled one, coloured by regions."""
    side = len(numbers)
    s = w // 2
    with figure(7.6, 4.0) as fig:
        axes = fig.subplots(1, 2)
        titles = ("the map and its shifted windows", "after the roll")
        for ax, tokens, title in zip(
            axes, (numbers, rolled), titles, strict=True
        ):
            wrapped = 2 * (tokens // side < s) + (tokens % side < s)
            palette = np.array(
                [
                    (255, 255, 255),
                    (222, 235, 247),
                    (254, 230, 206),
                    (229, 245, 224),
                ]
            )
            ax.imshow(palette[wrapped])
            for row, column in np.ndindex(tokens.shape):
                ax.text(
                    column,
                    row,
                    tokens[row, column],
                    ha="center",
                    va="center",
                    fontsize=9,
                )
            start = s if ax is axes[0] else 0
            for line in range(start, side + 1, w):
                ax.axhline(line - 0.5, color=COLOURS[1], linewidth=2)
                ax.axvline(line - 0.5, color=COLOURS[1], linewidth=2)
            ax.set_title(title, loc="center", fontsize=11)
            ax.set_axis_off()
        show(fig, "16_shift")


def masks(allowed):
    """Draw who may attend to whom in each window."""
    with figure(8.0, 2.5) as fig:
        axes = fig.subplots(1, len(allowed))
        places = ("top left", "top right", "bottom left", "bottom right")
        for ax, pairs, place in zip(axes, allowed, places, strict=True):
            ax.imshow(pairs, cmap="Greys_r", vmin=-0.6, vmax=1)
            ax.set_title(f"{place}\n{pairs.mean():.0%} allowed", loc="center")
            ax.set_xticks([0, len(pairs) - 1])
            ax.set_yticks([0, len(pairs) - 1])
            ax.set_xlabel("key")
        axes[0].set_ylabel("query")
        show(fig, "16_masks")


def index(table, uses):
    """Draw an index table, and how many pairs share each number."""
    with figure(7.6, 3.6) as fig:
        left, right = fig.subplots(1, 2)
        left.imshow(table, cmap="Blues", vmin=-2, vmax=14)
        right.imshow(uses, cmap="Blues", vmin=-4, vmax=28)
        for ax, numbers in ((left, table), (right, uses)):
            for row, column in np.ndindex(numbers.shape):
                value = numbers[row, column]
                ax.text(column, row, value, ha="center", va="center")
        left.set_title(
            "w = 2: which number a pair takes", loc="center", fontsize=11
        )
        names = ["(0, 0)", "(0, 1)", "(1, 0)", "(1, 1)"]
        left.set_xticks(range(4), names)
        left.set_yticks(range(4), names)
        left.set_xlabel("key (row, column)")
        left.set_ylabel("query")
        reach = len(uses) // 2
        right.set_title(
            "w = 4: pairs that share a number", loc="center", fontsize=11
        )
        right.set_xticks(range(len(uses)), range(-reach, reach + 1))
        right.set_yticks(range(len(uses)), range(-reach, reach + 1))
        right.set_xlabel("columns from key to query")
        right.set_ylabel("rows from key to query")
        for ax in (left, right):
            ax.tick_params(length=0)
        show(fig, "16_index")


def checks(names, passed):
    """Draw which check catches which mistake."""
    table = np.array(list(passed.values()))
    with figure(6.8, 3.0) as fig:
        ax = fig.subplots()
        cells = np.where(table[..., None], (242, 200, 110), (62, 78, 105))
        cells[0] = (232, 232, 232)  # right code should pass
        ax.imshow(cells, aspect="auto")
        for row, column in np.ndindex(table.shape):
            ok = table[row, column]
            ax.text(
                column,
                row,
                "passes" if ok else "caught",
                ha="center",
                va="center",
                color=INK if ok else "white",
            )
        ax.set_xticks(range(len(names)), names)
        ax.set_yticks(range(len(passed)), passed)
        ax.tick_params(length=0, labeltop=True, labelbottom=False)
        ax.set_title("Which check catches which mistake", loc="center", pad=24)
        show(fig, "16_checks")
