"""Figures of chapter 19."""

import numpy as np
from tervit_lesson import figure, show, stage_colour


def pictures(images, columns=8):
    """Draw a row of training pictures for each class."""
    with figure(6.4, 3.4) as fig:
        ax = fig.subplots()
        rows = []
        for label in range(len(images.classes)):
            some = images.images[images.labels == label][:columns]
            padded = np.pad(
                some, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=255
            )
            rows.append(np.concatenate(list(padded), axis=1))
        ax.imshow(np.concatenate(rows))
        side = len(rows[0])
        ax.set_yticks(
            [side * (i + 0.5) for i in range(len(rows))], images.classes
        )
        ax.set_xticks([])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        show(fig, "19_pictures")


def sensitivity(rise):
    """Draw how much the loss rises with each layer alone quantized."""
    names = list(rise["ternary"])[::-1]
    colours = {"ternary": "ternary", "4 bits": "4-bit", "8 bits": "8-bit"}
    sizes = {"ternary": 7, "4 bits": 5, "8 bits": 3}
    with figure(6.6, 5.0) as fig:
        ax = fig.subplots()
        ax.axvline(0, color="#B8B8B8", zorder=0)
        worst = max(names, key=rise["ternary"].get)
        for kind, of in rise.items():
            values = [of[name] for name in names]
            colour = stage_colour(colours[kind])
            size = sizes[kind]
            ax.plot(
                values, range(len(names)), "o", color=colour, markersize=size
            )
        for row, name in enumerate(names):
            ends = [0, rise["ternary"][name]]
            ax.plot(
                ends, [row, row], color=stage_colour("ternary"), linewidth=1
            )
        row, unit = names.index(worst), max(rise["ternary"].values())
        ax.text(unit * 0.97, row + 0.25, "ternary", ha="right", va="bottom",
                color=stage_colour("ternary"))  # fmt: skip
        ax.text(
            unit * 0.97, 0.9, "4 bits", ha="right", color=stage_colour("4-bit")
        )
        ax.text(
            unit * 0.97, 0.0, "8 bits", ha="right", color=stage_colour("8-bit")
        )
        ax.set_yticks(range(len(names)), names, fontsize=9)
        ax.set_xlabel(
            "rise of the validation loss, this layer alone quantized"
        )
        ax.tick_params(axis="y", length=0)
        show(fig, "19_sensitivity")


def recovery(results):
    """Draw the accuracy of each plan before and after its training."""
    colours = {"float": "float", "ternary": "ternary", "mixed": "8-bit"}
    with figure(5.4, 3.4) as fig:
        ax = fig.subplots()
        top = max(r.accuracy for r in results.values())
        ends = sorted(results, key=lambda name: results[name].accuracy)
        for name, result in results.items():
            colour = stage_colour(colours[name])
            both = [100 * result.start_accuracy, 100 * result.accuracy]
            ax.plot([0, 1], both, "o-", color=colour)
            height = 100 * top - 6 * (len(ends) - 1 - ends.index(name))
            label = f"{name} {both[1]:.1f} %"
            ax.text(1.06, height, label, color=colour, va="center")
            if name != "float":
                side = "bottom" if name == "mixed" else "top"
                words = f"{both[0]:.1f} %"
                ax.text(
                    -0.06, both[0], words, color=colour, ha="right", va=side
                )
        ax.axhline(25, color="#B8B8B8", zorder=0)
        ax.text(1.6, 26, "chance", ha="right", fontsize=9, color="#666666")
        ax.set(xlim=(-0.35, 1.6), ylim=(0, 100), ylabel="test accuracy in %")
        ax.set_xticks([0, 1], ["before", "after training"])
        show(fig, "19_recovery")
