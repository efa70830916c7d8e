"""What the numbers show, said in sentences that the numbers choose.

A difference smaller than two of its errors is called invisible, whichever sign it has.
"""

import numpy as np

from tervit_np.analysis.surfaces.curvature import Prediction
from tervit_np.analysis.surfaces.directions import Curve
from tervit_np.analysis.surfaces.gaps import Gap, Gaps
from tervit_np.analysis.surfaces.interpolation import Interpolation
from tervit_np.analysis.surfaces.planes import Plane
from tervit_np.analysis.surfaces.results import Surfaces
from tervit_np.analysis.surfaces.stairs import Stairs

_NEAR = 0.15  # share of a gap by which its estimate may be wrong and still be called right
RISE = 0.15  # distance at which rises along a line are compared


def about_gaps(found: tuple[Gaps, ...]) -> str:
    """Say what rounding costs before training and after."""
    first, last = found[0], found[-1]
    layer, channel = _gap(first, "layer"), _gap(first, "channel")
    eight = _gap(first, "8-bit")
    saved, error = channel.saved, channel.saved_error
    verb = "saves" if saved > 0 else "costs"
    order = (
        f"One interval for each channel instead of one for each matrix, where it is {_pm(layer)}, "
        f"{verb} {abs(saved):.3f} ± {error:.3f}, {_visible(saved, error)}"
    )
    after = _gap(last, "channel")
    text = (
        f"Rounding the {first.latent} solution's weights to three values raises the loss from "
        f"{first.loss:.3f} to {channel.loss:.3f}, without any training: a gap of {_pm(channel)}. "
        f"{order}. To 8 bits the gap is {_pm(eight, 4)}, {_visible(eight.gap, eight.error)}. "
    )
    if after.gap > 0:
        return text + f"After ternary training {_pm(after)} of it is left at the latent weights."
    worse = last.loss > first.loss + 2 * first.error
    return text + (
        f"Ternary training does not close the gap, it turns it over: its latent weights have a "
        f"loss of {last.loss:.3f} as they are and {after.loss:.3f} when rounded: a good place for "
        f"rounding, and {'a worse' if worse else 'no worse a'} float model than the "
        f"{first.latent} solution."
    )


def about_planes(same: Plane, trained: Plane) -> str:
    """Say how far apart the stacked surfaces lie."""
    top, eight, own = same.heights[-1], same.heights[1], trained.heights[-1]
    size = f"{abs(own.distance):.3f} ± {own.distance_error:.3f}"
    if own.distance > 2 * own.distance_error:
        share = f"{100 * own.distance / top.distance:.0f} % of the distance is left"
        after = f"the ternary surface lies {size} above the float one: {share}"
    elif own.distance < -2 * own.distance_error:
        after = f"the ternary surface lies {size} below the float one"
    else:
        after = f"the two differ by {size}, which these images cannot tell from nothing"
    return (
        f"At the same latent weights the ternary surface lies {top.distance:.3f} ± "
        f"{top.distance_error:.3f} above the float one on average over the grid, the 8-bit surface "
        f"{eight.distance:.4f} ± {eight.distance_error:.4f}. After each model's own training "
        f"{after}. (Each stage trains on from the one "
        "before it, so the ternary model has also been trained for longer than the float one.)"
    )


def about_lines(far: tuple[Curve, ...], near: tuple[Curve, ...], stairs: Stairs) -> str:
    """Say which weights are steep, and how rough the loss is."""
    rise = {curve.name: rise_at(curve, RISE) for curve in far}
    rough = {curve.name: roughness(curve) for curve in near}
    latent, effective = rise["ternary-latent"], rise["ternary-effective"]
    steep = (
        "The steepness belongs to the latent weights, whose movement is amplified by codes that "
        "flip; the quantized weights lie in an ordinary bowl."
        if latent > 1.5 * effective
        else "Latent and quantized weights are about equally steep here."
    )
    step = float(near[0].x[1] - near[0].x[0])
    return (
        f"At ±{RISE:g} the loss rises by {rise['float']:.3f} (float), {rise['8-bit']:.3f} (8 bit), "
        f"{effective:.3f} (ternary, quantized weights moved) and {latent:.3f} (ternary, latent "
        f"weights moved and then rounded). {steep} Close up, neighbouring points {step:.2g} apart "
        f"differ by {rough['ternary-latent']:.1e} for the ternary model's latent weights and by "
        f"{rough['float']:.1e} for the float model. Within ±{float(stairs.curve.x[-1]):.1g}, with "
        f"float activations, the loss is seen as what it is: steps, one for each of "
        f"{stairs.codes:,} codes that flips, and nearly flat between."
    )


def about_interpolation(found: Interpolation) -> str:
    """Say where the curves cross, where they are lowest, and whether something lies between."""
    floats, ternary = found.curves
    cross = " and ".join(f"{x:.2f}" for x in found.crossings) or "nowhere on this line"
    ends = np.interp([0, 1], ternary.x, ternary.loss)
    inside = (ternary.x >= 0) & (ternary.x <= 1)
    barrier = float(ternary.loss[inside].max() - ends.max())
    between = (
        "No barrier lies between"
        if barrier <= 2 * float(ternary.error[inside].max())
        else f"A barrier of {barrier:.3f} lies between"
    )
    return (
        f"The float loss is lowest at x = {found.minima[0]:.2f}, the ternary one at "
        f"{found.minima[1]:.2f}; they are equal at {cross}. {between}: from the float solution the "
        f"ternary loss falls from {ends[0]:.3f} to {ends[1]:.3f}, while the float loss goes from "
        f"{np.interp(0, floats.x, floats.loss):.3f} to {np.interp(1, floats.x, floats.loss):.3f}."
    )


def about_predictions(found: tuple[Prediction, ...]) -> str:
    """Say how well curvature explains the gaps."""
    eight, ternary = found[0], found[-1]
    share = ternary.second / ternary.gap
    return (
        f"To 8 bits the second-order estimate is {eight.second:.5f} where {eight.gap:.5f} is "
        f"measured. For ternary weights |eps|² is {100 * ternary.relative:.0f} % of |w|²; the "
        f"second-order estimate gives {100 * share:.0f} % of the measured gap, and the "
        f"literature's ½ λ |eps|² is {ternary.bound / abs(ternary.gap):,.0f} times as large as "
        "the gap, since rounding does not point along the steepest direction. "
        + (
            "The curvature at the float weights reaches as far as the ternary ones."
            if abs(share - 1) < _NEAR
            else "Ternarization is too long a step for the curvature at its start."
        )
    )


def about_curvature(found: Surfaces) -> str:
    """Say whether ternary training found a sharper minimum of the quantized weights."""
    top = {each.name: each.spectrum.largest for each in found.curvature}
    low = [each.spectrum.smallest for each in found.curvature]
    words = (
        f"The largest eigenvalue is {top['float']:.2f} for the float model and "
        f"{top['ternary']:.2f} for the ternary one, taken at its quantized weights."
    )
    if max(low) < 0:
        words += (
            f" The smallest lie from {min(low):.2f} to {max(low):.2f}: none of these points is a "
            "minimum."
        )
    return words


def rise_at(curve: Curve, distance: float) -> float:
    """Return how much the loss rises to both sides, on average."""
    left, middle, right = np.interp([-distance, 0, distance], curve.x, curve.loss)
    return float((left + right) / 2 - middle)


def roughness(curve: Curve) -> float:
    """Return the mean difference of neighbours, less what a straight line through them has."""
    step = np.diff(curve.loss)
    return float(np.abs(step - step.mean()).mean())


def _gap(found: Gaps, word: str) -> Gap:
    return next(gap for gap in found.gaps if word in gap.name)


def _pm(gap: Gap, digits: int = 3) -> str:
    return f"{gap.gap:+.{digits}f} ± {gap.error:.{digits}f}"


def _visible(value: float, error: float) -> str:
    return "more than its error" if abs(value) > 2 * error else "which these images cannot show"
