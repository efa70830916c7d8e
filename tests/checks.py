"""What every operator and module must keep, whatever it computes.

`check` takes an Operator (inputs, forward, backward). `as_operator` turns a module into one, its
parameters into further inputs, so that operators and modules are held to the same rules.
"""

import importlib.util

import numpy as np

import tervit_np as tv
from tervit_np.nn import Module
from tervit_np.verify.diagnosis import likely_mistake
from tervit_np.verify.operators import Operator

BACKENDS = ("numpy", "numba") if importlib.util.find_spec("numba") else ("numpy",)


def check(operator, tolerance=1e-5, seed=0):
    """Differences, shapes, manners and types of one operator, all under a random upstream."""
    rng = np.random.default_rng(seed)
    check_differences(operator, rng)
    check_contracts(operator, rng)
    check_linear_in_dy(operator, rng)
    for backend in BACKENDS:
        with tv.backend(backend):
            check_float32(operator, rng, tolerance)


def check_differences(operator, rng):
    for difference in operator.differences(rng):
        assert difference.analytic.shape == difference.numeric.shape, difference.name
        hint = likely_mistake(difference)
        assert difference.ok, f"{difference.name}: relative error {difference.error:.1e}; {hint}"


def check_contracts(operator, rng):
    """Read-only inputs and dy are accepted; a backward leaves its cache as it was."""
    values = [locked(x) for x in operator.inputs.values()]
    y, cache = operator.forward(*values)
    dy = locked(rng.normal(size=np.shape(y)))
    before = arrays_in(cache)
    copies = [a.copy() for a in before]
    first = backward(operator, dy, cache)
    first = [g.copy() for g in first]
    for array, copy in zip(before, copies, strict=True):
        np.testing.assert_array_equal(array, copy, err_msg=f"{operator.name}: cache changed")
    for one, two in zip(first, backward(operator, dy, cache), strict=True):
        np.testing.assert_array_equal(one, two, err_msg=f"{operator.name}: a second run differs")


def check_linear_in_dy(operator, rng):
    """backward(a dy1 + b dy2) = a backward(dy1) + b backward(dy2)."""
    y, cache = operator.forward(*operator.inputs.values())
    one, two = rng.normal(size=(2, *np.shape(y)))
    a, b = 0.7, -1.9
    parts = [[g.copy() for g in backward(operator, dy, cache)] for dy in (one, two)]
    for whole, p, q in zip(backward(operator, a * one + b * two, cache), *parts, strict=True):
        close(whole, a * p + b * q, 1e-12, f"{operator.name}: not linear in dy")


def check_float32(operator, rng, tolerance):
    """float32 in, float32 out, near float64; whatever the strides."""
    y64, cache64 = operator.forward(*operator.inputs.values())
    dy64 = rng.normal(size=np.shape(y64))
    expected = backward(operator, dy64, cache64)
    for lay in (np.ascontiguousarray, strided):
        y, cache = operator.forward(*(lay(x.astype(np.float32)) for x in operator.inputs.values()))
        dy = dy64.astype(np.float32)
        found = backward(operator, lay(dy), cache)
        if isinstance(y, np.ndarray):
            assert y.dtype == np.float32, f"{operator.name}: output is {y.dtype}"
        close(y, y64, tolerance, f"{operator.name}: float32 output")
        for gradient, wide in zip(found, expected, strict=True):
            assert gradient.dtype == np.float32, f"{operator.name}: gradient is {gradient.dtype}"
            assert gradient.shape == wide.shape
            close(gradient, wide, tolerance, f"{operator.name}: float32 gradient")


def as_operator(module, x, **options):
    """Turn a module into a pure operator of its input and of every parameter.

    The key third of a qkv bias has no gradient but rounding, which is neither linear in dy nor
    alike in float32 and float64: it is checked to be small and set to zero.
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
    assert np.abs(key).max() <= limit, "the key bias has a gradient"
    key[...] = 0


def check_accumulation(module, x, rng):
    """A second backward adds to the gradients, zero_grad clears them in place."""
    y, cache = module.forward(x)
    dy = rng.normal(size=y.shape).astype(y.dtype)
    held = [param.grad for _, param in module.named_params()]
    module.zero_grad()
    module.backward(dy, cache)
    once = [g.copy() for g in held]
    assert all(g.any() for g in once)
    module.backward(dy, cache)
    for (name, param), g, first in zip(module.named_params(), held, once, strict=True):
        assert param.grad is g, f"{name}: the gradient is another array now"
        close(g, 2 * first, 1e-12 if y.dtype == np.float64 else 1e-6, name)
    module.zero_grad()
    assert not any(g.any() for g in held)


def fill(module, rng):
    """Give every parameter a lively random value."""
    for _, param in module.named_params():
        fan_in = param.data[0].size if param.data.ndim > 1 else 1
        param.data[...] = rng.normal(size=param.shape) / np.sqrt(fan_in)
    return module


def close(found, expected, tolerance, message=""):
    """Compare against the largest expected value."""
    error = relative_error(found, expected)
    assert error <= tolerance, f"{message}: relative error {error:.1e} > {tolerance:.0e}"


def relative_error(found, expected):
    scale = max(float(np.max(np.abs(expected))), 1e-300)
    return float(np.max(np.abs(np.asarray(found, np.float64) - expected))) / scale


def backward(operator, dy, cache):
    gradients = operator.backward(dy, cache)
    return gradients if isinstance(gradients, tuple) else (gradients,)


def locked(x):
    x = np.array(x)  # dy of a loss is a scalar
    x.flags.writeable = False
    return x


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

    Parameters are whole arrays, so what has one axis stays as it is.
    """
    if x.ndim < 2:
        return x
    wide = np.full((*x.shape[::-1], 2), np.nan, x.dtype)
    view = wide[..., 0].T
    view[...] = x
    return view


def arrays_in(cache):
    """List all arrays of a nested cache."""
    if isinstance(cache, np.ndarray):
        return [cache]
    if isinstance(cache, tuple | list):
        return [a for part in cache for a in arrays_in(part)]
    return []
