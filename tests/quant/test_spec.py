import json

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.models import plan_of
from tervit_np.quant import (
    IDENTITY,
    LAT,
    LSQ,
    PACT,
    PLANS,
    QEMA,
    SEQ,
    TTQ,
    Blend,
    Dampened,
    DoReFa,
    Freezing,
    Hadamard,
    HadamardAct,
    Identity,
    LSQAct,
    LSQPlusAct,
    Plan,
    Quantizer,
    Quest,
    QuestAct,
    Sherry,
    StaticAct,
    Tequila,
    Ternary,
    TernaryGamma,
    UniformAct,
    UniformWeight,
)
from tervit_np.quant.spec import (
    RULES,
    plan_from_spec,
    plan_to_spec,
    quantizer_from_spec,
    quantizer_to_spec,
)
from tervit_np.train import Stage

QUANTIZERS = [
    Identity(),
    Ternary(),
    Ternary("tensor", "absmean", "mean", 2.5),
    Ternary(threshold=0.4),
    Ternary("group64"),
    Quest("tensor"),
    Sherry("group32"),
    SEQ(4, "tensor"),
    TTQ("tensor"),
    LSQ(8, "tensor", "deviation"),
    DoReFa(3, "channel", "one"),
    LAT("tensor"),
    QEMA("group8"),
    Dampened("tensor", 0.1),
    Freezing("channel", 0.1),
    Tequila("channel", 0.1),
    TernaryGamma(),
    Hadamard("tensor", 64),
    HadamardAct(3, 16),
    UniformWeight(4, "tensor"),
    UniformAct(6, "minmax", "tensor"),
    StaticAct(4),
    StaticAct(8, 0.1),
    QuestAct(3),
    LSQAct(4),
    LSQPlusAct(4),
    PACT(2),
]


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
def test_quantizers_survive_json(quantizer):
    text = json.dumps(quantizer_to_spec(quantizer))
    again = quantizer_from_spec(json.loads(text))
    assert type(again) is type(quantizer)
    assert vars(again) == vars(quantizer)


@pytest.mark.parametrize(
    "quantizer",
    [
        Ternary(threshold=np.float32(0.4), clip=np.int64(2)),
        SEQ(np.int64(4)),
        UniformWeight(np.int64(4)),
        UniformAct(np.int8(4), "minmax"),
        StaticAct(np.int64(4), 0.1),
        LSQ(np.int64(4)),
        DoReFa(np.int64(4)),
        QuestAct(np.int64(4)),
        HadamardAct(np.int64(4), np.int64(2)),
        Hadamard(block=np.int64(2)),
        Dampened(strength=np.float32(0.1)),
        Freezing(limit=np.float64(0.1)),
        Tequila(strength=np.float32(0.1)),
    ],
    ids=repr,
)
def test_numbers_of_numpy_are_stored_as_those_of_python(quantizer):
    """Who varies an argument takes its values from an array."""
    again = quantizer_from_spec(json.loads(json.dumps(quantizer_to_spec(quantizer))))
    assert vars(again) == vars(quantizer)
    w = np.linspace(-3, 3, 12, dtype=np.float32).reshape(2, 6)
    for each in (quantizer, again):
        each.prepare(w)
    np.testing.assert_array_equal(quantizer.forward(w)[0], again.forward(w)[0], strict=True)


def test_bits_of_numpy_become_those_of_python():
    """Inputs that are calibrated before they run."""
    for rule in (LSQAct, LSQPlusAct, PACT):
        assert type(rule(np.int64(4)).bits) is int


def test_the_cases_cover_every_rule():
    assert {type(q).__name__ for q in QUANTIZERS} == set(RULES)


def test_a_blend_is_stored_as_its_inner_quantizer():
    spec = quantizer_to_spec(Blend(Blend(UniformWeight(4), 0.1), 0.5))
    assert spec == {"rule": "UniformWeight", "bits": 4, "per": "channel"}


@pytest.mark.parametrize("name", PLANS)
def test_plans_survive_json(name):
    again = plan_from_spec(json.loads(json.dumps(plan_to_spec(PLANS[name]))))
    assert isinstance(again, Plan)
    assert repr(again) == repr(PLANS[name])


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (None, "unknown quantizer None"),
        ("Ternary", "unknown quantizer 'Ternary'"),
        ({}, "unknown quantizer {}"),
        ({"rule": "exec"}, "known rules: Identity, Ternary"),
        ({"rule": ["Ternary"]}, "unknown quantizer"),
        ({"rule": "Ternary", "colour": 1}, "quantizer Ternary: .*colour"),
        ({"rule": "Ternary", "threshold": [1]}, "threshold is \\[1\\]"),
        ({"rule": "Ternary", "clip": float("inf")}, "clip is inf; expected a positive, finite"),
        ({"rule": "Ternary", "clip": "2.5"}, "clip is '2.5'; expected a positive, finite"),
        ({"rule": "Dampened", "strength": True}, "strength is True; expected a number"),
        ({"rule": "Freezing", "limit": [0.1]}, r"limit is \[0.1\]; expected a number"),
        ({"rule": "Ternary", "threshold": 10**400}, "threshold is 1000"),
        ({"rule": "Ternary", "clip": 10**400}, "clip is 1000"),
        ({"rule": "Dampened", "strength": 10**400}, "strength is 1000"),
        ({"rule": "Tequila", "strength": 10**400}, "strength is 1000"),
        ({"rule": "UniformWeight", "bits": "8"}, "bits is '8'"),
        ({"rule": "UniformAct", "kind": 3}, "kind is 3"),
        ({"rule": "StaticAct", "scale": "0.1"}, "scale is '0.1'"),
        ({"rule": "StaticAct", "scale": 10**400}, "scale is 1000"),
    ],
)
def test_malformed_quantizers_are_refused(spec, words):
    with pytest.raises(ValueError, match=words):
        quantizer_from_spec(spec)


@pytest.mark.parametrize(
    "spec", [3, "abc", [["a"]], [["a", 1, 2, 3]], [3], [["a", {"rule": "Identity"}, None]]]
)
def test_malformed_plans_are_refused(spec):
    with pytest.raises(ValueError, match="a plan is a list|unknown quantizer"):
        plan_from_spec(spec)


class Half(Quantizer):
    """A rule of a user."""

    def __init__(self, step=0.5):
        self.step = step

    def forward(self, w, keep_residual=False):
        return np.rint(w / self.step) * self.step, None

    def backward(self, dw_hat, cache):
        return dw_hat

    def frozen(self, w, cache):
        return w

    def encode(self, w):
        raise NotImplementedError


class TestRulesOfAUser:
    """A checkpoint with one was written, and could not be read, or was read as another rule."""

    def test_an_unknown_rule_is_refused_before_it_is_stored(self, tmp_path):
        model = tv.quantize(tv.create_model("deit_shapes"), Plan([("head", Half(), IDENTITY)]))
        for store in (
            lambda: tv.save_checkpoint(model, tmp_path / "x"),
            lambda: tv.export(model, tmp_path / "x"),
            lambda: tv.quant.write_plan_file(plan_of(model), tmp_path / "x"),
            lambda: Stage("own", plan_of(model), 1).describe(),
        ):
            with pytest.raises(ValueError, match=r"add it by tervit_np.quant.RULES\['Half'\]"):
                store()
        assert not (tmp_path / "x").exists()

    def test_a_class_with_the_name_of_a_rule_is_refused(self):
        class Ternary(Half):
            pass

        with pytest.raises(ValueError, match="the name of another rule; call it differently"):
            plan_to_spec(Plan([("head", Blend(Ternary()), IDENTITY)]))

    def test_a_registered_rule_is_stored_and_read(self, tmp_path, monkeypatch):
        monkeypatch.setitem(tv.quant.RULES, "Half", Half)
        model = tv.quantize(tv.create_model("deit_shapes"), Plan([("head", Half(0.25), IDENTITY)]))
        tv.save_checkpoint(model, tmp_path / "x")
        loaded, _ = tv.load_model(tmp_path / "x")
        assert type(loaded.head.weight_quant) is Half
        assert loaded.head.weight_quant.step == 0.25

    def test_an_argument_that_is_no_attribute_is_named(self):
        class Forgetful(Half):
            def __init__(self, levels=3):
                super().__init__(1 / levels)

        model = tv.quantize(tv.create_model("deit_shapes"), Plan([("head", Forgetful(), IDENTITY)]))
        tv.quantize(model, Plan([("head", Forgetful(), IDENTITY)]))  # needs no arguments
        with pytest.raises(ValueError, match=r"no attribute of this name; set self.levels in"):
            plan_of(model)
