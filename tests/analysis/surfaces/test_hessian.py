"""Compare with a dense Hessian by fourth-order differences, and with one in closed form."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tervit_np.analysis.surfaces import hessian as module
from tervit_np.analysis.surfaces.affine_models import smooth
from tervit_np.analysis.surfaces.hessian import LossHessian
from tervit_np.analysis.surfaces.lanczos import lanczos
from tervit_np.analysis.surfaces.trace import trace
from tervit_np.losses import log_softmax


def dense(hessian, h=2e-4):
    """Differentiate gradients along each weight, with an error of order h^4."""
    columns = []
    for i in range(hessian.size):
        step = np.zeros(hessian.size)
        step[i] = h
        g = {k: hessian.gradient(k * step) for k in (-2, -1, 1, 2)}
        columns.append((8 * (g[1] - g[-1]) - (g[2] - g[-2])) / (12 * h))
    return np.stack(columns, axis=1)


@pytest.fixture
def hessian(tiny, sample):
    return LossHessian(smooth(tiny("ternary")), *sample)


def test_products_eigenvalues_and_trace_agree_with_a_dense_hessian(hessian):
    matrix = dense(hessian)
    assert matrix.shape == (188, 188)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-8 * np.abs(matrix).max())
    v = np.random.default_rng(0).normal(size=188)
    scale = np.linalg.norm(matrix @ v)
    np.testing.assert_allclose(hessian.product(v), matrix @ v, atol=1e-6 * scale)
    exact = np.linalg.eigvalsh(matrix)
    spectrum = lanczos(hessian.product, hessian.size, steps=40)
    assert abs(spectrum.largest - exact[-1]) < 1e-6 * exact[-1]
    assert abs(spectrum.smallest - exact[0]) < 1e-6 * exact[-1]
    estimate = trace(hessian.product, hessian.size, probes=40)
    assert abs(estimate.mean - matrix.trace()) < 3 * estimate.error
    assert estimate.error < 0.3 * abs(matrix.trace())


def test_products_agree_with_the_closed_form_of_a_linear_classifier(tiny, sample):
    """For the head alone, H = mean over images of (diag p - p p') x x'."""
    model = smooth(tiny())
    hessian = LossHessian(model, *sample, names=["head.weight"])
    logits, cache = model.forward(sample[0])
    x = cache.heads[0].linear.x
    p = np.exp(log_softmax(logits))
    within = np.einsum("bc,cd->bcd", p, np.eye(3)) - np.einsum("bc,bd->bcd", p, p)
    exact = np.einsum("bcd,bi,bj->cidj", within, x, x).reshape(12, 12) / len(x)
    products = np.stack([hessian.product(e) for e in np.eye(12)])
    np.testing.assert_allclose(products, exact, atol=1e-7)


def test_the_loss_bends_as_the_product_says(hessian):
    """L(w + d) = L + g'd + 1/2 d'Hd + O(d^3): from the loss alone, no gradient of ours."""
    d = 1e-4 * np.random.default_rng(1).normal(size=hessian.size)
    bend = hessian.loss(d) + hessian.loss(-d) - 2 * hessian.loss()
    assert bend == pytest.approx(d @ hessian.product(d), rel=1e-3)
    slope = (hessian.loss(d) - hessian.loss(-d)) / 2
    assert slope == pytest.approx(hessian.gradient() @ d, rel=1e-3)


def test_a_distilled_model_has_the_loss_of_its_mean_logits(tiny, sample):
    hessian = LossHessian(smooth(tiny(distilled=True)), *sample)
    assert any(name.startswith("head_dist") for name in hessian.names)
    d = 1e-4 * np.random.default_rng(1).normal(size=hessian.size)
    slope = (hessian.loss(d) - hessian.loss(-d)) / 2
    assert slope == pytest.approx(hessian.gradient() @ d, rel=1e-5)


def test_one_gradient_is_held_however_many_images_there_are(tiny, monkeypatch):
    """Memory grew by the length of all weights, twice, with every chunk of images."""
    monkeypatch.setattr(module, "_chunk", lambda *_: (0.0, np.ones(100_000)))
    for images in (64, 640):
        sample = np.zeros((images, 3, 8, 8)), np.zeros(images, int)
        hessian = LossHessian(smooth(tiny()), *sample)
        tracemalloc.start()
        total = hessian.product(np.ones(hessian.size))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total[0] == 2 * images // module.CHUNK and peak < 4 * total.nbytes


def test_threads_and_chunks_do_not_change_products(tiny, sample, monkeypatch):
    model, v = smooth(tiny()), np.random.default_rng(2).normal(size=188)
    monkeypatch.setattr(module, "CHUNK", 16)
    alone = LossHessian(model, *sample)
    with ThreadPoolExecutor(3) as pool:
        shared = LossHessian(model, *sample, executor=pool)
        np.testing.assert_array_equal(shared.product(v), alone.product(v))
    chunked = alone.product(v)
    monkeypatch.setattr(module, "CHUNK", 64)
    np.testing.assert_allclose(alone.product(v), chunked, atol=1e-9)


def test_a_product_scales_with_its_vector(hessian):
    v = np.random.default_rng(3).normal(size=hessian.size)
    once, hundred = hessian.product(v), hessian.product(100 * v)
    np.testing.assert_allclose(hundred, 100 * once, atol=1e-8 * np.abs(hundred).max())
    assert not hessian.product(0 * v).any()


def test_float32_models_and_unknown_names_are_refused(tiny, sample):
    with pytest.raises(ValueError, match="float64"):
        LossHessian(tiny(), *sample)
    with pytest.raises(ValueError, match="no parameter 'neck'"):
        LossHessian(smooth(tiny()), *sample, names=["neck"])
