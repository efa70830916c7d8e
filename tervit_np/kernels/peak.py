"""What a processor could do at most: the dot product of a rung, on registers alone."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tervit_np.compiled.jit import kernel
from tervit_np.compiled.simd import I8, broadcast
from tervit_np.kernels.microkernel import DOT, zeros
from tervit_np.kernels.panels import GROUPS, QuantizedTokens
from tervit_np.kernels.ternary_gemm import write


@kernel(boundscheck=False)
def dot_products_only(processor: Any, steps: int, weights: Any, inputs: Any) -> Any:
    """Take `steps` steps of a tile that load nothing.  -> a tile's sums, so that none is spared."""
    tile: Any = zeros(processor)
    for _ in range(steps):
        tile = multiply_add_registers(tile, weights, inputs)
    nothing = np.zeros(8, np.float32)
    tokens = QuantizedTokens(np.zeros((8, 4), np.int8), nothing, np.zeros(8, np.int32))
    out = np.empty((8, 256), np.int32)
    write(tile, tokens, nothing, nothing, out, 0, 0)
    return out


@intrinsic
def multiply_add_registers(typing: Any, tile: Any, weights: Any, inputs: Any) -> Any:
    """One step of `multiply_add` with four weights and four inputs that are always the same."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums, weights_, inputs_ = args
        bytes_ = ir.VectorType(I8, tile.width)
        lanes = tile.width // 4
        left = builder.bitcast(broadcast(builder, weights_, lanes), bytes_)
        right = builder.bitcast(broadcast(builder, inputs_, lanes), bytes_)
        for i in range(tile.rows * tile.panels * GROUPS):
            after = DOT[tile.processor](builder, builder.extract_value(sums, i), left, right)
            sums = builder.insert_value(sums, after, i)
        return sums

    return tile(tile, types.int32, types.int32), generate


def operations(processor: Any, steps: int) -> int:
    """Count multiplications and additions of `dots`."""
    width, rows, panels = processor
    return int(2 * steps * width * rows * panels * GROUPS)
