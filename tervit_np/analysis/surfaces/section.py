"""The report's section on loss surfaces: figures, tables and texts from surface.json."""

from pathlib import Path

from tervit_np.analysis import html
from tervit_np.analysis.style import stage_colour
from tervit_np.analysis.surfaces import text
from tervit_np.analysis.surfaces.figures.gaps import draw_gaps
from tervit_np.analysis.surfaces.figures.grids import draw_grids
from tervit_np.analysis.surfaces.figures.interpolation import draw_interpolation
from tervit_np.analysis.surfaces.figures.lines import draw_lines
from tervit_np.analysis.surfaces.figures.stacked import draw_stacked
from tervit_np.analysis.surfaces.planes import Plane
from tervit_np.analysis.surfaces.results import FILE, Surfaces, read_surfaces
from tervit_np.files import write_text

MEANINGS = {
    "float loss": "of the latent weights, not rounded",
    "centre": "loss of the weights that are not shifted",
    "mean": "loss averaged over all shifts",
    "above float": "mean distance from the float surface over all shifts",
    "λ1": "the largest eigenvalue of the Hessian: the curvature in the steepest direction",
    "λ2": "the second largest eigenvalue",
    "λ3": "the third largest eigenvalue",
    "smallest": "the smallest eigenvalue; below 0, the loss falls in that direction",
    "error of λ1": "a bound on the error of λ1 by Lanczos' method",
    "trace": "the sum of all eigenvalues",
    "gap": "the loss of the rounded weights minus that of the unrounded ones",
    "g·ε": "the gap by the gradient g alone; ε is what rounding adds to the weights",
    "g·ε + ½ ε'Hε": "the gap by gradient and Hessian H",
    "½ λ1 |ε|²": "the gap if rounding went in the steepest direction",
    "|ε|² / |w|²": "how large rounding is, compared with the weights",
}
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
BEGIN, END = "<!-- loss surface -->", "<!-- end of loss surface -->"


def surface_section(folder: Path) -> list[str]:
    """Draw the stored surfaces of a run.  -> pieces of the page; marks alone if none are stored.

    Raises
    ------
    ValueError
        If the stored file is damaged.
    """
    if not (folder / FILE).exists():
        return [BEGIN, END]
    surfaces = read_surfaces(folder / FILE)
    return [
        BEGIN,
        html.heading("The loss surface"),
        html.paragraph(_sample(surfaces), "soft"),
        *_gaps(surfaces, folder),
        *_stacked(surfaces, folder),
        *_interpolation(surfaces, folder),
        *_lines(surfaces, folder),
        *_curvature(surfaces),
        html.code(surfaces.settings.command),
        END,
    ]


def rewrite_report(folder: Path) -> Path | None:
    """Draw all figures and update the section in the run's report.  -> the report; None without."""
    section = "\n".join(surface_section(folder))
    report = folder / "report.html"
    if not report.exists():
        return None
    page = html.restyle(report.read_text(encoding="utf-8"))
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and end:
        page = before + section + after
    else:  # a report of an older version has no marks
        page = page.replace("</body>", f"{section}\n</body>")
    write_text(report, page)
    return report


def _sample(surfaces: Surfaces) -> str:
    s = surfaces.settings
    renamed = [f"{kind} is {stage}" for kind, stage in s.stages.items() if stage != kind]
    return (
        f"Measured on {s.images} fixed images of the {s.split} split, not augmented, in evaluation "
        "mode; ± is the standard error by resampling the images."
    ) + (f" Stages: {', '.join(renamed)}." if renamed else "")


def _gaps(surfaces: Surfaces, folder: Path) -> list[str]:
    kinds = [gap.name for gap in surfaces.gaps[0].gaps]
    rows = [
        [f"{each.latent} solution", f"{each.loss:.3f} ± {each.error:.3f}"]
        + [f"{gap.gap:+.4f} ± {gap.error:.4f}" for gap in each.gaps]
        for each in surfaces.gaps
    ]
    return [
        html.heading("The gap at the same latent weights", 3),
        html.paragraph(text.describe_gaps(surfaces.gaps)),
        html.table(
            ["latent weights", "float loss", *kinds],
            rows,
            [stage_colour(g.latent) for g in surfaces.gaps],
            MEANINGS,
        ),
        html.chart(
            draw_gaps(surfaces.gaps, folder / "surface_gaps.png"),
            "Loss of the same latent weights, unrounded and rounded in several ways. The bar at "
            "float is the error of the loss, the others are errors of the gap.",
        ),
    ]


def _stacked(surfaces: Surfaces, folder: Path) -> list[str]:
    """Draw the surfaces at the float solution; those after training are often too close to draw."""
    planes = {"at the float solution": surfaces.same}
    return [
        html.heading("Stacked surfaces", 3),
        html.paragraph(text.describe_planes(surfaces.same, surfaces.trained)),
        html.chart(
            draw_stacked(planes, folder / "surface_stacked.png"),
            text.stacked_caption(surfaces.same),
        ),
        html.paragraph("The surfaces of this figure, all of the float solution's latent weights:"),
        _heights(surfaces.same),
        html.paragraph("And of the models after each one's own training:"),
        _heights(surfaces.trained),
    ]


def _heights(plane: Plane) -> str:
    rows = [
        [h.name, f"{h.centre:.3f} ± {h.centre_error:.3f}", f"{h.mean:.3f}"]
        + [f"{h.distance:+.4f} ± {h.distance_error:.4f}" if i else ""]
        for i, h in enumerate(plane.heights)  # the first is the float surface
    ]
    colours = [stage_colour(h.name) for h in plane.heights]
    return html.table(["surface", "centre", "mean", "above float"], rows, colours, MEANINGS)


def _interpolation(surfaces: Surfaces, folder: Path) -> list[str]:
    return [
        html.heading("From the float solution to the ternary one", 3),
        html.paragraph(text.describe_interpolation(surfaces.interpolation)),
        html.chart(
            draw_interpolation(surfaces.interpolation, folder / "surface_interpolation.png"),
            text.interpolation_caption(),
        ),
    ]


def _lines(surfaces: Surfaces, folder: Path) -> list[str]:
    lines = draw_lines(surfaces.far, surfaces.near, surfaces.stairs, folder / "surface_lines.png")
    return [
        html.heading("Random directions", 3),
        html.paragraph(text.describe_lines(surfaces.far, surfaces.near, surfaces.stairs)),
        html.chart(lines, "Loss along one filter-normalised random direction at three scales."),
        html.chart(
            draw_grids(surfaces.grids, folder / "surface_grids.png"),
            "Loss over two random directions: the higher, the darker on a light page and the "
            "lighter on a dark one. All panels have the same levels; the cross is the model.",
        ),
    ]


def _curvature(surfaces: Surfaces) -> list[str]:
    if not surfaces.curvature:
        return []
    spectra = [
        [c.name, *(f"{v:.2f}" for v in c.spectrum.values[:-4:-1]), f"{c.spectrum.smallest:.2f}"]
        + [_power(c.spectrum.bounds[-1]), f"{c.trace.mean:.0f} ± {c.trace.error:.0f}"]
        for c in surfaces.curvature
    ]
    predicted = [
        [p.name, f"{p.gap:.5f}", f"{p.slope:.5f}", f"{p.second:.5f}", f"{p.bound:,.4g}"]
        + [f"{100 * p.relative:.3g} %"]
        for p in surfaces.predictions
    ]
    return [
        html.heading("Curvature, and the gap that it predicts", 3),
        html.paragraph(text.describe_curvature(surfaces)),
        html.table(
            ["model", "λ1", "λ2", "λ3", "smallest", "error of λ1", "trace"],
            spectra,
            [stage_colour(c.name) for c in surfaces.curvature],
            MEANINGS,
        ),
        html.paragraph(text.describe_predictions(surfaces.predictions)),
        html.table(
            ["weights", "gap", "g·ε", "g·ε + ½ ε'Hε", "½ λ1 |ε|²", "|ε|² / |w|²"],
            predicted,
            [stage_colour(p.name.split(",")[0]) for p in surfaces.predictions],
            MEANINGS,
        ),
        html.paragraph(
            "ε is what rounding adds to the weights w, g the gradient and H the Hessian of the "
            "loss in float64, by differences of gradients, with respect to the "
            f"{surfaces.curvature[0].size:,} weights that become ternary, at their quantized "
            "values and with float activations: with rounded ones the loss has no curvature. λ1 to "
            "λ3 are the largest eigenvalues of H, by Lanczos; the error of λ1 is a bound. The "
            "trace by Hutchinson. The gaps in this table are those of rounding only these weights, "
            "with float activations.",
            "soft",
        ),
    ]


def _power(value: float) -> str:
    """Write a small number with one digit and a power of ten."""
    digit, exponent = f"{value:.0e}".split("e")
    return f"{digit}·10{str(int(exponent)).translate(_RAISED)}"
