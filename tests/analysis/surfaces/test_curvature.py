import sys

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.analysis.surfaces.affine_models import quantizable_weights, smooth
from tervit_np.analysis.surfaces.curvature import (
    PASSES_PER_PRODUCT,
    curvature,
    predictions,
    ternary_weights,
)
from tervit_np.analysis.surfaces.gaps import KINDS, quantized
from tervit_np.analysis.surfaces.hessian import LossHessian
from tervit_np.analysis.surfaces.partial_results import PartialResults
from tervit_np.analysis.surfaces.runner import Runner
from tervit_np.losses import cross_entropy


def test_curvature_is_that_of_the_quantized_weights(tiny, sample):
    """That of a float model with w_hat, not that of the latent weights."""
    quantized_curvature = curvature(tiny("ternary"), *sample, steps=30, probes=4)
    flat = curvature(smooth(tiny("ternary")), *sample, steps=30, probes=4)
    latent = curvature(tiny(), *sample, steps=30, probes=4)
    assert quantized_curvature.size == 188
    assert quantized_curvature.spectrum.largest == pytest.approx(flat.spectrum.largest, rel=1e-5)
    assert quantized_curvature.trace.mean == pytest.approx(flat.trace.mean, rel=1e-5)
    assert abs(quantized_curvature.spectrum.largest / latent.spectrum.largest - 1) > 0.01


def test_curvature_of_named_weights_alone(tiny, sample):
    names = ternary_weights(tiny())
    assert names == [n for n in quantizable_weights(tiny()) if n.startswith("blocks")]
    some = curvature(tiny(), *sample, steps=30, probes=4, names=names)
    assert some.size == 48 + 16 + 2 * 32  # qkv, proj, fc1, fc2: not patch embedding and head
    assert some.spectrum.largest < curvature(tiny(), *sample, steps=30).spectrum.largest


def test_predictions_agree_with_their_definitions(tiny, sample):
    model = tiny()
    names = ternary_weights(model)
    predicted = predictions(model, *sample, 3.0, names=names)
    assert [p.name for p in predicted] == list(KINDS)
    hessian = LossHessian(smooth(model), *sample, names=names)
    for p, plan in zip(predicted, KINDS.values(), strict=True):
        rules = [rule for rule in plan.rules if "blocks" in rule[0]]
        other = smooth(quantized(model, tv.quant.Plan(rules)))
        other.patch_embed, other.head = hessian.model.patch_embed, hessian.model.head
        w, w_hat = (
            hessian.flat({n: q.data for n, q in m.named_params()}) for m in (hessian.model, other)
        )
        eps = w_hat - w
        loss = cross_entropy(other.predict(sample[0]), sample[1])[0]
        assert p.gap == pytest.approx(loss - hessian.loss(), abs=1e-9)
        assert p.eps_squared == pytest.approx(eps @ eps, rel=1e-5)
        assert p.relative == pytest.approx((eps @ eps) / (w @ w), rel=1e-5)
        assert p.slope == pytest.approx(hessian.gradient() @ eps, abs=1e-7)
        assert p.second == pytest.approx(p.slope + eps @ hessian.product(eps) / 2, abs=1e-7)
        assert p.bound == pytest.approx(1.5 * p.eps_squared)


def test_the_second_order_estimate_is_accurate_for_8_bits(tiny, sample):
    eight = predictions(tiny(), *sample, 1.0)[0]
    assert eight.second == pytest.approx(eight.gap, rel=0.02, abs=1e-6)


def test_stored_results_are_not_computed_again(tiny, sample, tmp_path, monkeypatch):
    args = {"steps": 3, "probes": 2}
    expected = curvature(tiny(), *sample, **args)
    reports = []
    runner = Runner(None, PartialResults(tmp_path), lambda *report: reports.append(report))
    first = curvature(tiny(), *sample, **args, runner=runner)
    assert reports == [("curvature-float", PASSES_PER_PRODUCT, True)] * 5
    reports.clear()
    module = sys.modules[curvature.__module__]  # the package has a function of that name
    monkeypatch.setattr(module, "lanczos", None)
    monkeypatch.setattr(module, "trace", None)
    again = curvature(tiny(), *sample, **args, runner=runner)
    assert sum(report[1] for report in reports) == 5 * PASSES_PER_PRODUCT
    assert not any(report[2] for report in reports)
    for each in (first, again):
        np.testing.assert_array_equal(each.spectrum.values, expected.spectrum.values)
        assert each.trace == expected.trace
