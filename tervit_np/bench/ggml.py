"""ggml's ternary product (TQ2_0, two bits a weight) as a baseline, called in llama-cpp-python.

TQ2_0 divides rows into blocks of 256 weights with a scale each, so inputs are padded with zeros to
a multiple of 256: 192 to 256, 384 to 512. Tokens are quantized to 8 bits in the same blocks; scales
are applied, but no bias. It is designed for one token at a time.
"""

import ctypes
import weakref
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tervit_np.arrays import Array

_F32, _TQ2_0, _BLOCK = 0, 35, 256
_POINTER, _LONG, _SIZE = ctypes.c_void_p, ctypes.c_int64, ctypes.c_size_t
_ARGUMENTS: dict[str, list[Any]] = {  # of functions that return a pointer
    "ggml_new_tensor_2d": [_POINTER, ctypes.c_int, _LONG, _LONG],
    "ggml_mul_mat": [_POINTER, _POINTER, _POINTER],
    "ggml_new_graph": [_POINTER],
    "ggml_get_data": [_POINTER],
    "ggml_build_forward_expand": [_POINTER, _POINTER],
    "ggml_backend_graph_compute": [_POINTER, _POINTER],
}


class _InitParams(ctypes.Structure):
    """ggml_init_params."""

    _fields_ = [("size", _SIZE), ("buffer", _POINTER), ("no_alloc", ctypes.c_bool)]


def libraries() -> tuple[Any, Any] | None:
    """Load ggml's base and CPU libraries; None if llama-cpp-python is not installed."""
    spec = find_spec("llama_cpp")
    for package in (spec.submodule_search_locations or []) if spec else []:
        with suppress(OSError):
            folder = Path(package) / "lib"
            base = ctypes.CDLL(str(_library(folder, "ggml-base")), mode=ctypes.RTLD_GLOBAL)
            return base, ctypes.CDLL(str(_library(folder, "ggml-cpu")))
    return None


def _library(folder: Path, name: str) -> Path:
    for file in (folder / f"lib{name}.so", folder / f"lib{name}.dylib", folder / f"{name}.dll"):
        if file.exists():
            return file
    raise OSError(f"no {name} in {folder}")


def prepare_product(x: Array, weight: Array) -> Callable[[], Array] | None:
    """Prepare the product on one thread.  (M, I), (O, I) -> a call that returns (M, O)."""
    both = libraries()
    if both is None:
        return None
    base, cpu = both
    for name, arguments in _ARGUMENTS.items():
        getattr(base, name).argtypes, getattr(base, name).restype = arguments, _POINTER
    base.ggml_init.argtypes, base.ggml_init.restype = [_InitParams], _POINTER
    cpu.ggml_backend_cpu_init.restype = _POINTER
    cpu.ggml_backend_cpu_set_n_threads.argtypes = [_POINTER, ctypes.c_int]
    (tokens, _), outputs = x.shape, len(weight)
    inputs = -(-x.shape[1] // _BLOCK) * _BLOCK
    memory = 8 * inputs * (tokens + outputs) + 8 * tokens * outputs + 2**20
    context = base.ggml_init(_InitParams(memory))
    w = base.ggml_new_tensor_2d(context, _TQ2_0, inputs, outputs)
    v = base.ggml_new_tensor_2d(context, _F32, inputs, tokens)
    y = base.ggml_mul_mat(context, w, v)
    graph = base.ggml_new_graph(context)
    base.ggml_build_forward_expand(graph, y)
    backend = cpu.ggml_backend_cpu_init()
    cpu.ggml_backend_cpu_set_n_threads(backend, 1)
    _quantize(base, base.ggml_get_data(w), _pad(weight, inputs))
    v_data = _pad(x, inputs)
    ctypes.memmove(base.ggml_get_data(v), v_data.ctypes.data, v_data.nbytes)
    base.ggml_free.argtypes = [_POINTER]

    def call() -> Array:
        base.ggml_backend_graph_compute(backend, graph)
        data = ctypes.cast(base.ggml_get_data(y), ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(data, (tokens, outputs))

    weakref.finalize(call, base.ggml_free, context)
    return call


def _pad(matrix: Array, inputs: int) -> Array:
    padded = np.zeros((len(matrix), inputs), np.float32)
    padded[:, : matrix.shape[1]] = matrix
    return padded


def _quantize(base: Any, target: int, weight: Array) -> None:
    """Have ggml pack the weights to the address `target`."""
    base.ggml_quantize_chunk.restype = _SIZE
    arguments = [ctypes.c_int, _POINTER, _POINTER, _LONG, _LONG, _LONG, _POINTER]
    base.ggml_quantize_chunk.argtypes = arguments
    base.ggml_quantize_chunk(_TQ2_0, weight.ctypes.data, target, 0, *weight.shape, None)
