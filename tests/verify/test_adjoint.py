from dataclasses import replace

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.arrays import read_only
from tervit_np.losses import cross_entropy
from tervit_np.verify.adjoint import LIMIT, adjoint_checks, locate_mistake, model_factors
from tervit_np.verify.diagnosis import likely_mistake
from tervit_np.verify.frozen import freeze
from tervit_np.verify.golden import CASES, filled_model, inputs
from tervit_np.verify.gradcheck import GradientCheck
from tervit_np.verify.mutants import find_mutant
from tervit_np.verify.mutation import mutated


def trained(model, images, labels, steps=20):
    """Take training steps, so that the check also runs on weights after initialization."""
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
def test_every_parameter_of_a_model_passes(case, steps):
    config = replace(CASES[case], drop_path=0.3)
    images, labels = inputs(config)
    model = trained(filled_model(config), images, labels, steps)
    checks = list(adjoint_checks(model, images, np.random.default_rng(0)))
    assert [d.name for d in checks] == ["images", *dict(model.named_params())]
    assert max(d.error for d in checks) < LIMIT, max(checks, key=lambda d: d.error).name


@pytest.mark.parametrize("plan", ["int8", "ternary"])
@pytest.mark.parametrize("case", CASES)
def test_every_parameter_passes_through_frozen_quantizers(case, plan):
    images, _ = inputs(CASES[case])
    model = freeze(tv.quantize(filled_model(CASES[case]), plan))
    checks = list(adjoint_checks(model, images, np.random.default_rng(0)))
    assert max(d.error for d in checks) < LIMIT, max(checks, key=lambda d: d.error).name


def test_rounding_without_freezing_fails_the_check():
    """Why quantizers are frozen: differences of a rounded forward are zero, or a jump over 2h."""
    images, _ = inputs(CASES["plain"])
    model = tv.quantize(filled_model(CASES["plain"]), "ternary")
    weight = adjoint_checks(
        model, images, np.random.default_rng(0), only=["blocks.0.attn.qkv.bias"]
    )
    assert next(weight).error > LIMIT


@pytest.mark.parametrize("plan", ["float", "ternary"])
def test_a_trained_and_frozen_model_passes(plan):
    """Twenty steps with quantizers in place, then every parameter through them."""
    images, labels = inputs(CASES["conv-mean"])
    model = tv.quantize(filled_model(CASES["conv-mean"]), plan)
    model = freeze(trained(model, images, labels))
    checks = list(adjoint_checks(model, images, np.random.default_rng(0)))
    assert max(d.error for d in checks) < LIMIT


def test_only_restricts_the_check_to_some_names():
    images, _ = inputs(CASES["plain"])
    only = ["head.weight", "images"]
    checks = adjoint_checks(filled_model(CASES["plain"]), images, np.random.default_rng(0), only)
    assert [d.name for d in checks] == ["images", "head.weight"]


def checks_under(mutant, case="plain"):
    images, _ = inputs(CASES[case])
    with mutated(find_mutant(mutant)):
        return list(adjoint_checks(filled_model(CASES[case]), images, np.random.default_rng(0)))


def test_a_mistake_is_located_where_it_begins():
    """A wrong softmax of the last block spoils every gradient before it and none after it."""
    difference, where = locate_mistake(checks_under("softmax-scale"))
    assert difference.name == "blocks.1.attn.qkv.bias"
    assert where == "right from the logits down to blocks.1.attn.proj.weight, wrong from here"
    difference, where = locate_mistake(checks_under("bias-twice"))
    assert (difference.name, where) == ("head.bias", "wrong from the logits on")
    assert locate_mistake([GradientCheck("x", np.ones(1), np.ones(1))]) is None


@pytest.mark.parametrize(
    ("mutant", "words"),
    [("bias-twice", "counted twice"), ("bias-forgotten", "never added")],
)
def test_further_directions_show_a_constant_ratio(mutant, words):
    difference, _ = locate_mistake(checks_under(mutant))
    assert difference.analytic.size == 4
    assert words in likely_mistake(difference)


def test_model_factors_name_the_lengths_of_a_model():
    assert model_factors(CASES["distilled"], 3) == {"K": 4, "batch": 3, "tokens": 11}


def test_a_float32_model_is_refused():
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


def test_images_of_float32_are_checked_in_float64_and_stay_as_they_are():
    """Differences of float32 have too few digits: a right backward seemed wrong at the images."""
    images, _ = inputs(CASES["plain"])
    images = read_only(images.astype(np.float32))
    model = filled_model(CASES["plain"])
    (check,) = adjoint_checks(model, images, np.random.default_rng(0), only=["images"])
    assert check.error < LIMIT


def test_the_caller_may_use_the_gradients_between_two_checks():
    images, _ = inputs(CASES["plain"])
    model = filled_model(CASES["plain"])
    for check in adjoint_checks(model, images, np.random.default_rng(0)):
        model.zero_grad()
        assert check.error < LIMIT, check.name
