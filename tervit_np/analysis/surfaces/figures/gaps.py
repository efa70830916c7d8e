"""The loss of one set of latent weights under four kinds of rounding, for several sets."""

from pathlib import Path
from typing import TYPE_CHECKING

from tervit_np.analysis.style import FAINT, PAPER, stage_colour
from tervit_np.analysis.surfaces.gaps import Gaps
from tervit_np.analysis.svg import Chart, chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# kind: stage that gives its colour, marker, filled
_MARKS: dict[str, tuple[str, str, bool]] = {
    "float": ("float", "o", True),
    "8-bit": ("8-bit", "s", True),
    "ternary, layer-wise": ("ternary", "^", False),
    "ternary, channel-wise": ("ternary", "^", True),
}


def draw_gaps(gaps: tuple[Gaps, ...], path: Path) -> Chart:
    """Draw losses with errors, in one column for each set of latent weights; write the PNG."""

    def draw(fig: "Figure", is_narrow: bool) -> None:
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
                            markersize=8, mfc=colour if filled else PAPER, capsize=3,
                            label=kind if i == 0 else None)  # fmt: skip
        ax.set_xticks(range(len(gaps)), [g.latent for g in gaps])
        ax.set_xlabel("latent weights of which solution")
        ax.set_xlim(-0.5, len(gaps) - 0.5)
        ax.set_ylabel("loss")
        columns = 2 if is_narrow else len(_MARKS)
        fig.legend(loc="outside upper left", ncols=columns, handletextpad=0.2, columnspacing=1.2)

    return chart(draw, path, wide=(7.2, 3.6), narrow=4.2)
