import json

import pytest

from tervit_np.quant import (
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
