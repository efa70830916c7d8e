import numpy as np
import pytest

import tervit_np as tv
from tervit_np.ops import attention, attention_backward
from tervit_np.ops.attention import merge_heads, split_qkv
from tervit_np.verify.operators import Operator
from tests.checks import BACKENDS, ROUNDOFF64, check, close


@pytest.mark.parametrize(
    ("batch", "tokens", "heads", "width"), [(2, 3, 2, 4), (1, 1, 1, 1), (2, 5, 3, 2), (3, 2, 1, 5)]
)
def test_attention_passes_all_checks(batch, tokens, heads, width):
    qkv = 1.5 * np.random.default_rng(0).normal(size=(batch, tokens, 3 * heads * width))
    if tokens == 1:  # one token attends to itself whatever q and k: their gradients are zero
        qkv[..., : 2 * heads * width] = 0
    operator = Operator(
        "attention", {"qkv": qkv}, lambda x: attention(x, heads), attention_backward
    )
    check(operator, tolerance=2e-5)


def rows_of(qkv, head, width, dim):
    """q, k, v (T, K) of one head, cut out by hand."""
    return [qkv[:, p * dim + head * width : p * dim + (head + 1) * width] for p in range(3)]


def test_forward_and_backward_equal_the_loops():
    """One image, one head, one query at a time; the softmax by its Jacobian."""
    batch, tokens, heads, width = 2, 4, 3, 2
    dim = heads * width
    rng = np.random.default_rng(1)
    qkv = rng.normal(size=(batch, tokens, 3 * dim))
    dout = rng.normal(size=(batch, tokens, dim))
    out, cache = attention(qkv, heads)
    expected, gradient = np.empty_like(out), np.zeros_like(qkv)
    for b in range(batch):
        for h in range(heads):
            columns = slice(h * width, (h + 1) * width)
            q, k, v = rows_of(qkv[b], h, width, dim)
            dq, dk, dv = rows_of(gradient[b], h, width, dim)
            for t in range(tokens):
                scores = np.array([q[t] @ k[s] for s in range(tokens)]) / np.sqrt(width)
                a = np.exp(scores) / np.exp(scores).sum()
                do = dout[b, t, columns]
                expected[b, t, columns] = sum(a[s] * v[s] for s in range(tokens))
                da = np.array([do @ v[s] for s in range(tokens)])
                dscores = (np.diag(a) - np.outer(a, a)) @ da / np.sqrt(width)
                for s in range(tokens):
                    dv[s] += a[s] * do
                    dq[t] += dscores[s] * k[s]
                    dk[s] += dscores[s] * q[t]
    close(out, expected, ROUNDOFF64)
    close(attention_backward(dout, cache), gradient, ROUNDOFF64)


def test_a_constant_added_to_all_keys_changes_nothing():
    """Why the key third of the qkv bias has no gradient."""
    rng = np.random.default_rng(2)
    qkv, dout = rng.normal(size=(2, 4, 18)), rng.normal(size=(2, 4, 6))
    out, cache = attention(qkv, 3)
    shifted = qkv.copy()
    shifted[..., 6:12] += rng.normal(size=6)
    close(attention(shifted, 3)[0], out, ROUNDOFF64)
    dqkv = attention_backward(dout, cache)
    assert np.abs(dqkv[..., 6:12].sum(axis=1)).max() < ROUNDOFF64


def test_order_of_tokens_does_not_matter():
    rng = np.random.default_rng(3)
    qkv, order = rng.normal(size=(2, 5, 12)), rng.permutation(5)
    close(attention(qkv[:, order], 2)[0], attention(qkv, 2)[0][:, order], ROUNDOFF64)


def test_split_and_merge_are_inverse_and_split_is_a_view():
    qkv = np.arange(2 * 3 * 24.0).reshape(2, 3, 24)
    parts = split_qkv(qkv, 4)
    for p, part in enumerate(parts):
        assert part.shape == (2, 4, 3, 2)
        assert np.shares_memory(part, qkv)
        np.testing.assert_array_equal(merge_heads(part), qkv[..., 8 * p : 8 * p + 8])


def test_quantized_probabilities_multiply_v_and_gradients_pass_straight_through():
    rng = np.random.default_rng(4)
    qkv, dout = rng.normal(size=(1, 3, 6)), rng.normal(size=(1, 3, 2))
    out, cache = attention(qkv, 1, lambda probs: np.round(probs * 8) / 8)
    used = np.round(cache.probs * 8) / 8
    np.testing.assert_array_equal(out, (used @ qkv[:, None, :, 4:])[:, 0])
    exact = attention(qkv, 1)[1]
    dv = attention_backward(dout, cache)[..., 4:]
    close(dv[0], used[0, 0].T @ dout[0], ROUNDOFF64)
    same = attention_backward(dout, exact)[..., :4]
    close(attention_backward(dout, cache)[..., :4], same, ROUNDOFF64)


@pytest.mark.parametrize(("width", "heads"), [(7, 4), (6, 4), (13, 4), (0, 4), (12, 0), (12, -1)])
def test_a_width_that_does_not_divide_is_refused(width, heads):
    with pytest.raises(ValueError, match=f"last axis {width} is not 3 x {heads} heads x K"):
        attention(np.ones((1, 2, width)), heads)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_tokens_give_no_tokens(backend):
    qkv = np.ones((2, 0, 12), np.float32)
    with tv.backend(backend):
        out, cache = attention(qkv, 2)
        assert out.shape == (2, 0, 4)
        assert attention_backward(out, cache).shape == qkv.shape
