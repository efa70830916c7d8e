from dataclasses import replace

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.losses import cross_entropy
from tervit_np.verify.adjoint import LIMIT, adjoint_checks, first_wrong, lengths
from tervit_np.verify.diagnosis import likely_mistake
from tervit_np.verify.frozen import hold
from tervit_np.verify.golden import CASES, filled_model, inputs
from tervit_np.verify.gradcheck import Difference
from tervit_np.verify.mutants import find_mutant
from tervit_np.verify.mutation import mutated


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
    assert [d.name for d in found] == ["images", *dict(model.named_params())]
    assert max(d.error for d in found) < LIMIT, max(found, key=lambda d: d.error).name


@pytest.mark.parametrize("plan", ["int8", "ternary"])
@pytest.mark.parametrize("case", CASES)
def test_every_parameter_through_held_quantizers(case, plan):
    images, _ = inputs(CASES[case])
    model = hold(tv.quantize(filled_model(CASES[case]), plan))
    found = list(adjoint_checks(model, images, np.random.default_rng(0)))
    assert max(d.error for d in found) < LIMIT, max(found, key=lambda d: d.error).name


def test_rounding_without_holding_is_flat_almost_everywhere():
    """Why quantizers are held: differences of a rounded forward are zero, or a jump over 2h."""
    images, _ = inputs(CASES["plain"])
    model = tv.quantize(filled_model(CASES["plain"]), "ternary")
    weight = adjoint_checks(
        model, images, np.random.default_rng(0), only=["blocks.0.attn.qkv.bias"]
    )
    assert next(weight).error > LIMIT


@pytest.mark.parametrize("plan", ["float", "ternary"])
def test_trained_and_held(plan):
    """Twenty steps with quantizers in place, then every parameter through them."""
    images, labels = inputs(CASES["conv-mean"])
    model = tv.quantize(filled_model(CASES["conv-mean"]), plan)
    model = hold(trained(model, images, labels))
    found = list(adjoint_checks(model, images, np.random.default_rng(0)))
    assert max(d.error for d in found) < LIMIT


def test_only_some_names():
    images, _ = inputs(CASES["plain"])
    only = ["head.weight", "images"]
    found = adjoint_checks(filled_model(CASES["plain"]), images, np.random.default_rng(0), only)
    assert [d.name for d in found] == ["images", "head.weight"]


def checked(mutant, case="plain"):
    images, _ = inputs(CASES[case])
    with mutated(find_mutant(mutant)):
        return list(adjoint_checks(filled_model(CASES[case]), images, np.random.default_rng(0)))


def test_a_mistake_is_found_where_it_begins():
    """The softmax of the last block spoils everything before it and nothing behind it."""
    difference, where = first_wrong(checked("softmax-scale"))
    assert difference.name == "blocks.1.attn.qkv.bias"
    assert where == "right from the logits down to blocks.1.attn.proj.weight, wrong from here"
    difference, where = first_wrong(checked("bias-twice"))
    assert (difference.name, where) == ("head.bias", "wrong from the logits on")
    assert first_wrong([Difference("x", np.ones(1), np.ones(1))]) is None


@pytest.mark.parametrize(
    ("mutant", "words"),
    [("bias-twice", "counted twice"), ("bias-forgotten", "never added")],
)
def test_further_directions_show_a_constant_ratio(mutant, words):
    difference, _ = first_wrong(checked(mutant))
    assert difference.analytic.size == 4
    assert words in likely_mistake(difference)


def test_lengths_that_may_be_forgotten():
    assert lengths(CASES["distilled"], 3) == {"K": 4, "batch": 3, "tokens": 11}


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
