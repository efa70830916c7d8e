"""Every variant of the kernels: its speed, fraction of the peak, intensity and inner loop.

Intensity is counted, not measured: the multiplications and additions for each byte of weights that
the inner loop loads. A register tile uses a byte, once loaded, for all of its tokens; variants
without a tile use it once.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tervit_np.bench.assembly import count_instructions, inner_loop
from tervit_np.bench.baselines import Problem, random_problem
from tervit_np.bench.peak import PEAK, peak_candidate, scale_peak
from tervit_np.bench.timing import interleaved
from tervit_np.kernels import has_tile, integer_product, quantize_tokens, runnable

SHAPE = (197, 384, 1536)  # tokens, inputs, outputs
_SLOW = ("loop",)  # variants that get a hundredth of the tokens


class VariantResult(NamedTuple):
    """The measurements of one variant."""

    name: str
    speed: float  # 10^9 multiplications and additions per second, in the product alone
    fraction_of_peak: float | None  # None if the CPU has no dot product instruction
    intensity: float | None  # multiplications and additions per byte of weights loaded
    total_intensity: float | None  # the same per byte loaded, of weights and tokens
    loop: dict[str, int]  # instructions of the inner loop, and how often each occurs in it


class Limits(NamedTuple):
    """Limits of the CPU, on one thread (limits.py)."""

    read: dict[str, float]  # 10^9 bytes per second, by memory level
    float32: float  # 10^9 multiplications and additions per second


class VariantTable(NamedTuple):
    """All variants, and the limits of the CPU."""

    limits: Limits
    variants: list[VariantResult]


def time_variants(
    tokens: int = SHAPE[0], inputs: int = SHAPE[1], outputs: int = SHAPE[2], rounds: int = 31
) -> list[VariantResult]:
    """Time the integer product in every variant, and the peak in turn with them."""
    problem = random_problem(tokens, inputs, outputs)
    candidates: dict[str, Callable[[], Any]] = {}
    work: dict[str, float] = {}
    for name in runnable():
        count = max(tokens // 100, 2) if name in _SLOW else tokens
        candidates[name] = _product(name, problem, count)
        work[name] = 2.0 * count * inputs * outputs
    times = interleaved(candidates | peak_candidate(work["numpy"]), rounds)
    times = scale_peak(times, work["numpy"])
    if PEAK in times:
        times["peak"], work["peak"] = times.pop(PEAK), work["numpy"]
    speeds = {name: 1e-9 * work[name] / times[name].median for name in times}
    peak = speeds.get("peak")
    return [
        VariantResult(
            name,
            speed,
            speed / peak if peak else None,
            *intensities(name),
            count_instructions(inner_loop(name)) if name != "peak" else {},
        )
        for name, speed in speeds.items()
    ]


def intensities(name: str) -> tuple[float | None, float | None]:
    """Count operations per byte of weights, and per byte, that the inner loop loads."""
    if name in ("numpy", "peak"):
        return None, None
    if name in ("loop", "vector"):  # a byte of weights and a byte of the token for each product
        return 2.0, 1.0
    from tervit_np.compiled.amx import MatrixTile
    from tervit_np.kernels.tiles import TILES

    tile = TILES[name]
    if isinstance(tile, MatrixTile):  # 2 KB of weights, a byte each, and 2 KB of tokens
        operations = 2.0 * 32 * 32 * 64
        return operations / 2048, operations / 4096
    vector_bytes, mr, panels, _ = tile
    weights = vector_bytes * panels  # bytes, four weights in each
    operations = 2.0 * 4 * weights * mr
    return operations / weights, operations / (weights + 4 * mr)


def _product(name: str, problem: Problem, tokens: int) -> Callable[[], Any]:
    """Prepare the integer product alone, without quantization and scales."""
    w = problem.packed
    if not has_tile(name):
        q = quantize_tokens(problem.x[:tokens]).q[:, : w.inputs]
        return lambda: integer_product(q, w, name)
    from tervit_np.compiled.aligned import zeros
    from tervit_np.kernels.ternary_gemm import linear
    from tervit_np.kernels.tiles import TILES

    tile = TILES[name]
    quantized = quantize_tokens(problem.x[:tokens], tile.mr)
    rows, inputs = quantized.q.shape
    q = zeros((rows, -(-inputs // tile.inputs) * tile.inputs), np.int8)
    q[:, :inputs] = quantized.q
    quantized = quantized._replace(q=q)
    out = zeros((len(q), len(w.scale)), np.int32)
    return lambda: linear(tile, quantized, w, w.scale, out, 0, len(w.packed))
