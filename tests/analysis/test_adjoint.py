from dataclasses import replace

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.analysis.adjoint import LIMIT, adjoint_checks
from tervit_np.analysis.frozen import hold
from tervit_np.analysis.golden import CASES, filled_model, inputs
from tervit_np.losses import cross_entropy


def trained(model, images, labels, steps=20):
    """Take real training steps, so that the check meets weights that are not fresh."""
    optimizer = tv.AdamW(model.named_params(), 3e-3)
    for step in range(steps):
        model.zero_grad()
        logits, cache = model.forward(images, train=True, rng=np.random.default_rng(step))
        pair = isinstance(logits, tuple)
        heads = logits if pair else (logits,)
        gradients = tuple(cross_entropy(z, labels)[1] for z in heads)
        model.backward(gradients if pair else gradients[0], cache)
        optimizer.step()
    return model


@pytest.mark.parametrize("steps", [0, 20])
@pytest.mark.parametrize("case", CASES)
def test_every_parameter_of_the_whole_model(case, steps):
    config = replace(CASES[case], drop_path=0.3)
    images, labels = inputs(config)
    model = trained(filled_model(config), images, labels, steps)
    found = list(adjoint_checks(model, images, np.random.default_rng(0)))
    assert [d.name for d in found] == [*dict(model.named_params()), "images"]
    assert max(d.error for d in found) < LIMIT, max(found, key=lambda d: d.error).name


@pytest.mark.parametrize("plan", ["int8", "ternary"])
@pytest.mark.parametrize("case", CASES)
def test_every_parameter_through_held_quantizers(case, plan):
    images, _ = inputs(CASES[case])
    model = hold(tv.quantize(filled_model(CASES[case]), plan))
    found = list(adjoint_checks(model, images, np.random.default_rng(0)))
    assert max(d.error for d in found) < LIMIT, max(found, key=lambda d: d.error).name


def test_float32_has_no_digits_to_spare():
    images, _ = inputs(CASES["plain"])
    with pytest.raises(ValueError, match="float64"):
        list(
            adjoint_checks(filled_model(CASES["plain"], "float32"), images, np.random.default_rng())
        )


def test_parameters_are_restored():
    model, (images, _) = filled_model(CASES["plain"]), inputs(CASES["plain"])
    before = model.state_dict()
    list(adjoint_checks(model, images, np.random.default_rng(0)))
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
