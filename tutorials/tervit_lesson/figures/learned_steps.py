"""Figures of chapter 09: clipping and learned steps."""

import numpy as np
from tervit_lesson import COLOURS, figure, show, stage_colour

SKY, RED, PINK, GREY = COLOURS
TERNARY, DARK = stage_colour("ternary"), "#444444"
RULES = {"identity": RED, "mask": DARK, "inward": SKY, "clip weights": TERNARY}


def beyond_the_clip(runs, end, switch):
    """Draw the losses and the first latent weight of each rule."""
    with figure(7.4, 3.4) as fig:
        left, right = fig.subplots(1, 2)
        for rule, (losses, latents) in runs.items():
            style = "--" if rule == "clip weights" else "-"
            left.plot(losses, style, color=RULES[rule])
            right.plot(latents[:, 0], style, color=RULES[rule])
        last = len(losses)
        left.text(last, 0.25, "mask", color=DARK, ha="right")
        left.text(switch + 70, 0.13, "identity", color=RED)
        left.text(last, 0.01, "other two", color=TERNARY, ha="right")
        left.set_ylim(0, 0.6)
        left.set_ylabel("loss")
        right.axhspan(-end, end, color="#E8E8E8", zorder=0)
        peak = runs["identity"][1][:, 0].max()
        right.text(switch + 15, peak, "identity", color=RED, va="center")
        right.text(last, end + 0.08, "mask", color=DARK, ha="right")
        right.text(last, 0.1, "other two", color=TERNARY, ha="right")
        right.text(last, -0.55, "inside the grid", color=DARK, ha="right")
        right.set_ylabel("first latent weight")
        for ax in (left, right):
            ax.axvline(switch, color=GREY, linestyle=":", linewidth=1)
            ax.set_xlabel("step")
        left.text(switch + 8, 0.56, "here the target changes")
        show(fig, "09_beyond")


def derivatives(v, true, lsq, pact, cells, measured):
    """Draw three derivatives by the step, and what wide differences find."""
    with figure(7.2, 3.8) as fig:
        ax = fig.subplots()
        for values, colour in ((true, GREY), (pact, SKY), (lsq, TERNARY)):
            line = values.astype(float)
            line[1:][np.abs(np.diff(values)) > 0.4] = np.nan
            ax.plot(v, line, color=colour)
        ax.plot(cells, measured, "o", color="#222222", zorder=3)
        ax.text(
            1.4, 2, "true: round(v)", color="#666666", ha="right", va="center"
        )
        ax.text(-0.4, 0.6, "LSQ: round(v) - v", color=TERNARY, ha="right")
        ax.text(3.15, -0.05, "PACT: 0 inside", color="#2A84B8", va="center")
        ax.text(-3.6, -2.5, "wide differences, mean of a cell")
        ax.set_xlabel("w / s")
        ax.set_ylabel("derivative of the rounded weight by s")
        show(fig, "09_derivatives")


def accuracies(table, bits, float_mean):
    """Draw the mean accuracy of each rule over the bits, with the seeds."""
    colours = {"largest": "#B8B8B8", "best fit": SKY, "learned": PINK}
    with figure(7.2, 3.6) as fig:
        ax = fig.subplots()
        places = np.arange(len(bits))
        for i, rule in enumerate(colours):
            rows = np.array([table[b, rule] for b in bits])
            x = places + 0.25 * (i - 1)
            colour = colours[rule]
            ax.bar(x, rows.mean(axis=1), 0.22, color=colour, label=rule)
            for column in rows.T:
                ax.plot(x, column, "o", color="#222222", mec="white", ms=4.5)
        ax.axhline(float_mean, color=GREY, linestyle=":")
        ax.text(len(bits) - 0.55, float_mean + 1, "float")
        ax.set_xticks(places, [f"{b} bits" for b in bits])
        ax.set_ylabel("test accuracy, %")
        ax.set_ylim(0, 100)
        ax.legend(loc="upper left", ncols=3)
        show(fig, "09_accuracy")
