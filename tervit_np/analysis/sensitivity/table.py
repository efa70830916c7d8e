"""The table that `tervit sensitivity` prints."""

from collections.abc import Sequence

from tervit_np.analysis.sensitivity.choice import benefit, extra_bytes
from tervit_np.analysis.sensitivity.measure import KINDS, Effect, Layer, Sensitivity

_COLUMNS = ("kB more", *KINDS, "accuracy", "relief", "per kB")
LEGEND = """\
kB more: what 8 bits take more than three values. 8 bits, 4 bits, ternary: rise of the loss with
this layer rounded and all others float; accuracy: with this layer ternary. relief: fall of the loss
with this layer in 8 bits and all others ternary. per kB: the mean of the rise in three values and
the relief, by kB more. ±: standard error over the images. *: 8 bits in the plan."""


def table(measured: Sensitivity, chosen: Sequence[str] | None = None) -> list[tuple[str, ...]]:
    """Return a head and a row for each layer, in the order of the network, marked if chosen."""
    return [
        ("", *_COLUMNS),
        *(
            (f"{'*' if layer.name in (chosen or ()) else ' '} {layer.name}", *_cells(layer))
            for layer in measured.layers
        ),
    ]


def _cells(layer: Layer) -> tuple[str, ...]:
    kilobytes = extra_bytes(layer) / 1e3
    ternary = layer.rise["ternary"]
    return (
        f"{kilobytes:.1f}",
        *(f"{layer.rise[kind].change:+.3f}" for kind in KINDS if kind != "ternary"),
        _with_error(ternary),
        f"{100 * ternary.accuracy:.1f} %",
        _with_error(layer.relief),
        f"{benefit(layer) / kilobytes:.4f}",
    )


def _with_error(effect: Effect) -> str:
    """Write a change of the loss with its error, +0.131 ± 0.006."""
    return f"{effect.change:+.3f} ± {effect.error:.3f}"


def headline(measured: Sensitivity) -> str:
    """Say what the model does without rounding, and with three values everywhere."""
    ternary = measured.ternary
    return (
        f"float: loss {measured.loss:.3f}, accuracy {100 * measured.accuracy:.1f} %; all layers "
        f"ternary, untrained: loss {measured.loss + ternary.change:.3f}, accuracy "
        f"{100 * ternary.accuracy:.1f} %"
    )
