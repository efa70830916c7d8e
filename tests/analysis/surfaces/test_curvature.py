import sys

import numpy as np
import pytest

from tervit_np.analysis.surfaces.curvature import PRODUCT, curvature, predictions
from tervit_np.analysis.surfaces.family import smooth
from tervit_np.analysis.surfaces.gaps import KINDS, quantized
from tervit_np.analysis.surfaces.hessian import LossHessian
from tervit_np.analysis.surfaces.parts import Parts
from tervit_np.analysis.surfaces.points import Runner


def test_at_the_quantized_weights(tiny, sample):
    """The same as of a float model that holds w_hat; the latent weights' curvature is another."""
    found = curvature(tiny("ternary"), *sample, steps=30, probes=4)
    flat = curvature(smooth(tiny("ternary")), *sample, steps=30, probes=4)
    latent = curvature(tiny(), *sample, steps=30, probes=4)
    assert found.size == 188
    assert found.spectrum.largest == pytest.approx(flat.spectrum.largest, rel=1e-5)
    assert found.trace.mean == pytest.approx(flat.trace.mean, rel=1e-5)
    assert abs(found.spectrum.largest / latent.spectrum.largest - 1) > 0.01


def test_predictions_by_their_definitions(tiny, sample):
    model = tiny()
    found = predictions(model, *sample, 3.0)
    assert [p.name for p in found] == list(KINDS)
    hessian = LossHessian(smooth(model), *sample)
    for p, plan in zip(found, KINDS.values(), strict=True):
        other = LossHessian(smooth(quantized(model, plan)), *sample)
        w, w_hat = (
            h.flat({n: q.data for n, q in h.model.named_params()}) for h in (hessian, other)
        )
        eps = w_hat - w
        assert p.gap == pytest.approx(other.loss() - hessian.loss(), abs=1e-9)
        assert p.eps_squared == pytest.approx(eps @ eps, rel=1e-5)
        assert p.relative == pytest.approx((eps @ eps) / (w @ w), rel=1e-5)
        assert p.slope == pytest.approx(hessian.gradient() @ eps, abs=1e-7)
        assert p.second == pytest.approx(p.slope + eps @ hessian.product(eps) / 2, abs=1e-7)
        assert p.bound == pytest.approx(1.5 * p.eps_squared)


def test_second_order_is_right_where_rounding_is_fine(tiny, sample):
    eight = predictions(tiny(), *sample, 1.0)[0]
    assert eight.second == pytest.approx(eight.gap, rel=0.02, abs=1e-6)


def test_what_was_found_before_a_stop_is_not_computed_again(tiny, sample, tmp_path, monkeypatch):
    args = {"steps": 3, "probes": 2}
    whole = curvature(tiny(), *sample, **args)
    told = []
    runner = Runner(None, Parts(tmp_path), lambda *part: told.append(part))
    first = curvature(tiny(), *sample, **args, runner=runner)
    assert told == [("curvature-float", PRODUCT, True)] * 5
    told.clear()
    module = sys.modules[curvature.__module__]  # the package has a function of that name
    monkeypatch.setattr(module, "lanczos", None)
    monkeypatch.setattr(module, "trace", None)
    again = curvature(tiny(), *sample, **args, runner=runner)
    assert sum(part[1] for part in told) == 5 * PRODUCT
    assert not any(part[2] for part in told)
    for each in (first, again):
        np.testing.assert_array_equal(each.spectrum.values, whole.spectrum.values)
        assert each.trace == whole.trace
