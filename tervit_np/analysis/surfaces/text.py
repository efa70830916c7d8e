"""Sentences about the results of `tervit surface`, chosen by the numbers.

A difference within twice its standard error is called that, whichever its sign.
"""

import numpy as np

from tervit_np.analysis.surfaces.curvature import Prediction
from tervit_np.analysis.surfaces.directions import Curve
from tervit_np.analysis.surfaces.gaps import Gap, Gaps
from tervit_np.analysis.surfaces.interpolation import Interpolation
from tervit_np.analysis.surfaces.planes import Plane
from tervit_np.analysis.surfaces.results import Surfaces
from tervit_np.analysis.surfaces.stairs import Stairs

_ACCURATE = 0.15  # relative error up to which an estimate of a gap is called accurate
RISE = 0.15  # distance at which rises along a line are compared


def describe_gaps(gaps: tuple[Gaps, ...]) -> str:
    """Describe the cost of rounding, before ternary training and after it."""
    first, last = gaps[0], gaps[-1]
    layer, channel = _gap(first, "layer"), _gap(first, "channel")
    eight = _gap(first, "8-bit")
    saved, error = channel.saved, channel.saved_error
    changes = "raises" if channel.gap > 0 else "takes"
    text = (
        f"Rounding the weights of the {first.latent} solution to three values, without any "
        f"training, {changes} the loss from {first.loss:.3f} to {channel.loss:.3f}: a gap of "
        f"{_pm(channel)}. With one threshold and scale for each matrix instead of each channel the "
        f"gap is {_pm(layer)}, so channels {'save' if saved > 0 else 'cost'} {abs(saved):.3f} ± "
        f"{error:.3f}, {_significance(saved, error)}. For 8 bits the gap is "
        f"{_pm(eight, 4)}, {_significance(eight.gap, eight.error)}. "
    )
    after = _gap(last, "channel")
    if after.gap >= -2 * after.error:
        significance = "" if after.gap > 2 * after.error else ", which is within twice its error"
        return text + (
            f"After ternary training the gap of its latent weights is {_pm(after)}{significance}."
        )
    worse = last.loss > first.loss + 2 * first.error
    return text + (
        f"Ternary training does not close the gap but reverses it: the loss of its latent weights "
        f"is {last.loss:.3f} unrounded and {after.loss:.3f} rounded. Unrounded they are "
        f"{'a worse' if worse else 'no worse a'} float model than the {first.latent} solution."
    )


def describe_planes(same: Plane, trained: Plane) -> str:
    """Describe the distances between the stacked surfaces."""
    eight, ternary = same.heights[1], same.heights[-1]
    after = trained.heights[-1]
    size = f"{abs(after.distance):.3f} ± {after.distance_error:.3f}"
    if after.distance > 2 * after.distance_error:
        comparison = f"the ternary surface is {size} above the float one"
        if ternary.distance > 2 * ternary.distance_error:
            comparison += f", {100 * after.distance / ternary.distance:.0f} % of that"
    elif after.distance < -2 * after.distance_error:
        comparison = f"the ternary surface is {size} below the float one"
    else:
        comparison = f"the two differ by {size}, which is within twice its error"
    return (
        f"At the same latent weights the ternary surface is {ternary.distance:.3f} ± "
        f"{ternary.distance_error:.3f} above the float one on average over the grid, the 8-bit "
        f"surface {eight.distance:.4f} ± {eight.distance_error:.4f}. After each model's own "
        f"training {comparison}. (Each stage continues from the one before it, so the ternary "
        "model has also been trained for longer than the float one.)"
    )


def stacked_caption(plane: Plane) -> str:
    """Say what the stacked surfaces show."""
    count = len(plane.grids[0].x)
    return (
        f"Loss over {count} x {count} shifts of the value weights of two blocks, in units of their "
        "mean magnitude; latent weights are shifted, then rounded. The numbers are the losses at "
        "the centre, which the vertical line joins."
    )


def describe_lines(far: tuple[Curve, ...], near: tuple[Curve, ...], stairs: Stairs) -> str:
    """Describe in which weights the loss is steep, and how rough it is."""
    rise = {curve.name: rise_at(curve, RISE) for curve in far}
    rough = {curve.name: roughness(curve) for curve in near}
    latent, effective = rise["ternary-latent"], rise["ternary-effective"]
    if latent > 1.5 * max(effective, 0):
        steepness = (
            "The loss is steep in the latent weights, because moving them flips codes; in the "
            "quantized weights it is not."
        )
    elif effective > 1.5 * max(latent, 0):
        steepness = "The loss is steeper in the quantized weights than in the latent ones."
    else:
        steepness = "The loss is about equally steep in latent and in quantized weights."
    step = float(near[0].x[1] - near[0].x[0])
    return (
        f"At ±{RISE:g} the loss rises by {rise['float']:.3f} (float), {rise['8-bit']:.3f} (8 bit), "
        f"{effective:.3f} (ternary, quantized weights moved) and {latent:.3f} (ternary, latent "
        f"weights moved and then rounded). {steepness} At a finer scale, points {step:.2g} apart "
        f"differ by {_two_digits(rough['ternary-latent'])} for the ternary model's latent weights "
        f"and by {_two_digits(rough['float'])} for the float model. Within "
        f"±{float(stairs.curve.x[-1]):.1g}, with float activations, the loss is a "
        f"staircase: it jumps where one of {stairs.codes:,} codes flips, and is nearly constant "
        "between."
    )


def describe_interpolation(result: Interpolation) -> str:
    """Describe where the curves cross, where they are lowest, and whether there is a barrier."""
    floats, ternary = result.curves
    crossings = " and ".join(f"{x:.2f}" for x in result.crossings)
    equal = f"they are equal at {crossings}" if crossings else "they do not cross on this line"
    if (floats.loss == ternary.loss).all():
        equal = "they are equal on this whole line"
    ends = np.interp([0, 1], ternary.x, ternary.loss)
    inside = (ternary.x >= 0) & (ternary.x <= 1)
    height = float(ternary.loss[inside].max() - ends.max())
    barrier = (
        "There is no barrier between the solutions"
        if height <= 2 * float(ternary.error[inside].max())
        else f"There is a barrier of {height:.3f} between the solutions"
    )
    return (
        f"The float loss is lowest at x = {result.minima[0]:.2f}, the ternary one at "
        f"{result.minima[1]:.2f}; {equal}. {barrier}: from the float solution to the ternary one "
        f"the ternary loss goes from {ends[0]:.3f} to {ends[1]:.3f}, the float loss from "
        f"{np.interp(0, floats.x, floats.loss):.3f} to {np.interp(1, floats.x, floats.loss):.3f}."
    )


def interpolation_caption() -> str:
    """Say what the curves between the solutions show."""
    return "Both losses on the straight line through the two solutions; bands: standard error."


def describe_predictions(predictions: tuple[Prediction, ...]) -> str:
    """Describe how well curvature explains the gaps."""
    eight, ternary = predictions[0], predictions[-1]
    return (
        "Gradient and Hessian at the float weights give an estimate of second order of the gap. "
        "Here inputs are float, and only the weights that become ternary are rounded, so the gaps "
        "differ a little from those above. For 8 bits the second-order estimate is "
        f"{eight.second:.5f}, the measured gap {eight.gap:.5f}. For ternary weights the step ε of "
        f"rounding is large: |ε|² is {100 * ternary.relative:.0f} % of |w|². "
        f"{_describe_accuracy(ternary)}"
    )


def _describe_accuracy(prediction: Prediction) -> str:
    """Compare the estimate of second order, and that of the literature, with the measured gap."""
    gap, second = prediction.gap, prediction.second
    if gap == 0:
        return "It does not change the loss, so that there is no gap to compare the estimates with."
    times = prediction.bound / abs(gap)
    literature = (
        "the literature's ½ λ |ε|², where λ is the largest eigenvalue of the Hessian, is "
        f"{times:{',.0f' if times >= 10 else '.2g'}} times as large as the gap"
    )
    if times > 1:
        literature += ", because rounding does not point along the steepest direction"
    accuracy = (
        "The curvature at the float weights predicts even the ternary gap."
        if abs(second / gap - 1) < _ACCURATE
        else "Ternary rounding is too large a step for the curvature at its start."
    )
    return (
        f"The second-order estimate is {100 * second / gap:.0f} % of the measured gap, and "
        f"{literature}. {accuracy}"
    )


def describe_curvature(surfaces: Surfaces) -> str:
    """Compare the largest eigenvalues of the float and the ternary model."""
    largest = {each.name: each.spectrum.largest for each in surfaces.curvature}
    smallest = [each.spectrum.smallest for each in surfaces.curvature]
    text = (
        f"The largest eigenvalue is {largest['float']:.2f} for the float model and "
        f"{largest['ternary']:.2f} for the ternary one, taken at its quantized weights."
    )
    if max(smallest) < 0:
        text += (
            f" The smallest eigenvalues are {min(smallest):.2f} to {max(smallest):.2f}, so none of "
            "these points is a minimum."
        )
    return text


def rise_at(curve: Curve, distance: float) -> float:
    """Return how much the loss rises at ±distance, the mean of both sides."""
    left, middle, right = np.interp([-distance, 0, distance], curve.x, curve.loss)
    return float((left + right) / 2 - middle)


def roughness(curve: Curve) -> float:
    """Return the mean absolute difference of neighbouring points, after removing the slope."""
    step = np.diff(curve.loss)
    return float(np.abs(step - step.mean()).mean())


def _gap(gaps: Gaps, kind: str) -> Gap:
    return next(gap for gap in gaps.gaps if kind in gap.name)


def _pm(gap: Gap, digits: int = 3) -> str:
    return f"{gap.gap:+.{digits}f} ± {gap.error:.{digits}f}"


def _two_digits(value: float) -> str:
    return np.format_float_positional(value, 2, fractional=False, trim="-")


def _significance(value: float, error: float) -> str:
    significant = abs(value) > 2 * error
    return "more than twice its error" if significant else "which is within twice its error"
