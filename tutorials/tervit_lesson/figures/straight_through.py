"""Figures of chapter 08: the straight-through estimator."""

import numpy as np
from matplotlib.colors import ListedColormap
from tervit_lesson import COLOURS, figure, show, stage_colour

FLOAT, TERNARY = stage_colour("float"), stage_colour("ternary")
PLUS, MINUS = COLOURS[:2]  # the codes 1 and -1
GREY, DARK, PALE = "#8A8A8A", "#444444", "#E8E8E8"


def staircase():
    """Draw rounding, and next to it its derivative and the estimate 1."""
    with figure(7.2, 3.0) as fig:
        left, right = fig.subplots(1, 2)
        x = np.linspace(-2.5, 2.5, 1001)
        stairs = np.rint(x)
        stairs[1:][np.diff(stairs) > 0] = np.nan  # no line at a jump
        left.plot(x, x, ":", color=GREY)
        left.plot(x, stairs, color=TERNARY)
        left.text(-2.4, 1.3, "rint(x)", color=TERNARY)
        left.text(0.4, 1.6, "y = x", color=GREY)
        left.set_title("rounding")
        right.plot(x, 0 * x, color=TERNARY)
        right.plot(x, 0 * x + 1, ":", color=DARK)
        right.set_ylim(-0.4, 1.6)
        right.text(-2.4, -0.22, "true: 0, and none at a jump", color=TERNARY)
        right.text(-2.4, 1.1, "straight through: 1", color=DARK)
        right.set_title("its derivative")
        for ax in (left, right):
            ax.set_xlabel("x")
        show(fig, "08_staircase")


def two_gradients(true_losses, straight_losses):
    """Draw the losses of both gradients over the steps."""
    with figure(7.2, 3.0) as fig:
        ax = fig.subplots()
        ax.plot(true_losses, color=DARK)
        ax.plot(straight_losses, color=TERNARY)
        x = 0.55 * len(true_losses)
        ax.text(x, 1.08 * true_losses[-1], "true gradient", color=DARK)
        ax.text(x, 0.1, "straight through", color=TERNARY)
        ax.set_xlabel("step")
        ax.set_ylabel("loss")
        ax.set_ylim(bottom=0)
        show(fig, "08_two_gradients")


def latents(latents, codes, thresholds):
    """Draw twelve latent weights with the zero band, and their codes."""
    colours = {1: PLUS, 0: GREY, -1: MINUS}
    steps = np.arange(len(latents))
    with figure(7.2, 4.4) as fig:
        top, bottom = fig.subplots(2, sharex=True, height_ratios=[3, 2])
        top.fill_between(steps, -thresholds, thresholds, color=PALE)
        for i in range(latents.shape[1]):
            colour = colours[codes[-1, i]]
            top.plot(latents[:, i], color=colour, linewidth=1.4)
        for code in (1, 0, -1):
            height = latents[-1, codes[-1] == code].mean()
            here = {"x": len(steps), "y": height, "va": "center"}
            top.text(s=f"code {code}", color=colours[code], **here)
        top.set_ylabel("latent weight")
        shades = ListedColormap([MINUS, PALE, PLUS])
        bottom.imshow(codes.T, cmap=shades, vmin=-1, vmax=1, aspect="auto")
        for i in range(1, codes.shape[1]):
            bottom.axhline(i - 0.5, color="white", linewidth=1)
        bottom.set_yticks([0, 11], ["weight 1", "weight 12"])
        bottom.set_xlabel("step")
        bottom.set_ylabel("codes")
        show(fig, "08_latents")


def frozen(line, forward, frozen_line, now):
    """Draw the forward pass of one weight and the frozen function."""
    stairs = forward.copy()
    stairs[1:][np.abs(np.diff(stairs)) > 0.1] = np.nan  # no line at a jump
    with figure(7.2, 3.4) as fig:
        ax = fig.subplots()
        ax.plot(line, stairs, color=TERNARY)
        ax.plot(line, frozen_line, "--", color=FLOAT)
        ax.plot(*now, "o", color="#222222", zorder=3)
        ax.text(-1.55, -0.62, "forward pass", color=TERNARY)
        ax.text(0.0, -0.55, "frozen: w + residual", color=FLOAT)
        ax.text(now[0] + 0.08, now[1] - 0.15, "the weight's present value")
        ax.set_xlabel("one latent weight; the other seven are fixed")
        ax.set_ylabel("its ŵ")
        ax.set_ylim(-1.3, 1.5)
        show(fig, "08_frozen")


def flips(losses, differing):
    """Draw the loss of each batch and how many codes have changed."""
    with figure(7.2, 3.0) as fig:
        left, right = fig.subplots(1, 2)
        left.plot(losses, color=TERNARY, linewidth=0.8, alpha=0.4)
        mean = np.convolve(losses, np.ones(10) / 10, "valid")
        left.plot(np.arange(len(mean)) + 4.5, mean, color=TERNARY)
        left.set_ylim(bottom=0)
        left.set_xlabel("step")
        left.set_ylabel("loss (bold: mean of 10)")
        right.plot(differing, color=TERNARY)
        right.set_xlabel("step")
        right.set_ylabel("codes unlike the first, %")
        right.set_ylim(bottom=0)
        show(fig, "08_flips")
