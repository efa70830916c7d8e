"""Muon: what it does to singular values, which parameters it trains, its state."""

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.param import Param
from tervit_np.train.muon import COEFFICIENTS, STEPS, Muon, is_matrix, orthogonalize, parts
from tests.checks import BACKENDS, ROUNDOFF64, close

SHAPES = [(1, 1), (5, 5), (3, 8), (16, 64), (64, 16), (96, 96)]


def with_singular_values(values, shape, seed=0):
    """Return a random matrix that has these singular values."""
    rng = np.random.default_rng(seed)
    u, _ = np.linalg.qr(rng.normal(size=(shape[0], len(values))))
    v, _ = np.linalg.qr(rng.normal(size=(shape[1], len(values))))
    return u * values @ v.T


def polynomial(s):
    """Take the five steps on one singular value."""
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        s = a * s + b * s**3 + c * s**5
    return s


@pytest.mark.parametrize("shape", SHAPES)
def test_the_polynomial_acts_on_singular_values_alone(shape):
    values = np.random.default_rng(1).uniform(0.01, 1, min(shape))
    x = with_singular_values(values, shape)
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    expected = u * polynomial(s / (np.linalg.norm(x) + 1e-7)) @ vt
    close(orthogonalize(x), expected, ROUNDOFF64, "X")


def test_values_above_a_hundredth_come_near_one():
    after = polynomial(np.linspace(0.01, 1, 100_000))
    assert 0.67 < after.min() < 0.70
    assert 1.12 < after.max() < 1.15


@pytest.mark.parametrize("shape", [(16, 64), (64, 16), (96, 96)])
def test_the_direction_is_that_of_the_decomposition(shape):
    """The nearest matrix with orthonormal rows or columns is U V^T."""
    x = with_singular_values(np.geomspace(0.05, 1, min(shape)), shape)
    u, _, vt = np.linalg.svd(x, full_matrices=False)
    nearest = u @ vt
    cosine = (orthogonalize(x) * nearest).sum() / np.linalg.norm(nearest) ** 2
    assert 0.8 < cosine < 1.1
    assert np.linalg.svd(orthogonalize(x), compute_uv=False).min() > 0.6


def test_rotations_pass_through():
    x, rng = with_singular_values([0.2, 0.5, 1.0], (3, 7)), np.random.default_rng(2)
    left, right = (np.linalg.qr(rng.normal(size=(n, n)))[0] for n in (3, 7))
    close(orthogonalize(left @ x @ right), left @ orthogonalize(x) @ right, ROUNDOFF64, "X")


@pytest.mark.rounding
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_single_precision_follows_double(shape, backend):
    """A small singular value is multiplied by up to 3.4445^5 = 485, and so is its rounding."""
    x = np.random.default_rng(3).normal(size=shape)
    with tv.backend(backend):
        one = orthogonalize(x.astype(np.float32))
    assert one.dtype == np.float32
    assert np.abs(one - orthogonalize(x)).max() < 485 * 2**-23


@pytest.mark.rounding
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_zeros_and_views_are_left_alone(backend, dtype):
    with tv.backend(backend):
        assert not orthogonalize(np.zeros((4, 6), dtype)).any()
        x = np.random.default_rng(4).normal(size=(8, 12)).astype(dtype)
        before = x.copy()
        view = orthogonalize(x[::2, ::2])
        np.testing.assert_array_equal(x, before)
        np.testing.assert_array_equal(view, orthogonalize(x[::2, ::2].copy()))


def test_queries_keys_and_values_are_apart():
    x = np.arange(6 * 4).reshape(6, 4)
    found = list(parts("blocks.0.attn.qkv.weight", x))
    assert [part.tolist() for part in found] == [x[:2].tolist(), x[2:4].tolist(), x[4:].tolist()]
    (kernel,) = parts("patch_embed.conv1.weight", np.zeros((8, 3, 3, 3)))
    assert kernel.shape == (8, 27)


@pytest.mark.parametrize("name", ["deit_cifar", "swin_cifar"])
def test_every_matrix_but_the_head_is_trained_by_muon(name):
    model = tv.create_model(name)
    chosen = {n for n, p in model.named_params() if is_matrix(n, p)}
    expected = {f"{n}.weight" for n, _ in model.quantizable() if not n.startswith("head")} & dict(
        model.named_params()
    ).keys()
    assert chosen == expected
    assert len(chosen) > 10
    assert any(n.startswith("patch_embed.") for n in chosen)  # which Jordan et al. leave to AdamW


def test_one_step_by_hand():
    rng = np.random.default_rng(5)
    weight, bias = Param(rng.normal(size=(4, 9))), Param(rng.normal(size=9))
    before = weight.data.copy()
    optimizer = Muon([("fc1.weight", weight), ("fc1.bias", bias)], 0.01, weight_decay=0.1, ratio=2)
    weight.grad[...], bias.grad[...] = rng.normal(size=(4, 9)), 1.0
    optimizer.step()
    moved = 0.02 * 0.2 * 3 * orthogonalize(1.95 * weight.grad)  # sqrt(9) is 3
    close(weight.data, before * (1 - 0.02 * 0.1) - moved, ROUNDOFF64, "weight")
    assert optimizer.rest.named_params == [("fc1.bias", bias)]


def test_a_saved_state_continues_to_the_same_bits():
    def run(stop_at):
        rng = np.random.default_rng(6)
        named = [("fc1.weight", Param(rng.normal(size=(6, 4)))), ("b", Param(rng.normal(size=4)))]
        optimizer = Muon(named, 0.01)
        for step in range(5):
            if step == stop_at:
                state, steps = optimizer.state_dict(), optimizer.steps
                optimizer = Muon(named, 0.01)
                optimizer.load_state_dict(state, steps)
            for _, p in named:
                p.grad[...] = rng.normal(size=p.shape)
            optimizer.step()
        return [p.data for _, p in named]

    for a, b in zip(run(None), run(3), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.rounding
def test_two_threads_update_to_the_same_bits():
    model = tv.create_model("deit_cifar", depth=2, dim=24)
    parallel = tv.train.ParallelModel(model, threads=2)
    named = model.named_params()
    start = [p.data.copy() for _, p in named]

    def train(each):
        for (_, p), data in zip(named, start, strict=True):
            p.data[...] = data
        rng, optimizer = np.random.default_rng(7), Muon(named, 0.01)
        for _ in range(2):
            for _, p in named:
                p.grad[...] = rng.normal(size=p.shape)
            optimizer.step(*each)
        return [p.data.copy() for _, p in named]

    for (name, _), a, b in zip(named, train([]), train([parallel.each]), strict=True):
        np.testing.assert_array_equal(a, b, name)
    assert not np.array_equal(start[0], named[0][1].data)
    parallel.close()
