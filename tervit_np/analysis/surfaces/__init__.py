"""Loss surfaces: the gap between float and ternary weights, planes, lines, curvature.

Each measurement is a function of (model, images, labels) that returns a NamedTuple:

    gaps, plane, stacked, line, grid2d, stairs, interpolation, curvature, predictions

Images are normalised, (N, 3, S, S); losses are means over them, in evaluation mode.
"""

from tervit_np.analysis.surfaces.affine_models import AffineModels, rounded, smooth
from tervit_np.analysis.surfaces.curvature import Curvature, Prediction, curvature, predictions
from tervit_np.analysis.surfaces.directions import (
    Curve,
    Grid2D,
    around_zero,
    grid2d,
    line,
    random_direction,
)
from tervit_np.analysis.surfaces.gaps import KINDS, Gap, Gaps, gaps, quantized, quantized_as
from tervit_np.analysis.surfaces.hessian import LossHessian
from tervit_np.analysis.surfaces.interpolation import Interpolation, interpolation
from tervit_np.analysis.surfaces.lanczos import Spectrum, lanczos
from tervit_np.analysis.surfaces.partial_results import PartialResults
from tervit_np.analysis.surfaces.planes import Height, Plane, plane, stacked
from tervit_np.analysis.surfaces.runner import Runner
from tervit_np.analysis.surfaces.stairs import Stairs, stairs
from tervit_np.analysis.surfaces.trace import Trace, trace

__all__ = [
    "KINDS",
    "AffineModels",
    "Curvature",
    "Curve",
    "Gap",
    "Gaps",
    "Grid2D",
    "Height",
    "Interpolation",
    "LossHessian",
    "PartialResults",
    "Plane",
    "Prediction",
    "Runner",
    "Spectrum",
    "Stairs",
    "Trace",
    "around_zero",
    "curvature",
    "gaps",
    "grid2d",
    "interpolation",
    "lanczos",
    "line",
    "plane",
    "predictions",
    "quantized",
    "quantized_as",
    "random_direction",
    "rounded",
    "smooth",
    "stacked",
    "stairs",
    "trace",
]
