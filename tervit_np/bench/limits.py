"""What the processor can do at most, measured: reading from each memory, products in registers.

    read        the sum of an array that fits the nearest cache, the second, or none
    float32     fused multiply-adds on registers, which load nothing

The peak of dot products of bytes is measured beside the rungs (ladder.py). A peak over a reading
speed is the intensity, in operations for each byte, from which on a kernel need not wait for
memory: the ridge of a roofline (Williams, Waterman, Patterson 2009).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tervit_np.bench.timing import interleaved
from tervit_np.bench.variants import Limits
from tervit_np.compiled.aligned import zeros
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.simd import I32, I64, broadcast, call, load, splat
from tervit_np.kernels import isa

PLACES = {"L1": 3 * 2**13, "L2": 3 * 2**18, "memory": 3 * 2**25}  # bytes, read over and over
_CHAINS = 12  # sums that wait for their last product while the others are worked on
_READ = 2**22  # bytes that one call reads at least
_STEPS = 20_000
_FEATURES = isa.features()
_LANES = 16 if "avx512f" in _FEATURES else 8 if "avx2" in _FEATURES else 4  # numbers of 32 bits


def measure(rounds: int = 21) -> Limits:
    """Time all of them in turn."""
    candidates: dict[str, Callable[[], Any]] = {}
    amounts: dict[str, float] = {}
    for place, size in PLACES.items():
        data = zeros((size // 4,), np.int32)
        data[:] = np.arange(size // 4)
        passes = max(_READ // size, 1)
        candidates[place] = partial(read, data, passes)
        amounts[place] = float(size * passes)
    candidates["float32"] = partial(fused_multiply_adds, _STEPS, 0.5)
    amounts["float32"] = 2.0 * _LANES * _CHAINS * _STEPS
    times = interleaved(candidates, rounds)
    speeds = {name: 1e-9 * amounts[name] / times[name].median for name in candidates}
    return Limits({name: speeds.pop(name) for name in PLACES}, speeds["float32"])


@kernel(boundscheck=False)
def read(data: Any, passes: Any) -> Any:
    """Load an array into registers, several times.  int32 (N,) -> a number made of all of it."""
    found = np.int32(0)
    for _ in range(passes):
        found ^= loads(data, data.shape[0] // (_CHAINS * _LANES))
    return found


@intrinsic
def loads(typing: Any, data: Any, steps: Any) -> Any:
    """Load a vector for each chain in every step.  -> a number that depends on all of them."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base = context.make_array(data)(context, builder, args[0]).data
        vector, size = ir.VectorType(I32, _LANES), 4 * _LANES
        nothing = ir.Constant(vector, None)
        sums = [cgutils.alloca_once_value(builder, nothing) for _ in range(_CHAINS)]
        with cgutils.for_range(builder, args[1]) as loop:
            first = builder.mul(loop.index, ir.Constant(I64, size * _CHAINS))
            for i, room in enumerate(sums):
                found = load(builder, base, builder.add(first, ir.Constant(I64, size * i)), vector)
                builder.store(builder.xor(builder.load(room), found), room)
        found = nothing
        for room in sums:
            found = builder.xor(found, builder.load(room))
        return call(builder, f"llvm.vector.reduce.xor.v{_LANES}i32", I32, found)

    return types.int32(data, types.intp), generate


@kernel()
def fused_multiply_adds(steps: Any, factor: Any) -> Any:
    """Take `steps` steps of `sum = sum factor + factor` in every chain, in registers."""
    return chains(steps, np.float32(factor))


@intrinsic
def chains(typing: Any, steps: Any, factor: Any) -> Any:
    """Work on independent vectors of sums.  -> a number that depends on all of them."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        factors = broadcast(builder, args[1], _LANES)
        places = [
            cgutils.alloca_once_value(builder, builder.fmul(factors, splat(factors.type, i)))
            for i in range(_CHAINS)
        ]
        fma = f"llvm.fma.v{_LANES}f32"
        with cgutils.for_range(builder, args[0]):
            for place in places:
                before = builder.load(place)
                builder.store(call(builder, fma, factors.type, before, factors, factors), place)
        found = builder.load(places[0])
        for place in places[1:]:
            found = builder.fadd(found, builder.load(place))
        return builder.extract_element(found, ir.Constant(I32, 0))

    return types.float32(types.intp, types.float32), generate
