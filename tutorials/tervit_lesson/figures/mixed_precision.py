"""Figures of chapter 21: mixed precision."""

import numpy as np
from tervit_lesson import COLOURS, figure, show, stage_colour

WIDE, NARROW = stage_colour("float"), COLOURS[1]
GREY, DARK = "#8A8A8A", "#444444"


def _running_max(values, count=60):
    """Return the largest value of each run of `count` neighbours."""
    return (
        values[: len(values) // count * count].reshape(-1, count).max(axis=1)
    )


def formats(numbers, bfloat16, float16):
    """Draw the largest relative error of both formats over the magnitude."""
    exact = numbers.astype(float)
    middles = np.exp(
        np.log(exact[: len(exact) // 60 * 60]).reshape(-1, 60).mean(axis=1)
    )
    with figure(7.2, 3.4) as fig:
        ax = fig.subplots()
        for rounded, colour in ((bfloat16, NARROW), (float16, GREY)):
            with np.errstate(invalid="ignore"):
                off = np.minimum(np.abs(rounded / exact - 1), 1)
            ax.loglog(middles, _running_max(off), color=colour)
        ax.text(1e-8, 6e-3, "bfloat16", color=NARROW)
        ax.text(1e-2, 8e-4, "float16", color=DARK)
        ax.text(1.2e-9, 0.4, "only 0", color=DARK)
        ax.text(1e5, 0.4, "infinity", color=DARK)
        ax.set_ylim(1e-4, 2)
        ax.set_xlabel("magnitude of the number")
        ax.set_ylabel("largest relative error")
        show(fig, "21_formats")


def products(lengths, errors):
    """Draw the error of a product over the length of its sums."""
    colours = (
        COLOURS[1],
        stage_colour("8-bit"),
        stage_colour("ternary"),
        WIDE,
    )
    with figure(7.2, 4.0) as fig:
        ax = fig.subplots()
        for (name, found), colour in zip(errors.items(), colours, strict=True):
            ax.loglog(lengths, found, "o-", color=colour, markersize=4)
            place = lengths[-1] * 1.2, found[-1]
            ax.text(*place, name, color=colour, va="center")
        ax.set_xlim(12, lengths[-1] * 200)
        ax.spines["bottom"].set_bounds(12, lengths[-1] * 1.15)
        ax.set_xticks(lengths, [f"{n:,}" for n in lengths])
        ax.minorticks_off()
        ax.set_xlabel("terms of each sum")
        ax.set_ylabel("relative error")
        show(fig, "21_products")


def training(master, plain):
    """Draw the losses with latent weights in float32 and in bfloat16."""
    with figure(7.2, 3.2) as fig:
        ax = fig.subplots()
        for losses, name, colour in (
            (plain, "latent weights in bfloat16", NARROW),
            (master, "in float32", WIDE),
        ):
            width = min(10, len(losses))
            mean = np.convolve(losses, np.ones(width) / width, "valid")
            steps = np.arange(len(mean)) + width / 2
            ax.plot(losses, color=colour, alpha=0.2, linewidth=1)
            ax.plot(steps, mean, color=colour)
            place = len(losses) * 1.01, mean[-1]
            ax.text(*place, name, color=colour, va="center")
        ax.set_xlim(0, len(master) * 1.4)
        ax.set_xticks(np.linspace(0, len(master), 6, dtype=int))
        ax.spines["bottom"].set_bounds(0, len(master))
        ax.set_ylim(bottom=0)
        ax.set_xlabel("step")
        ax.set_ylabel("loss, mean of ten steps")
        show(fig, "21_training")
