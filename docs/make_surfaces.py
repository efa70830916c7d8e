"""Write docs/surfaces.md and its figures, from the surfaces of a run.

    python docs/make_surfaces.py runs/cifar10      store this run's surface.json, draw, rewrite
    python docs/make_surfaces.py                   draw and rewrite from the stored file

docs/surface_cifar10.json stores all numbers; page and figures come from it alone.
"""

import argparse
import json
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

from page_parts import rewrite, table  # noqa: E402

from tervit_np.analysis.surfaces import text  # noqa: E402
from tervit_np.analysis.surfaces.figures.interpolation import draw_interpolation  # noqa: E402
from tervit_np.analysis.surfaces.figures.stacked import draw_stacked  # noqa: E402
from tervit_np.analysis.surfaces.results import FILE, Surfaces, read_surfaces  # noqa: E402

STORE = DOCS / "surface_cifar10.json"
PAGE = DOCS / "surfaces.md"


def store(run: Path) -> None:
    """Store a run's surfaces, with the short form of the command."""
    surfaces = json.loads((run / FILE).read_text())
    surfaces["settings"]["command"] = "tervit surface runs/cifar10"
    STORE.write_text(json.dumps(surfaces, separators=(",", ":")) + "\n")


def measured(surfaces: Surfaces) -> str:
    """Return the part of the page that quotes numbers."""
    s = surfaces.settings
    return "\n\n".join(
        [
            f"{s.images} fixed images of the {s.split} split, evaluation mode, no augmentation; "
            "± is the standard error by resampling the images.",
            gap_table(surfaces).rstrip(),
            text.describe_gaps(surfaces.gaps),
            "![Loss surfaces over one another](surface_cifar10_stacked.png)",
            text.stacked_caption(surfaces.same),
            text.describe_planes(surfaces.same, surfaces.trained),
            "![Both losses between the solutions](surface_cifar10_interpolation.png)",
            text.interpolation_caption(),
            text.describe_interpolation(surfaces.interpolation),
            *([text.describe_predictions(surfaces.predictions)] if surfaces.predictions else []),
            "",
        ]
    )


def gap_table(surfaces: Surfaces) -> str:
    """Return the gaps of each set of latent weights."""
    kinds = [gap.name for gap in surfaces.gaps[0].gaps]
    rows = [("latent weights", "float loss", *kinds)]
    for each in surfaces.gaps:
        gaps = [f"{gap.gap:+z.3f} ± {gap.error:.3f}" for gap in each.gaps]
        rows.append((f"{each.latent} solution", f"{each.loss:.3f} ± {each.error:.3f}", *gaps))
    return table(rows)


def main() -> None:
    """Store a run if one is given, then draw and write."""
    parser = argparse.ArgumentParser(description="The page on loss surfaces, from stored results.")
    parser.add_argument("run", nargs="?", type=Path, help="folder with a surface.json")
    args = parser.parse_args()
    if args.run is not None:
        store(args.run)
    surfaces = read_surfaces(STORE)
    planes = {
        "at the float solution": surfaces.same,
        "each after its own training": surfaces.trained,
    }
    draw_stacked(planes, DOCS / "surface_cifar10_stacked.png")
    draw_interpolation(surfaces.interpolation, DOCS / "surface_cifar10_interpolation.png")
    page = rewrite(PAGE.read_text(encoding="utf-8"), "measured", measured(surfaces))
    PAGE.write_text(page, encoding="utf-8")
    print(measured(surfaces))


if __name__ == "__main__":
    main()
