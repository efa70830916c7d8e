"""Loss surfaces: the gap that rounding opens, planes, lines, ways between solutions, curvature.

Each measurement is a function of (model, images, labels) that returns a NamedTuple:

    gaps, plane, stacked, line, sheet, stairs, interpolation, curvature, predictions

Images are normalised, (N, 3, S, S); losses are means over them, in evaluation mode.
"""

from tervit_np.analysis.surfaces.affine_models import Family, rounded, smooth
from tervit_np.analysis.surfaces.curvature import Curvature, Prediction, curvature, predictions
from tervit_np.analysis.surfaces.directions import (
    Curve,
    Sheet,
    around_zero,
    line,
    random_direction,
    sheet,
)
from tervit_np.analysis.surfaces.gaps import KINDS, Gap, Gaps, gaps, quantized
from tervit_np.analysis.surfaces.hessian import LossHessian
from tervit_np.analysis.surfaces.interpolation import Interpolation, interpolation
from tervit_np.analysis.surfaces.lanczos import Spectrum, lanczos
from tervit_np.analysis.surfaces.partial_results import Parts
from tervit_np.analysis.surfaces.planes import Height, Plane, plane, stacked
from tervit_np.analysis.surfaces.runner import Runner
from tervit_np.analysis.surfaces.stairs import Stairs, stairs
from tervit_np.analysis.surfaces.trace import Trace, trace

__all__ = [
    "KINDS",
    "Curvature",
    "Curve",
    "Family",
    "Gap",
    "Gaps",
    "Height",
    "Interpolation",
    "LossHessian",
    "Parts",
    "Plane",
    "Prediction",
    "Runner",
    "Sheet",
    "Spectrum",
    "Stairs",
    "Trace",
    "around_zero",
    "curvature",
    "gaps",
    "interpolation",
    "lanczos",
    "line",
    "plane",
    "predictions",
    "quantized",
    "random_direction",
    "rounded",
    "sheet",
    "smooth",
    "stacked",
    "stairs",
    "trace",
]
