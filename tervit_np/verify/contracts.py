"""Contracts: which memory a function may write, what a backward adds up, which dtype comes out.

Inputs are read-only arrays, so that a forbidden write raises an error. Everything runs the NumPy
lines, in float32 too, because those are the lines that a reader changes.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.backends import backend
from tervit_np.models.registry import Config
from tervit_np.nn import Block
from tervit_np.quant import Quantizer
from tervit_np.verify.frozen import QUANTIZERS, prepared
from tervit_np.verify.golden import CASES, filled_model, forward_backward, inputs
from tervit_np.verify.operators import Operator, as_tuple, operators


class ContractCheck(NamedTuple):
    """One contract of one function, and how it is violated; None if it holds."""

    name: str
    violation: str | None


def contract_checks(rng: np.random.Generator) -> Iterator[ContractCheck]:
    """Check aliasing and dtype of operators, blocks and quantizers, accumulation in models."""
    with backend("numpy"):
        for operator in operators(rng):
            yield from aliasing_checks(operator, rng)
            yield ContractCheck(f"{operator.name} keeps float32", _operator_dtype(operator))
        yield from _block_aliasing(rng)
        for quantizer in QUANTIZERS:
            aliasing = _quantizer_aliasing(quantizer, rng)
            yield ContractCheck(f"{quantizer!r} only reads its inputs", aliasing)
            yield ContractCheck(f"{quantizer!r} keeps float32", _quantizer_dtype(quantizer, rng))
        for case, config in CASES.items():
            yield ContractCheck(f"{case} model accumulates gradients", _accumulation(config))
            yield ContractCheck(f"{case} model: gradients add up over a batch", _additivity(config))


def aliasing_checks(operator: Operator, rng: np.random.Generator) -> Iterator[ContractCheck]:
    """Run an operator on read-only inputs and dy; its backward must leave the cache unchanged."""
    y, cache = operator.forward(*(read_only(x) for x in operator.inputs.values()))
    dy = read_only(rng.normal(size=np.shape(y)))
    original = _copy(cache)
    written = _write_error(operator.backward, dy, cache)
    yield ContractCheck(f"{operator.name} leaves dy unchanged", written)
    changed = None if _equal(cache, original) else "the backward changed the cache"
    yield ContractCheck(f"{operator.name} leaves its cache unchanged", changed)


def _block_aliasing(rng: np.random.Generator) -> Iterator[ContractCheck]:
    """A block may overwrite arrays that it computed, but not its input or dy."""
    block = Block(4, 2, 8, 0.0, dtype=np.float64)
    x, dy = (read_only(a) for a in rng.normal(size=(2, 2, 3, 4)))
    yield ContractCheck("a block leaves its input unchanged", _write_error(block.forward, x))
    _, cache = block.forward(x.copy())
    yield ContractCheck("a block leaves dy unchanged", _write_error(block.backward, dy, cache))


def _quantizer_aliasing(quantizer: Quantizer, rng: np.random.Generator) -> str | None:
    """Run a quantizer on a read-only weight and a read-only gradient."""
    w, dw_hat = (read_only(a) for a in rng.normal(size=(2, 3, 8)))
    quantizer = prepared(quantizer, w)
    _, cache = quantizer.forward(w.copy(), keep_residual=True)
    written = _write_error(quantizer.forward, w)
    return written or _write_error(quantizer.backward, dw_hat, cache)


def _write_error(function: Callable[..., Any], *arguments: Any) -> str | None:
    """Call a function on read-only arrays; say so if it writes into one."""
    try:
        function(*arguments)
    except ValueError as error:
        return f"it writes into an argument ({error})"
    return None


def _quantizer_dtype(quantizer: Quantizer, rng: np.random.Generator) -> str | None:
    w, dw_hat = rng.normal(size=(2, 3, 8)).astype(np.float32)
    quantizer = prepared(quantizer, w)
    w_hat, cache = quantizer.forward(w)
    return _not_float32(w_hat, quantizer.backward(dw_hat, cache))


def _operator_dtype(operator: Operator) -> str | None:
    """Run in float32 and look for another dtype in y and the gradients."""
    y, cache = operator.forward(*(x.astype(np.float32) for x in operator.inputs.values()))
    if not isinstance(y, np.ndarray):  # a loss is a Python float, its cache the gradient
        return _not_float32(cache)
    return _not_float32(y, *as_tuple(operator.backward(np.ones_like(y), cache)))


def _not_float32(*arrays: Array) -> str | None:
    others = [a.dtype for a in arrays if a.dtype != np.float32]
    return f"float32 became {others[0]}" if others else None


def _accumulation(config: Config) -> str | None:
    """Two backward passes must add up to twice one, in the same arrays."""
    model = filled_model(config)
    images, labels = inputs(config)
    before = forward_backward(model, images, labels)
    logits, cache = model.forward(images)
    ones = tuple(np.ones_like(z) for z in as_tuple(logits))
    dlogits = ones if isinstance(logits, tuple) else ones[0]
    grads = {name: p.grad for name, p in model.named_params()}
    model.zero_grad()
    model.backward(dlogits, cache)
    once = {name: grad.copy() for name, grad in grads.items()}
    model.backward(dlogits, cache)
    for name, p in model.named_params():
        if p.grad is not grads[name]:
            return f"{name}: the backward replaces the gradient array; references to it are stale"
        if not np.allclose(p.grad, 2 * once[name], rtol=1e-12, atol=1e-300):
            return f"{name}: a second backward replaces the gradient instead of adding to it"
    after = forward_backward(model, images, labels)
    same = all(np.array_equal(before[name], after[name]) for name in before)
    return None if same else "the same call gives other results: a pass left state behind"


def _additivity(config: Config) -> str | None:
    """The gradients of a batch must be the mean of those of its halves, as losses are means."""
    model = filled_model(config)
    images, labels = inputs(config, 4)
    batch = forward_backward(model, images, labels)
    halves = [forward_backward(model, images[i : i + 2], labels[i : i + 2]) for i in (0, 2)]
    for name in (k for k in batch if k.startswith("grad.") and k != "grad.images"):
        mean = (halves[0][name] + halves[1][name]) / 2
        if np.abs(mean - batch[name]).max() > 1e-12 * max(np.abs(batch[name]).max(), 1e-3):
            return f"{name.removeprefix('grad.')} of a batch is not the sum over its images"
    return None


def _copy(cache: Any) -> Any:
    if isinstance(cache, np.ndarray):
        return cache.copy()
    return tuple(map(_copy, cache)) if isinstance(cache, tuple | list) else cache


def _equal(one: Any, two: Any) -> bool:
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, two))
    if isinstance(one, tuple | list):
        return all(map(_equal, one, two))
    return bool(one == two)
