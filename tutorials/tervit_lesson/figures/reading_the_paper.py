"""Figures of chapter 20."""

from tervit_lesson import COLOURS, figure, show, stage_colour

GREY = "#B8B8B8"


def readings(megabytes, reported):
    """Size of Swin-S by each reading of the paper, and the size it gives."""
    with figure(6.6, 2.6) as fig:
        ax = fig.subplots()
        names = list(megabytes)
        for row, name in enumerate(names):
            size = megabytes[name]
            agrees = round(size, 1) == reported
            colour = stage_colour("ternary") if agrees else GREY
            ax.barh(row, size, color=colour, height=0.6)
            ax.text(
                12.2,
                row,
                f"{size:.2f}",
                ha="right",
                va="center",
                color="white" if agrees else "#222222",
            )
        ax.axvline(reported, color="#222222", linestyle=":", linewidth=1)
        ax.set_yticks(range(len(names)), names)
        ax.invert_yaxis()
        ax.set_xlim(0, 16)
        ax.set_xlabel(f"MB of Swin-S (dotted: {reported}, as reported)")
        show(fig, "20_readings")


def costs(gaps, weights):
    """Loss that ternary rounding adds, for parts of the model."""
    with figure(6.6, 2.9) as fig:
        ax = fig.subplots()
        for row, (name, gap) in enumerate(gaps.items()):
            is_end = not name.startswith("block")
            colour = COLOURS[1] if is_end else COLOURS[0]
            ax.barh(row, gap, color=colour, height=0.6)
            ax.text(gap + 0.004, row, f"{gap:.2f}", va="center")
        labels = [f"{name}: {weights[name]:,} weights" for name in gaps]
        ax.set_yticks(range(len(labels)), labels)
        ax.invert_yaxis()
        ax.set_xlim(0, 1.2 * max(gaps.values()))
        ax.set_xlabel("loss added by rounding the part")
        show(fig, "20_costs")


def contrasts(records):
    """Differences of test accuracy in the stored comparisons, with 95 %."""
    rows = [
        (f"{contrast.name}\n{title}", record.difference(contrast))
        for title, record in records.items()
        for contrast in record.plan.questions
        if "scratch" not in contrast.name
    ]
    with figure(6.8, 0.55 * len(rows) + 0.9) as fig:
        ax = fig.subplots()
        ax.axvline(0, color=GREY, zorder=0)
        for row, (_, found) in enumerate(rows):
            colour = COLOURS[0]
            ax.errorbar(
                found.mean, row, xerr=found.margin, fmt="o", color=colour
            )
            text = f"{found.mean:+.2f}"
            ax.text(found.mean, row - 0.18, text, ha="center", va="bottom")
        ax.set_yticks(range(len(rows)), [name for name, _ in rows])
        ax.invert_yaxis()
        ax.set_ylim(len(rows) - 0.5, -0.7)
        ax.set_xlabel("points of test accuracy, mean and 95 % interval")
        show(fig, "20_contrasts")
