"""The limits of the CPU, measured on one thread: reading from each memory level, multiply-adds.

    read        the sum of an array that fits the L1 cache, the L2 cache, or neither
    float32     fused multiply-adds on registers, without loads

variants.py measures the peak of dot products of bytes. A peak divided by a reading speed is the
lowest intensity, in operations per byte, at which memory does not limit a kernel: the ridge point
of a roofline (Williams, Waterman, Patterson 2009).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from tervit_np.arrays import Array
from tervit_np.bench.timing import interleaved
from tervit_np.bench.variants import Limits
from tervit_np.compiled.aligned import zeros
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.simd import (
    I32,
    I64,
    Builder,
    Context,
    Intrinsic,
    Signature,
    TypingContext,
    Value,
    Values,
    array_data,
    broadcast,
    call,
    intrinsic,
    load,
    splat,
)
from tervit_np.kernels.tiles import LANES

MEMORY_LEVELS = {"L1": 3 * 2**13, "L2": 3 * 2**18, "memory": 3 * 2**25}  # bytes read repeatedly
_CHAINS = 12  # independent sums, which hide each other's latency
_BYTES_PER_CALL = 2**22  # at least
_STEPS = 20_000
_TURN = 0.02  # seconds: after reading memory some cores take milliseconds to run fast again
OPERATIONS = 2 * LANES * _CHAINS  # of a step of fused_multiply_adds


def measure_limits(rounds: int = 21) -> Limits:
    """Time all of them in turn."""
    candidates: dict[str, Callable[[], Any]] = {}
    amounts: dict[str, float] = {}
    for level, size in MEMORY_LEVELS.items():
        data = zeros((size // 4,), np.int32)
        data[:] = np.arange(size // 4)
        passes = max(_BYTES_PER_CALL // size, 1)
        candidates[level] = partial(read, data, passes)
        amounts[level] = float(size * passes)
    candidates["float32"] = partial(fused_multiply_adds, _STEPS, 0.5)
    amounts["float32"] = float(OPERATIONS * _STEPS)
    times = interleaved(candidates, rounds, _TURN)
    speeds = {name: 1e-9 * amounts[name] / times[name].median for name in candidates}
    return Limits({level: speeds.pop(level) for level in MEMORY_LEVELS}, speeds["float32"])


@kernel(boundscheck=False)
def read(data: Array, passes: int) -> np.int32:
    """Load an array into registers, several times.  int32 (N,) -> the xor of all its numbers."""
    result = np.int32(0)
    for _ in range(passes):
        result ^= xor_all(data, data.shape[0] // (_CHAINS * LANES))
    return result


@intrinsic
def xor_all(typing: TypingContext, data: types.Array, steps: types.Integer) -> Intrinsic:
    """Load _CHAINS vectors at each step, each into an xor of its own.  -> the xor of all lanes."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        base = array_data(context, builder, data, args[0])
        vector, size = ir.VectorType(I32, LANES), 4 * LANES
        zero = ir.Constant(vector, None)
        chains = [cgutils.alloca_once_value(builder, zero) for _ in range(_CHAINS)]
        with cgutils.for_range(builder, args[1]) as loop:
            first = builder.mul(loop.index, ir.Constant(I64, size * _CHAINS))
            for i, chain in enumerate(chains):
                value = load(builder, base, builder.add(first, ir.Constant(I64, size * i)), vector)
                builder.store(builder.xor(builder.load(chain), value), chain)
        result = zero
        for chain in chains:
            result = builder.xor(result, builder.load(chain))
        return call(builder, f"llvm.vector.reduce.xor.v{LANES}i32", I32, result)

    return types.int32(data, types.intp), codegen


@kernel()
def fused_multiply_adds(steps: int, factor: float) -> np.float32:
    """sum = sum factor + factor, `steps` times in each of _CHAINS vectors.

    -> the sum of lane 0 of all, so that no chain can be left out.
    """
    return fma_chains(steps, np.float32(factor))


@intrinsic
def fma_chains(typing: TypingContext, steps: types.Integer, factor: types.Float) -> Intrinsic:
    """Update _CHAINS independent vectors in registers.  -> the sum of lane 0 of them."""

    def codegen(context: Context, builder: Builder, signature: Signature, args: Values) -> Value:
        factors = broadcast(builder, args[1], LANES)
        chains = [
            cgutils.alloca_once_value(builder, builder.fmul(factors, splat(factors.type, i)))
            for i in range(_CHAINS)
        ]
        fma = f"llvm.fma.v{LANES}f32"
        with cgutils.for_range(builder, args[0]):
            for chain in chains:
                before = builder.load(chain)
                builder.store(call(builder, fma, factors.type, before, factors, factors), chain)
        result = builder.load(chains[0])
        for chain in chains[1:]:
            result = builder.fadd(result, builder.load(chain))
        return builder.extract_element(result, ir.Constant(I32, 0))

    return types.float32(types.intp, types.float32), codegen
