"""A ternary layer of one token: what the kernel takes, and what a call from Python adds.

    taskset -c 0 python benchmarks/one_token.py

Medians of CPU time of the thread, so that other processes disturb less.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tervit_np.bench.baselines import random_problem
from tervit_np.compiled.jit import kernel
from tervit_np.kernels import selected_variant, ternary_linear
from tervit_np.kernels.isa import for_tokens
from tervit_np.kernels.ternary_gemm import linear, pack_inputs, quantize_and_multiply
from tervit_np.kernels.tiles import GEMV_TILES, TILES

INPUTS, OUTPUTS, TURNS, CALLS = 384, 1536, 400, 20


@kernel()
def repeat(tile: Any, tokens: Any, w: Any, bias: Any, out: Any, times: int) -> None:
    """Run the product without quantization several times, in one call."""
    for _ in range(times):
        linear(tile, tokens, w, bias, out, 0, w.packed.shape[0])


def median(call: Callable[[], Any], times: int = 1) -> float:
    """Return microseconds for one of `times` repetitions in each call."""
    call()
    found = []
    for _ in range(TURNS):
        start = time.thread_time()
        call()
        found.append((time.thread_time() - start) / times)
    return 1e6 * float(np.median(found))


def main() -> None:
    """Measure and print."""
    problem = random_problem(1, INPUTS, OUTPUTS)
    x, w, bias = problem.x, problem.packed, np.zeros(OUTPUTS, np.float32)
    variant = for_tokens(selected_variant(), 1)
    tile = GEMV_TILES.get(variant, TILES[variant])
    prepared = pack_inputs(tile, x, w, bias)
    tokens, padded_bias, out = prepared
    product = median(lambda: repeat(tile, tokens, w, padded_bias, out, CALLS), CALLS)
    fused = median(lambda: [quantize_and_multiply(tile, x, w, bias) for _ in range(CALLS)], CALLS)
    layer = median(lambda: [ternary_linear(x, w, bias) for _ in range(CALLS)], CALLS)
    print(f"1x{INPUTS}x{OUTPUTS}, {variant}, {tile}, microseconds")
    print(f"product alone          {product:6.1f}")
    print(f"compiled layer         {fused:6.1f}   quantization and the call {fused - product:.1f}")
    print(f"ternary_linear         {layer:6.1f}   Python's part {layer - fused:.1f}")


if __name__ == "__main__":
    main()
