"""Figures of chapter 01."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from tervit_lesson import COLOURS, figure, show


def steps(
    h: np.ndarray,
    errors: Mapping[str, Sequence[float]],
    predicted: Mapping[str, float],
) -> None:
    """Draw the error of each way against the step, and the predicted steps."""
    places = [(1e-11, 6e-12), (1e-9, 6e-6), (1e-11, 3)]
    with figure(6.4, 3.8) as fig:
        ax = fig.subplots()
        for colour, place, (name, values) in zip(
            COLOURS, places, errors.items(), strict=False
        ):
            ax.loglog(h, values, "o-", markersize=3, color=colour)
            ax.text(*place, name, color=colour, fontweight="bold")
            if name in predicted:
                ax.axvline(predicted[name], color=colour, ls=":", lw=1)
        ax.axhline(1e-7, color="#B8B8B8", zorder=0)
        ax.text(1.5, 1.3e-7, "tolerance\nof a check", fontsize=9, va="bottom")
        ax.set_xlim(5e-13, 50)
        ax.set_ylim(1e-12, 30)
        ax.set_xlabel("step h")
        ax.set_ylabel("relative error")
        ax.set_title(
            "Too far is wrong, too near is noise (dotted: $\\epsilon^{1/3}$)"
        )
        show(fig, "01_steps")


def upstream(with_ones: np.ndarray, with_random: np.ndarray) -> None:
    """Draw dW under two upstream gradients."""
    limit = max(np.abs(with_ones).max(), np.abs(with_random).max())
    with figure(6.4, 2.5) as fig:
        axes = fig.subplots(1, 2)
        for ax, dweight, name in zip(
            axes, (with_ones, with_random), ("ones", "random"), strict=True
        ):
            shown = ax.imshow(dweight, cmap="RdBu_r", vmin=-limit, vmax=limit)
            ax.set_title(f"dW, upstream {name}", loc="center")
            outputs, inputs = dweight.shape
            ax.set_xticks(range(inputs), [f"in {i}" for i in range(inputs)])
            ax.set_yticks(range(outputs), [f"out {o}" for o in range(outputs)])
        fig.colorbar(shown, ax=axes, shrink=0.9)
        show(fig, "01_upstream")


def checks(
    passed: np.ndarray, mistakes: Iterable[str], names: Iterable[str]
) -> None:
    """Draw which check (column) lets which mistake (row) pass."""
    with figure(6.8, 3.2) as fig:
        ax = fig.subplots()
        cells = np.where(passed[..., None], (242, 200, 110), (62, 78, 105))
        cells[0] = (232, 232, 232)  # right code should pass
        ax.imshow(cells, aspect="auto")
        for row, column in np.ndindex(passed.shape):
            ok = passed[row, column]
            words = "passes" if ok else "caught"
            ink = "#222222" if ok else "white"
            ax.text(column, row, words, ha="center", va="center", color=ink)
        ax.set_xticks(range(passed.shape[1]), names)
        ax.set_yticks(range(passed.shape[0]), mistakes)
        ax.tick_params(length=0, labeltop=True, labelbottom=False)
        ax.set_title("Which check catches which mistake", loc="center", pad=24)
        show(fig, "01_checks")
