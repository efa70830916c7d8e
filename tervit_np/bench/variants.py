"""Each rung of the ladder: its speed, its share of the peak, its intensity, its inner loop.

Intensity is counted, not measured: multiplications and additions for each byte of weights that the
inner loop loads. A register tile of several tokens uses a byte of weights, once loaded, for all of
them; without one it is used once.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tervit_np.bench.assembly import counted, inner_loop
from tervit_np.bench.baselines import layer
from tervit_np.bench.peak import PEAK, peak, scaled
from tervit_np.bench.timing import interleaved
from tervit_np.kernels import integer_product, isa, quantize_tokens, supported

SHAPE = (197, 384, 1536)  # tokens, inputs, outputs
_SLOW = ("loop",)  # rungs that get a hundredth of the tokens


class Rung(NamedTuple):
    """What one rung reaches."""

    name: str
    speed: float  # 10^9 multiplications and additions in a second, product alone
    share: float | None  # of the peak of the dot product instruction, where there is one
    intensity: float | None  # multiplications and additions for each byte of weights loaded
    loaded: float | None  # the same for each byte loaded, those of the tokens too
    loop: dict[str, int]  # instructions of the inner loop, and how often each occurs in it


class Limits(NamedTuple):
    """Ceilings of the processor, one thread (limits.py)."""

    read: dict[str, float]  # 10^9 bytes in a second, by place
    float32: float  # 10^9 multiplications and additions in a second


class Ladder(NamedTuple):
    """The rungs, and what bounds them."""

    limits: Limits
    variants: list[Rung]


def climb(
    tokens: int = SHAPE[0], inputs: int = SHAPE[1], outputs: int = SHAPE[2], rounds: int = 31
) -> list[Rung]:
    """Time the product of codes on every rung, with the peak of the processor alternating."""
    drawn = layer(tokens, inputs, outputs)
    candidates: dict[str, Callable[[], Any]] = {}
    work: dict[str, float] = {}
    for name in supported(isa.features()):
        count = max(tokens // 100, 2) if name in _SLOW else tokens
        candidates[name] = _product(name, drawn, count)
        work[name] = 2.0 * count * inputs * outputs
    times = scaled(interleaved(candidates | peak(work["numpy"]), rounds), work["numpy"])
    if PEAK in times:
        times["peak"], work["peak"] = times.pop(PEAK), work["numpy"]
    speeds = {name: 1e-9 * work[name] / times[name].median for name in times}
    best = speeds.get("peak")
    return [
        Rung(
            name,
            speed,
            speed / best if best else None,
            *intensities(name),
            counted(inner_loop(name)) if name != "peak" else {},
        )
        for name, speed in speeds.items()
    ]


def intensities(name: str) -> tuple[float | None, float | None]:
    """Count operations for each byte of weights, and for each byte, that the inner loop loads."""
    if name in ("numpy", "peak"):
        return None, None
    if name in ("loop", "vector"):  # a byte of weights and a byte of the token for each product
        return 2.0, 1.0
    from tervit_np.kernels.tiles import TILES

    width, rows, panels = TILES[name]
    weights = width * panels  # bytes, four weights in each
    operations = 2.0 * 4 * weights * rows
    return operations / weights, operations / (weights + 4 * rows)


def _product(name: str, drawn: Any, tokens: int) -> Callable[[], Any]:
    """Prepare the product of codes alone; rounding and scales are left out."""
    packed = drawn.packed
    if name in ("numpy", "loop", "vector"):
        codes = quantize_tokens(drawn.x[:tokens]).q[:, : packed.inputs]
        return lambda: integer_product(codes, packed, name)
    from tervit_np.compiled.aligned import zeros
    from tervit_np.kernels.ternary_gemm import linear
    from tervit_np.kernels.tiles import TILES

    tile = TILES[name]
    rounded = quantize_tokens(drawn.x, tile.mr)
    q = zeros(rounded.q.shape, np.int8)
    q[...] = rounded.q
    rounded = rounded._replace(q=q)
    out = zeros((len(q), len(packed.scale)), np.int32)
    return lambda: linear(tile, rounded, packed, packed.scale, out, 0, len(packed.packed))
