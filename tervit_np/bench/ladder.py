"""Each rung of the ladder on one layer: its speed, its share of the peak, its inner loop."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tervit_np.bench.rivals import layer
from tervit_np.bench.timing import interleaved
from tervit_np.kernels import available, integer_product, processor, round_tokens

_SLOW = ("loop",)  # rungs that get a hundredth of the tokens


class Rung(NamedTuple):
    """What one rung reaches."""

    name: str
    speed: float  # 10^9 multiplications and additions in a second, product alone
    share: float  # of the peak of the dot product instruction; nan where there is none
    loop: list[str]  # instructions of the inner loop, with how often each occurs


def climb(
    tokens: int = 197, inputs: int = 384, outputs: int = 1536, rounds: int = 31
) -> list[Rung]:
    """Time the product of codes on every rung, with the peak of the processor alternating."""
    drawn = layer(tokens, inputs, outputs)
    candidates: dict[str, Callable[[], Any]] = {}
    work: dict[str, float] = {}
    for name in available(processor.features()):
        count = max(tokens // 100, 2) if name in _SLOW else tokens
        candidates[name] = _product(name, drawn, count)
        work[name] = 2.0 * count * inputs * outputs
    peak = _peak(work["numpy"])
    if peak is not None:
        candidates["peak"], work["peak"] = peak
    times = interleaved(candidates, rounds)
    speeds = {name: 1e-9 * work[name] / times[name].median for name in candidates}
    best = speeds.get("peak", float("nan"))
    return [Rung(name, speed, speed / best, inner_loop(name)) for name, speed in speeds.items()]


def _product(name: str, drawn: Any, tokens: int) -> Callable[[], Any]:
    """Prepare the product of codes alone; rounding and scales are left out."""
    packed = drawn.packed
    if name in ("numpy", "loop", "vector"):
        codes = round_tokens(drawn.x[:tokens]).codes[:, : packed.inputs]
        return lambda: integer_product(codes, packed, name)
    from tervit_np.kernels.lanes import PROCESSORS
    from tervit_np.kernels.product import linear

    tile = PROCESSORS[name]
    rounded = round_tokens(drawn.x, tile.rows)
    out = np.empty((len(rounded.codes), len(packed.scale)), np.int32)
    return lambda: linear(tile, rounded, packed, packed.scale, out, 0, len(packed.codes))


def _peak(operations: float) -> tuple[Callable[[], Any], float] | None:
    """Prepare as many dot products on registers alone; None where there is no such instruction."""
    here = available(processor.features())
    if here[-1] not in ("vnni256", "vnni512"):
        return None
    from tervit_np.kernels import peaks
    from tervit_np.kernels.lanes import PROCESSORS

    tile = PROCESSORS[here[-1]]
    steps = round(operations / peaks.operations(tile, 1))
    return lambda: peaks.dots(tile, steps, 0x01020102, 0x05060708), peaks.operations(tile, steps)


def inner_loop(name: str) -> list[str]:
    """Read the machine code of a rung.  -> the instructions of its innermost loop, counted."""
    code = _assembly(name)
    if code is None:
        return []
    blocks = re.split(r"^\.\w+:", code, flags=re.MULTILINE)
    wanted = re.compile(r"\b(vpdpbusd|vpmaddubsw|vpdpwssd|vpmaddwd|vpmulld|smull|smlal|mla|sdot)\b")
    body = max(blocks, key=lambda block: len(wanted.findall(block)))
    counts: dict[str, int] = {}
    for line in body.splitlines():
        if match := re.match(r"\t([a-z]\w+)\s", line + " "):
            counts[match[1]] = counts.get(match[1], 0) + 1
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return [f"{count} {instruction}" for instruction, count in ordered]


def _assembly(name: str) -> str | None:
    """Compile a rung's tile kernel apart from the cache, which keeps no text."""
    if name in ("numpy", "loop", "vector", "peak"):
        return None
    import numba

    from tervit_np.kernels.lanes import PROCESSORS
    from tervit_np.kernels.product import linear

    drawn = layer(12, 8, 64)
    tile = PROCESSORS[name]
    rounded = round_tokens(drawn.x, tile.rows)
    fresh = numba.njit(error_model="numpy", boundscheck=False)(linear.py_func)
    fresh(tile, rounded, drawn.packed, drawn.packed.scale,
          np.empty((len(rounded.codes), 64), np.int32), 0, 1)  # fmt: skip
    return str(next(iter(fresh.inspect_asm().values())))
