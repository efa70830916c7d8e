"""Figures of chapter 07: overfitting, training curves, confusions."""

import numpy as np
from tervit_lesson import COLOURS, figure, show

GREY, INK = "#8A8A8A", "#222222"


def overfitting(right, wrong):
    """Draw the loss on 16 pictures, with and without zero_grad."""
    with figure(6.2, 3.4) as fig:
        ax = fig.subplots()
        ax.semilogy(right, color=COLOURS[0])
        ax.semilogy(wrong, color=COLOURS[1])
        ax.text(60, 0.12, "gradients set to zero", color=COLOURS[0])
        ax.text(60, 5, "gradients never set to zero", color=COLOURS[1])
        ax.axhline(np.log(10), color=GREY, linestyle=":", zorder=0)
        ax.text(150, 1.6, "ln 10", fontsize=9, color=GREY, ha="right")
        ax.set_ylim(3e-3, 12)
        ax.set_xlabel("step")
        ax.set_ylabel("loss on 16 pictures")
        show(fig, "07_overfitting")


def curves(losses, per_epoch, rates, at, val_loss, val_accuracy):
    """Draw learning rate, losses and accuracy over the epochs."""
    epochs = np.arange(len(losses)) / per_epoch
    mean = np.convolve(losses, np.ones(50) / 50, mode="valid")
    with figure(6.8, 6.2) as fig:
        top, middle, bottom = fig.subplots(
            3, sharex=True, height_ratios=[1, 2.6, 1.8]
        )
        top.plot(epochs, 1000 * np.array(rates), color=GREY)
        top.set_ylim(0, 2.2)
        top.set_ylabel("learning\nrate / 0.001")
        middle.plot(epochs, losses, color="#DDDDDD", linewidth=0.6)
        middle.plot(
            epochs[49:], mean, ":", color=COLOURS[0], label="50 steps before"
        )
        middle.plot(
            epochs[25:-24],
            mean,
            color=COLOURS[0],
            label="training, 25 steps on either side",
        )
        middle.plot(
            at / per_epoch,
            val_loss,
            "o-",
            color=COLOURS[1],
            label="validation",
        )
        middle.axhline(np.log(10), color=GREY, linestyle=":", linewidth=1)
        middle.text(
            epochs[-1], 2.33, "ln 10", fontsize=9, color=GREY, ha="right"
        )
        middle.set_ylim(0.5, 2.5)
        middle.set_ylabel("loss")
        middle.legend(loc="lower left", fontsize=9)
        bottom.plot(at / per_epoch, val_accuracy, "o-", color=COLOURS[1])
        bottom.axhline(10, color=GREY, linestyle=":", linewidth=1)
        bottom.text(
            epochs[-1], 12, "guessing", fontsize=9, color=GREY, ha="right"
        )
        bottom.set_ylim(0, 100)
        bottom.set_ylabel("validation\naccuracy (%)")
        bottom.set_xlabel("epoch")
        show(fig, "07_curves")


def confusion(percent, classes):
    """Draw a confusion matrix in percent of its rows."""
    with figure(5.6, 4.8) as fig:
        ax = fig.subplots()
        shown = ax.imshow(percent, cmap="cividis", vmin=0, vmax=100)
        for (row, column), value in np.ndenumerate(percent):
            if value >= 3:
                ink = INK if value > 50 else "white"
                ax.text(
                    column,
                    row,
                    f"{value:.0f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color=ink,
                )
        ax.set_xticks(range(len(classes)), classes, rotation=60, ha="right")
        ax.set_yticks(range(len(classes)), classes)
        ax.set_xlabel("taken for")
        ax.set_ylabel("what it was")
        ax.tick_params(length=0, labelsize=9)
        fig.colorbar(shown, label="percent of the row", shrink=0.8)
        show(fig, "07_confusion")
