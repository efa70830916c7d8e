"""Choose the layers that get 8 bits in a ternary model, within a number of bytes.

    benefit(layer) = (rise(layer, ternary) + relief(layer)) / 2

The layers are taken in the order of benefit by bytes, each if it still fits. What three values cost
in a layer depends on the others. The rise is the cost in a float model, as the first of all layers
to become ternary, the relief the cost as the last one; a mixed plan is between them, and so is
their mean. The rule is ours.
"""

from collections.abc import Callable, Sequence

from tervit_np.analysis.sensitivity.measure import RELIEF, Layer, Sensitivity, mixed_plan
from tervit_np.quant import Plan


def extra_bytes(layer: Layer) -> int:
    """Count the bytes that 8 bits take more than three values."""
    return layer.bytes[RELIEF] - layer.bytes["ternary"]


def size_with(measured: Sensitivity, names: Sequence[str]) -> int:
    """Count the bytes of the model with these layers in 8 bits and the others ternary."""
    extra = sum(extra_bytes(layer) for layer in measured.layers if layer.name in names)
    return measured.other_bytes + sum(each.bytes["ternary"] for each in measured.layers) + extra


def check_share(share: float) -> None:
    """Raise ValueError unless a share is between 0 and 1."""
    if not 0 <= share <= 1:
        raise ValueError(f"a share is between 0 (all ternary) and 1 (all in 8 bits), not {share:g}")


def budget_of_share(measured: Sensitivity, share: float) -> int:
    """Return the bytes at `share` of the way from all layers ternary to all in 8 bits.

    Raises
    ------
    ValueError
        If the share is not between 0 and 1.
    """
    check_share(share)
    low = size_with(measured, [])
    high = size_with(measured, [layer.name for layer in measured.layers])
    return round(low + share * (high - low))


def benefit(layer: Layer) -> float:
    """Return how much lower the loss is with 8 bits in place of three values, by our estimate."""
    return (layer.rise["ternary"].change + layer.relief.change) / 2


def choose_layers(
    measured: Sensitivity, budget: int, score: Callable[[Layer], float] = benefit
) -> list[str]:
    """Choose layers for 8 bits, the highest score by bytes first, within `budget` bytes in all.

    Raises
    ------
    ValueError
        If the model has more bytes with all layers ternary.
    """
    left = budget - size_with(measured, [])
    if left < 0:
        raise ValueError(
            f"{budget:,} bytes are too few: with all layers ternary the model has "
            f"{size_with(measured, []):,}"
        )
    chosen = []
    for layer in sorted(measured.layers, key=lambda each: -score(each) / extra_bytes(each)):
        if score(layer) > 0 and extra_bytes(layer) <= left:
            chosen.append(layer.name)
            left -= extra_bytes(layer)
    return chosen


def plan_and_notes(measured: Sensitivity, chosen: Sequence[str]) -> tuple[Plan, list[str]]:
    """Make the plan, an entry for each chosen layer and one for the rest, and their comments."""
    by_name = {layer.name: layer for layer in measured.layers}
    single = [mixed_plan({RELIEF: [name]}).rules[0] for name in chosen]
    rest = mixed_plan({"ternary": [name for name in by_name if name not in chosen]})
    notes = [
        f"benefit {benefit(by_name[name]):.4f} for {extra_bytes(by_name[name]):,} bytes"
        for name in chosen
    ]
    return Plan([*single, *rest.rules]), [*notes, "all others"]
