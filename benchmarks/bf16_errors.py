"""What rounding to bfloat16 costs: errors of a product and of attention, on normal numbers.

    python benchmarks/bf16_errors.py

Errors are root mean squares, relative to the result in float64. The figures are the same on every
processor: where there is no matrix unit, it is emulated to the same bits.
"""

import numpy as np

from tervit_np import ops
from tervit_np.arrays import Array
from tervit_np.kernels.attention import PADDING_BIAS, attend, make_attention_scratch, rows_read
from tervit_np.kernels.bf16_attention import attend_bf16, make_bf16_attention_scratch
from tervit_np.kernels.int8_attention import attend_int8, make_int8_attention_scratch
from tervit_np.ops.linear import LinearCache
from tervit_np.ops.mixed_precision import PRECISIONS, linear_backward_mixed

TOKENS, INPUTS, OUTPUTS = 1040, 192, 768
WINDOW, HEAD_DIM = 197, 64
ATTENTION = {
    "float32": (attend, make_attention_scratch),
    "bfloat16": (attend_bf16, make_bf16_attention_scratch),
    "int8": (attend_int8, make_int8_attention_scratch),
}


def rms(found: Array, exact: Array) -> float:
    """Return the relative error."""
    return float(np.sqrt(np.mean((found - exact) ** 2) / np.mean(exact**2)))


def product_errors(rng: np.random.Generator) -> None:
    """Print the errors of the gradients of a linear layer."""
    shapes = (TOKENS, OUTPUTS), (TOKENS, INPUTS), (OUTPUTS, INPUTS)
    dy, x, weight = (rng.standard_normal(shape, np.float32) for shape in shapes)
    exact = ops.linear_backward(*_cache(*(a.astype(np.float64) for a in (dy, x, weight))))
    for precision in PRECISIONS:
        found = linear_backward_mixed(*_cache(dy, x, weight), precision)
        dx, dweight = (rms(a, b) for a, b in zip(found[:2], exact[:2], strict=True))
        print(f"gradients in {precision:<9} dx {dx:.1e}   dW {dweight:.1e}")


def _cache(dy: Array, x: Array, weight: Array) -> tuple[Array, LinearCache]:
    return dy, ops.linear(x, weight)[1]


def attention_errors(rng: np.random.Generator) -> None:
    """Print the errors of attention in a packed model, one head."""
    qkv = rng.standard_normal((WINDOW, 3 * HEAD_DIM), np.float32)
    exact = ops.attention(qkv[None].astype(np.float64), 1)[0][0]
    bias = np.full((1, -(-WINDOW // 16) * 16), PADDING_BIAS, np.float32)
    bias[:, :WINDOW] = 0
    padded = np.pad(qkv, ((0, rows_read(WINDOW) - WINDOW), (0, 0)))
    for name, (run, make_scratch) in ATTENTION.items():
        out = np.empty((WINDOW, HEAD_DIM), np.float32)
        run(padded, 0, HEAD_DIM, bias, make_scratch(WINDOW, HEAD_DIM), out)
        print(f"attention in {name:<9} {rms(out, exact):.1e}")


def main() -> None:
    """Print all errors, of numbers from one generator."""
    generator = np.random.default_rng(0)
    product_errors(generator)
    attention_errors(generator)


if __name__ == "__main__":
    main()
