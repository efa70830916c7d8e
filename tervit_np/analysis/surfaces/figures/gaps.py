"""The loss of one set of latent weights under four kinds of rounding, for several sets."""

from pathlib import Path

from tervit_np.analysis.style import FAINT, figure, save, stage_colour
from tervit_np.analysis.surfaces.gaps import Gaps

# kind: stage that gives its colour, marker, filled
_MARKS: dict[str, tuple[str, str, bool]] = {
    "float": ("float", "o", True),
    "8-bit": ("8-bit", "s", True),
    "ternary, layer-wise": ("ternary", "^", False),
    "ternary, channel-wise": ("ternary", "^", True),
}


def draw_gaps(gaps: tuple[Gaps, ...], path: Path) -> Path:
    """Draw losses with errors, in one column for each set of latent weights; write the PNG."""
    with figure(7.2, 3.6) as fig:
        ax = fig.subplots()
        for i, each in enumerate(gaps):
            ax.axhline(each.loss, (i + 0.08) / len(gaps), (i + 0.92) / len(gaps), color=FAINT,
                       linewidth=1, zorder=0)  # fmt: skip
            rows = [("float", each.loss, each.error)]
            rows += [(gap.name, gap.loss, gap.error) for gap in each.gaps]
            middle = (len(rows) - 1) / 2
            for j, (kind, loss, error) in enumerate(rows):
                stage, marker, filled = _MARKS.get(kind, (kind, "D", True))
                colour = stage_colour(stage, j)
                ax.errorbar([i + 0.2 * (j - middle)], [loss], [error], fmt=marker, color=colour,
                            markersize=8, mfc=colour if filled else "white", capsize=3,
                            label=kind if i == 0 else None)  # fmt: skip
        ax.set_xticks(
            range(len(gaps)), [f"latent weights\nof the {g.latent} solution" for g in gaps]
        )
        ax.set_xlim(-0.5, len(gaps) - 0.5)
        ax.set_ylabel("loss")
        fig.legend(
            loc="outside upper center", ncols=len(_MARKS), handletextpad=0.2, columnspacing=1.2
        )
        return save(fig, path)
