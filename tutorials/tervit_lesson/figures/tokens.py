"""Figures of chapter 04: patches, reshapes, positions."""

import numpy as np
from tervit_lesson import COLOURS, figure, show

INK, GREY = "#222222", "#666666"


def picture_and_tokens(picture, P):
    """Draw a picture with its grid, its patches in order, and their array."""
    S = len(picture)
    n = S // P
    gap = max(1, P // 4)
    patches = picture.reshape(n, P, n, P, 3).swapaxes(1, 2)
    patches = patches.reshape(n * n, P, P, 3)
    lines = max(1, n // 2)
    columns = -(-n * n // lines)
    step = P + gap
    height = P + 4 * gap
    with figure(7.2, 4.6) as fig:
        upper, lower = fig.subfigures(2, 1, height_ratios=[1, 0.95])
        whole, row = upper.subplots(1, 2, width_ratios=[1, 2.3])
        whole.imshow(picture)
        for edge in range(1, n):
            whole.axvline(P * edge - 0.5, color="white", linewidth=1)
            whole.axhline(P * edge - 0.5, color="white", linewidth=1)
        for t, patch in enumerate(patches):
            left, top = step * (t % columns), height * (t // columns)
            row.imshow(patch, extent=(left, left + P, top + P, top))
            x, y = left + P / 2, top + P + 0.4 * gap
            row.text(x, y, t, ha="center", va="top", fontsize=9)
        row.set(xlim=(0, columns * step - gap), ylim=(lines * height, 0))
        whole.set_title("a picture and its grid", loc="center", fontsize=11)
        row.set_title(
            f"its {n * n} patches, row by row", loc="center", fontsize=11
        )
        for ax in (whole, row):
            ax.set_axis_off()
        ax = lower.subplots()
        array = patches.transpose(0, 3, 1, 2).reshape(n * n, -1)
        ax.imshow(array, cmap="gray", aspect="auto", interpolation="nearest")
        ax.set_title(
            f"the same as an array of shape {array.shape}, one patch in each "
            "row",
            loc="center",
            fontsize=11,
        )
        for c, name in enumerate(("red", "green", "blue")):
            ax.text(
                (c + 0.5) * P * P,
                n * n + 0.12 * n * n,
                f"{P * P} numbers, {name}",
                ha="center",
                va="center",
                fontsize=9,
            )
            if c:
                ax.axvline(c * P * P - 0.5, color="white", linewidth=1.5)
        ax.set_yticks([0, n * n - 1], [0, n * n - 1])
        ax.set_ylabel("token")
        ax.set_xticks([])
        for side in ax.spines.values():
            side.set_visible(False)
        show(fig, "04_tokens")


def reshape_and_transpose(small, right, attempt):
    """Draw the small picture, its patches, and what a reshape alone gives."""
    n = len(small) // 2
    patch_of = np.empty(small.size, int)
    patch_of[right.ravel()] = np.repeat(np.arange(n * n), right.shape[1])
    palette = np.array(
        [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in COLOURS]
    )
    pale = np.rint(255 - 0.7 * (255 - palette)).astype(int)
    with figure(7.2, 3.0) as fig:
        axes = fig.subplots(1, 3)
        for ax, array, title, meaning in zip(
            axes,
            (small, right, attempt),
            ("the picture", "reshape, transpose,\nreshape", "reshape only"),
            (
                "a colour is a patch",
                "a row is a patch",
                "a row is not a patch",
            ),
            strict=True,
        ):
            ax.imshow(pale[patch_of[array]])
            for (row, column), number in np.ndenumerate(array):
                ax.text(column, row, number, ha="center", va="center")
            for edge in range(1, len(array)):
                ax.axhline(edge - 0.5, color="white", linewidth=1)
                ax.axvline(edge - 0.5, color="white", linewidth=0.3)
            ax.set_title(title, loc="center", fontsize=11)
            ax.set_xticks([])
            ax.set_yticks([])
            for side in ax.spines.values():
                side.set_visible(False)
            ax.set_xlabel(meaning)
        show(fig, "04_reshape")


def similar_positions(cosines):
    """Draw the cosines of each position embedding with all others."""
    n = round(len(cosines) ** 0.5)
    with figure(5.6, 4.8) as fig:
        axes = fig.subplots(n, n)
        for place, ax in enumerate(axes.flat):
            shown = ax.imshow(
                cosines[place].reshape(n, n), cmap="RdBu_r", vmin=-1, vmax=1
            )
            ax.plot(place % n, place // n, "o", color="white", markersize=3.5)
            ax.set_title(place, loc="center", fontsize=9, pad=3)
            ax.set_axis_off()
        bar = fig.colorbar(shown, ax=axes, shrink=0.8)
        bar.set_label("cosine with the place of the dot")
        show(fig, "04_positions")
