import numpy as np
import pytest

import tervit_np as tv
from tervit_np.ops import layernorm, layernorm_backward
from tervit_np.verify.operators import Operator
from tests.checks import BACKENDS, ROUNDOFF64, check, close
from tests.golden.golden import stored


@pytest.mark.parametrize("leading", [(), (4,), (2, 3)])
@pytest.mark.parametrize("eps", [1e-6, 1e-5, 0.3])
def test_layernorm_passes_all_checks(leading, eps):
    n = np.random.default_rng(0).normal
    inputs = {"x": 3 * n(size=(*leading, 6)) + 2, "gamma": n(size=6), "beta": n(size=6)}

    def forward(x, gamma, beta):
        return layernorm(x, gamma, beta, eps)

    check(Operator("layernorm", inputs, forward, layernorm_backward))


def step_by_step(dy, x, gamma, eps):
    """Backward of one row, each line of the forward undone by itself, nothing simplified."""
    width = x.size
    mu = x.sum() / width
    centred = x - mu
    var = (centred * centred).sum() / width
    std = np.sqrt(var + eps)
    dxhat = dy * gamma
    dstd = -(dxhat * centred).sum() / (std * std)  # xhat = centred / std
    dvar = dstd / (2 * std)  # std = sqrt(var + eps)
    dcentred = dxhat / std + dvar * 2 * centred / width  # both uses of centred
    dmu = -dcentred.sum()  # centred = x - mu
    return dcentred + dmu / width


def test_collapsed_backward_equals_step_by_step():
    rng = np.random.default_rng(2)
    x, dy, gamma = rng.normal(size=(5, 7)) * 4 - 1, rng.normal(size=(5, 7)), rng.normal(size=7)
    dx, dgamma, dbeta = layernorm_backward(dy, layernorm(x, gamma, np.zeros(7), 1e-3)[1])
    rows = [step_by_step(d, r, gamma, 1e-3) for d, r in zip(dy, x, strict=True)]
    close(dx, np.array(rows), ROUNDOFF64)
    close(dbeta, dy.sum(axis=0), ROUNDOFF64)
    xhat = (x - x.mean(axis=1)[:, None]) / np.sqrt(x.var(axis=1) + 1e-3)[:, None]
    close(dgamma, (dy * xhat).sum(axis=0), ROUNDOFF64)


def test_rows_of_dx_are_orthogonal_to_shift_and_scale():
    """With gamma dy = g: sum(dx) = 0 always, sum(dx xhat) = 0 up to eps."""
    rng = np.random.default_rng(3)
    x, dy = rng.normal(size=(2, 4, 8))
    _, cache = layernorm(x, rng.normal(size=8), np.zeros(8), 1e-12)
    dx = layernorm_backward(dy, cache)[0]
    assert np.abs(dx.sum(axis=-1)).max() < ROUNDOFF64
    assert np.abs((dx * cache.xhat).sum(axis=-1)).max() < 10 * ROUNDOFF64


def test_an_upstream_of_ones_gives_zero_gradients():
    """Why every difference here has a random upstream: this one gives zero whatever the formula."""
    x = np.random.default_rng(4).normal(size=(3, 5))
    _, cache = layernorm(x, np.ones(5), np.zeros(5))
    assert np.abs(layernorm_backward(np.ones((3, 5)), cache)[0]).max() < ROUNDOFF64


@pytest.mark.parametrize("case", ["far", "constant", "tiny", "huge", "one"])
def test_extreme_rows_match_pytorch(case):
    golden = stored("operators")
    x, gamma, beta, dy = (golden[f"layernorm/{case}/{k}"] for k in ("x", "gamma", "beta", "dy"))
    y, cache = layernorm(x, gamma, beta)
    dx, dgamma, dbeta = layernorm_backward(dy, cache)
    for name, value in {"y": y, "dx": dx, "dgamma": dgamma, "dbeta": dbeta}.items():
        expected = golden[f"layernorm/{case}/{name}"]
        error = np.abs(value - expected).max()
        assert error <= 1e-9 * max(np.abs(expected).max(), np.abs(dy).max() * 1e-3), name


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_rows_far_from_zero_keep_their_digits(backend):
    """E[x^2] - E[x]^2 would have none left."""
    x = np.random.default_rng(5).normal(size=(4, 64)) + 1_000
    with tv.backend(backend):
        y, _ = layernorm(x.astype(np.float32), np.ones(64, "f"), np.zeros(64, "f"))
    expected, _ = layernorm(x.astype(np.float32).astype(float), np.ones(64), np.zeros(64))
    close(y, expected, 2e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_wrong_parameters_are_refused_by_both_backends(backend):
    x, right = np.ones((2, 5), np.float32), np.ones(5, np.float32)
    with tv.backend(backend):
        for wrong in (np.ones(4, np.float32), np.ones(6, np.float32), np.ones((1, 5), np.float32)):
            with pytest.raises(ValueError, match=r"last axis 5, gamma has shape \("):
                layernorm(x, wrong, right)
            with pytest.raises(ValueError, match=r"last axis 5, beta has shape \("):
                layernorm(x, right, wrong)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("row", [[1e20, -1e20, 1.0], [3e38, 3e38, 3e38], [1e30, 1e30, 1.0]])
def test_an_infinite_variance_is_refused(backend, row):
    """Every number would become beta, without a word."""
    x = np.array([[1.0, 2.0, 3.0], row], np.float32)
    ones = np.ones(3, np.float32)
    with tv.backend(backend):
        with pytest.raises(ValueError, match="the variance of a row is infinite in float32"):
            layernorm(x, ones, ones)
        assert np.isnan(layernorm(np.full((1, 3), np.nan, np.float32), ones, ones)[0]).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(), (3, 0)])
def test_rows_without_numbers_are_refused(backend, shape):
    empty = np.ones(shape[-1:], np.float32)
    with tv.backend(backend), pytest.raises(ValueError, match="rows of at least one number"):
        layernorm(np.ones(shape, np.float32), empty, empty)
