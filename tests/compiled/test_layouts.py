"""Views, other orders and other types give what contiguous float32 arrays give."""

import numpy as np
import pytest

import tervit_np as tv
from tervit_np import ops

pytest.importorskip("numba")

IMAGES, TOKENS, DIM, OUT, HEADS = 4, 5, 12, 6, 2


def array(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def every_other(x):
    """Return a view with gaps along every axis."""
    gaps = np.full([2 * n for n in x.shape], np.nan, x.dtype)
    view = gaps[tuple(slice(None, None, 2) for _ in x.shape)]
    view[...] = x
    return view


def reverse(x):
    """Return a view whose strides are negative."""
    everywhere = tuple(slice(None, None, -1) for _ in x.shape)
    return np.ascontiguousarray(x[everywhere])[everywhere]


LAYOUTS = {"gaps": every_other, "reversed": reverse, "fortran": np.asfortranarray}

QKV = array(IMAGES, TOKENS, 3 * DIM, seed=1)
BIAS, MASK = array(HEADS, TOKENS, TOKENS, seed=2), array(2, TOKENS, TOKENS, seed=3)
X, DY = array(IMAGES, TOKENS, DIM, seed=4), array(IMAGES, TOKENS, DIM, seed=5)
WEIGHT, DOUT = array(OUT, DIM, seed=6), array(IMAGES, TOKENS, OUT, seed=7)


def flat(results):
    """Return the arrays of results, however nested."""
    if isinstance(results, np.ndarray):
        return [results]
    return [a for result in results for a in flat(result)]


def with_cache(cache, backward):
    """Rebuild a cache from arrays, so that each of its arrays can be another view."""
    return lambda dy, *parts: backward(dy, type(cache)(*parts))


def operations():
    """Return name: (function, its arrays)."""
    norm = ops.layernorm(X, array(DIM, seed=8), array(DIM, seed=9))[1]
    attend = ops.attention(QKV, HEADS)[1]
    windows = ops.window_attention(QKV, BIAS, MASK)[1]
    line = ops.linear(X, WEIGHT, None)[1]
    return {
        "linear": (ops.linear, (X, WEIGHT, array(OUT))),
        "linear_backward": (with_cache(line, ops.linear_backward), (DOUT, *line)),
        "layernorm": (ops.layernorm, (X, array(DIM, seed=8), array(DIM, seed=9))),
        "layernorm_backward": (with_cache(norm, ops.layernorm_backward), (DY, *norm)),
        "softmax": (ops.softmax, (X,)),
        "softmax_backward": (ops.softmax_backward, (DY, ops.softmax(X)[0])),
        "gelu": (ops.gelu, (X,)),
        "gelu_backward": (ops.gelu_backward, (DY, X)),
        "attention": (lambda qkv: ops.attention(qkv, HEADS), (QKV,)),
        "attention_backward": (with_cache(attend, ops.attention_backward), (DY, *attend)),
        "window_attention": (ops.window_attention, (QKV, BIAS, MASK)),
        "window_attention_backward": (
            with_cache(windows, ops.window_attention_backward),
            (DY, *windows),
        ),
    }


CASES = [(name, i) for name, (_, arrays) in operations().items() for i in range(len(arrays))]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("name", "i"), CASES)
def test_a_view_gives_the_bits_of_its_copy(name, i, layout):
    with tv.backend("numba"):
        function, arrays = operations()[name]
        changed = [LAYOUTS[layout](a) if j == i else a for j, a in enumerate(arrays)]
        for expected, found in zip(flat(function(*arrays)), flat(function(*changed)), strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("name", "i"), CASES)
def test_one_float64_array_gives_what_the_numpy_lines_give(name, i):
    with tv.backend("numpy"):
        function, arrays = operations()[name]
        changed = [a.astype(np.float64) if j == i else a for j, a in enumerate(arrays)]
        expected = flat(function(*changed))
    with tv.backend("numba"):
        found = flat(function(*changed))
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_quantized_probabilities_may_have_any_layout_and_type(layout, dtype):
    with tv.backend("numba"):
        expected = ops.attention(QKV, HEADS, lambda p: 0.5 * p)[0]
        found = ops.attention(QKV, HEADS, lambda p: LAYOUTS[layout](0.5 * p.astype(dtype)))[0]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_address_of_another_layout_is_refused_when_compiled(layout):
    from numba import njit
    from numba.core.errors import TypingError

    from tervit_np.compiled.arithmetic import address_of

    address = njit(lambda x: address_of(x))
    assert address(X) == X.ctypes.data
    with pytest.raises(TypingError, match="expected a C-contiguous array"):
        address(LAYOUTS[layout](X))
