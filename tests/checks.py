"""Checks that every operator and module must pass, whatever it computes.

`check` takes an Operator (inputs, forward, backward). `as_operator` turns a module into one, its
parameters into further inputs, so that operators and modules pass the same checks.
"""

import importlib.util
import os

import numpy as np

import tervit_np as tv
from tervit_np.nn import Module
from tervit_np.verify.contracts import aliasing_checks
from tervit_np.verify.diagnosis import likely_mistake
from tervit_np.verify.operators import Operator, as_tuple

EXACT = 0.0  # the same operations in the same order
ROUNDOFF64 = 1e-12  # float64 sums in another order, compared with the largest value
ROUNDOFF32 = 1e-6  # the same in float32

BACKENDS = tuple(
    name
    for name, possible in {
        "numpy": os.environ.get("TERVIT_KERNEL", "") in ("", "numpy"),  # others need Numba
        "numba": importlib.util.find_spec("numba") is not None,
    }.items()
    if possible
)


def check(operator, tolerance=1e-5, seed=0):
    """Check gradients, contracts and linearity of one operator, all under a random upstream."""
    rng = np.random.default_rng(seed)
    check_gradients(operator, rng)
    check_contracts(operator, rng)
    check_repeatable(operator, rng)
    check_linear_in_dy(operator, rng)
    for backend in BACKENDS:
        with tv.backend(backend):
            check_float32(operator, rng, tolerance)


def check_gradients(operator, rng):
    for gradient in operator.gradient_checks(rng):
        assert gradient.analytic.shape == gradient.numeric.shape, gradient.name
        hint = likely_mistake(gradient)
        assert gradient.ok, f"{gradient.name}: relative error {gradient.error:.1e}; {hint}"


def check_contracts(operator, rng):
    """Read-only inputs and dy are accepted; a backward leaves its cache unchanged."""
    for contract in aliasing_checks(operator, rng):
        assert contract.violation is None, f"{contract.name}: {contract.violation}"


def check_repeatable(operator, rng):
    """A backward run twice on one cache gives the same bits."""
    y, cache = operator.forward(*operator.inputs.values())
    dy = rng.normal(size=np.shape(y))
    first = [g.copy() for g in backward(operator, dy, cache)]
    for one, two in zip(first, backward(operator, dy, cache), strict=True):
        close(two, one, EXACT, f"{operator.name}: a second run differs")


def check_linear_in_dy(operator, rng):
    """backward(a dy1 + b dy2) = a backward(dy1) + b backward(dy2)."""
    y, cache = operator.forward(*operator.inputs.values())
    one, two = rng.normal(size=(2, *np.shape(y)))
    a, b = 0.7, -1.9
    single = [[g.copy() for g in backward(operator, dy, cache)] for dy in (one, two)]
    combined = backward(operator, a * one + b * two, cache)
    for g, g_one, g_two in zip(combined, *single, strict=True):
        close(g, a * g_one + b * g_two, ROUNDOFF64, f"{operator.name}: not linear in dy")


def check_float32(operator, rng, tolerance):
    """float32 in, float32 out, close to float64, with contiguous and with strided arrays."""
    y64, cache64 = operator.forward(*operator.inputs.values())
    dy64 = rng.normal(size=np.shape(y64))
    expected = backward(operator, dy64, cache64)
    for layout in (np.ascontiguousarray, strided):
        inputs = (layout(x.astype(np.float32)) for x in operator.inputs.values())
        y, cache = operator.forward(*inputs)
        gradients = backward(operator, layout(dy64.astype(np.float32)), cache)
        if isinstance(y, np.ndarray):
            assert y.dtype == np.float32, f"{operator.name}: output is {y.dtype}"
        close(y, y64, tolerance, f"{operator.name}: float32 output")
        for gradient, gradient64 in zip(gradients, expected, strict=True):
            assert gradient.dtype == np.float32, f"{operator.name}: gradient is {gradient.dtype}"
            assert gradient.shape == gradient64.shape
            close(gradient, gradient64, tolerance, f"{operator.name}: float32 gradient")


def as_operator(module, x, **options):
    """Turn a module into a pure operator of its input and of every parameter.

    The gradient of the key third of a qkv bias is zero up to roundoff, which is neither linear in
    dy nor equal in float32 and float64: it is checked to be small and set to zero.
    """
    named = module.named_params()
    inputs = {"x": x} | {name: param.data.copy() for name, param in named}

    def forward(x, *params):
        for (_, param), data in zip(named, params, strict=True):
            param.data, param.grad = data, np.zeros(data.shape, data.dtype)
        return module.forward(x, **options)

    def backward(dy, cache):
        module.zero_grad()
        dx = module.backward(dy, cache)
        gradients = {name: param.grad.copy() for name, param in named}
        for name, gradient in gradients.items():
            if name.endswith("qkv.bias"):
                clear_key_third(gradient)
        return dx, *gradients.values()

    return Operator(type(module).__name__, inputs, forward, backward)


def clear_key_third(gradient):
    query, key, value = gradient.reshape(3, -1)
    limit = 1e3 * np.finfo(gradient.dtype).eps * max(np.abs(query).max(), np.abs(value).max())
    assert np.abs(key).max() <= limit, "the gradient of the key bias is not zero"
    key[...] = 0


def check_accumulation(module, x, rng):
    """A second backward adds to the gradients, zero_grad clears them in place."""
    y, cache = module.forward(x)
    dy = rng.normal(size=y.shape).astype(y.dtype)
    grads = [param.grad for _, param in module.named_params()]
    module.zero_grad()
    module.backward(dy, cache)
    once = [g.copy() for g in grads]
    assert all(g.any() for g in once)
    module.backward(dy, cache)
    for (name, param), g, first in zip(module.named_params(), grads, once, strict=True):
        assert param.grad is g, f"{name}: the backward replaces the gradient array"
        close(g, 2 * first, ROUNDOFF64 if y.dtype == np.float64 else ROUNDOFF32, name)
    module.zero_grad()
    assert not any(g.any() for g in grads)


def fill(module, rng):
    """Fill every parameter at random, weights so that no layer shrinks its activations."""
    for _, param in module.named_params():
        fan_in = param.data[0].size if param.data.ndim > 1 else 1
        param.data[...] = rng.normal(size=param.shape) / np.sqrt(fan_in)
    return module


def close(actual, expected, tolerance, message=""):
    """Compare relative to the largest expected value."""
    error = relative_error(actual, expected)
    assert error <= tolerance, f"{message}: relative error {error:.1e} > {tolerance:.0e}"


def relative_error(actual, expected):
    scale = max(float(np.max(np.abs(expected))), 1e-300)
    return float(np.max(np.abs(np.asarray(actual, np.float64) - expected))) / scale


def backward(operator, dy, cache):
    return as_tuple(operator.backward(dy, cache))


def count_walks(monkeypatch):
    """Record the type of every module whose tree is walked from now on.  -> list of names."""
    walk, walked = Module.named_modules, []

    def named_modules(self, prefix=""):
        if not prefix:  # a walk begins here; the modules below are called with theirs
            walked.append(type(self).__name__)
        return walk(self, prefix)

    monkeypatch.setattr(Module, "named_modules", named_modules)
    return walked


def strided(x):
    """Return the same values, axes reversed in memory and gaps between the elements.

    Arrays of one axis stay contiguous, as parameters are.
    """
    if x.ndim < 2:
        return x
    wide = np.full((*x.shape[::-1], 2), np.nan, x.dtype)
    view = wide[..., 0].T
    view[...] = x
    return view
