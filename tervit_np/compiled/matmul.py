"""`a @ b` for arrays, by sgemm.py: stacks of matrices, any strides, a start for the sums."""

import numpy as np

from tervit_np.arrays import Array
from tervit_np.compiled.aligned import empty
from tervit_np.compiled.float_microkernel import IN_TURN
from tervit_np.compiled.float_panels import Matrix
from tervit_np.compiled.float_tile import FLOAT
from tervit_np.compiled.jit import kernel
from tervit_np.compiled.sgemm import sgemm, workspace

_FLOAT32 = np.dtype(np.float32)


def matmul(a: Array, b: Array, start: Array | None = None, out: Array | None = None) -> Array:
    """Return start + a @ b.  (..., M, K), (..., K, N), (..., M, N) or (N,) -> (..., M, N).

    At most two leading axes. `start` may be `out`, which is then added to; the columns of both are
    neighbours in memory. `out` shares no memory with a and b.

    Raises
    ------
    ValueError
        If an array is not float32, has another shape or order of columns, or `out` is read-only.
    """
    _check(a, b, start, out)
    stack = _stack(a.shape[:-2], b.shape[:-2])
    shape = (*stack, a.shape[-2], b.shape[-1])
    if out is None:
        out = empty(shape)
    elif out.shape != shape:
        raise ValueError(f"matmul: out is {out.shape}, expected {shape}")
    if start is not None and start.shape not in (shape, shape[-1:]):
        raise ValueError(f"matmul: start is {start.shape}, expected {shape} or {shape[-1:]}")
    begin, begin_strides = 0, (0, 0, 0, 0)
    if start is not None:
        begin, begin_strides = _address(start), _strides(start)
    _multiply(
        (*(1, 1, *stack)[-2:], shape[-2], shape[-1], a.shape[-1]),
        _address(a), _strides(a), _address(b), _strides(b), begin, begin_strides,
        _address(out), _strides(out), *workspace(),
    )  # fmt: skip
    return out


def _check(a: Array, b: Array, start: Array | None, out: Array | None) -> None:
    """Refuse what the addresses of the arrays would misread."""
    for name, x in (("a", a), ("b", b), ("start", start), ("out", out)):
        if x is None:
            continue
        if x.dtype != _FLOAT32:
            raise ValueError(f"matmul: {name} is {x.dtype}, expected float32")
        apart = x.size and x.shape[-1] > 1 and x.strides[-1] != FLOAT
        if name in ("start", "out") and apart:
            raise ValueError(f"matmul: the columns of {name} are not neighbours in memory")
    if out is not None and not out.flags.writeable:
        raise ValueError("matmul: out is read-only, expected an array to write into")
    if a.ndim < 2 or b.ndim < 2 or max(a.ndim, b.ndim) > 4 or a.shape[-1] != b.shape[-2]:
        raise ValueError(f"matmul: a is {a.shape}, b is {b.shape}; expected (M, K) and (K, N)")


def _stack(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """Return the leading axes of the product."""
    return a if a == b else np.broadcast_shapes(a, b)


@kernel(boundscheck=False)
def _address(x: Array) -> int:
    """Return the address of the first number; compiled, since NumPy builds a table to tell it."""
    return x.ctypes.data


def _strides(x: Array) -> tuple[int, ...]:
    """Return four strides, 0 along leading axes that x lacks or has once."""
    if x.ndim == 2:
        return (0, 0, *x.strides)
    kept = [0 if size == 1 else stride for size, stride in zip(x.shape, x.strides, strict=True)]
    return (*[0] * (4 - x.ndim), *kept[:-2], *x.strides[-2:])


@kernel(boundscheck=False)
def _multiply(
    shape: tuple[int, ...], a: int, a_strides: tuple[int, ...], b: int, b_strides: tuple[int, ...],
    start: int, start_strides: tuple[int, ...], c: int, c_strides: tuple[int, ...], work: int,
    most_columns: int,
) -> None:  # fmt: skip
    """Multiply a stack of matrices: shape (S, H, M, N, K), four strides each."""
    for s in range(shape[0]):
        for h in range(shape[1]):
            begin = start + s * start_strides[0] + h * start_strides[1] if start else 0
            sgemm(
                IN_TURN, shape[2], shape[3], shape[4],
                Matrix(a + s * a_strides[0] + h * a_strides[1], a_strides[2], a_strides[3]),
                Matrix(b + s * b_strides[0] + h * b_strides[1], b_strides[2], b_strides[3]),
                Matrix(begin, start_strides[2], FLOAT),
                Matrix(c + s * c_strides[0] + h * c_strides[1], c_strides[2], FLOAT),
                work, most_columns,
            )  # fmt: skip
