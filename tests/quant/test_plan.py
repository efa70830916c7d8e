import pytest

import tervit_np as tv
from tervit_np.deploy.packing import packed_copy
from tervit_np.kernels import Panels
from tervit_np.quant import (
    IDENTITY,
    PLANS,
    Identity,
    Plan,
    Ternary,
    UniformAct,
    UniformWeight,
    named_plan,
    plan_table,
)
from tervit_np.quant.plan_names import UnknownPlan

ACT = UniformAct()


def kinds(plan, model):
    tv.quantize(model, plan)
    return {name: type(layer.weight_quant) for name, layer in model.quantizable()}


def test_the_first_match_wins():
    plan = Plan([(r"a\..*", Ternary(), ACT), (r".*", UniformWeight(4), ACT)])
    assert isinstance(plan.choose("a.b")[0], Ternary)
    assert plan.choose("b.a.c")[0].bits == 4


def test_patterns_match_the_whole_name():
    plan = Plan([(r"head", Ternary(), ACT)])
    assert isinstance(plan.choose("head")[0], Ternary)
    for other in ("head_dist", "my.head", "heads"):
        assert plan.choose(other) == (IDENTITY, IDENTITY)


def test_every_layer_gets_its_own_quantizers():
    plan = Plan([(r".*", Ternary(), ACT)])
    one, two = plan.choose("x"), plan.choose("y")
    assert one[0] is not two[0]
    assert one[1] is not two[1]
    assert one[0] is not plan.rules[0][1]


@pytest.mark.parametrize("stem", ["linear", "conv"])
def test_the_default_plan_makes_the_encoder_ternary(stem):
    """The encoder ternary, what touches pixels and classes 8 bit, attention's products float."""
    kind_of = kinds("ternary", tv.create_model("deit_shapes", depth=1, stem=stem))
    for name, kind in kind_of.items():
        if name.endswith("products"):
            assert kind is Identity
        else:
            assert kind is (Ternary if name.startswith("blocks.") else UniformWeight), name
    distilled = tv.create_model("deit_shapes", depth=1, pool="cls", distilled=True)
    assert kinds("ternary", distilled)["head_dist"] is UniformWeight


def test_int8_covers_the_same_layers_as_ternary():
    model = tv.create_model("deit_shapes", depth=1)
    eight, three = kinds("int8", model), kinds("ternary", model)
    assert {n for n, k in eight.items() if k is not Identity} == {
        n for n, k in three.items() if k is not Identity
    }
    assert set(kinds("float", model).values()) == {Identity}


@pytest.mark.parametrize("stem", ["linear", "conv"])
def test_all_matrices_can_be_ternary_and_packed(stem):
    model = tv.create_model("deit_shapes", depth=1, stem=stem)
    kind_of = kinds("ternary-all", model)
    assert {k for n, k in kind_of.items() if not n.endswith("products")} == {Ternary}
    packed = packed_copy(model)
    embedding, head = packed.patch_embed.proj.linear, packed.head
    assert isinstance(embedding.packed, Panels)
    assert isinstance(head.packed, Panels)


def test_swin_names_are_covered():
    ternary = PLANS["ternary"]
    for name in ("layers.2.blocks.5.attn.qkv", "layers.0.downsample.reduction"):
        assert isinstance(ternary.choose(name)[0], Ternary)
    assert isinstance(ternary.choose("patch_embed.norm")[0], UniformWeight)


def test_plans_are_found_by_name():
    plan = Plan([])
    assert named_plan(plan) is plan
    assert named_plan("int8") is PLANS["int8"]


@pytest.mark.parametrize(
    ("name", "weights", "inputs", "first"),
    [
        ("int4", "int4 (channel)", "int8 symmetric (token)", "int8 symmetric (token)"),
        ("lsq3", "LSQ 3 bits (channel, mean)", "int8 symmetric (token)", "int8 symmetric (token)"),
        ("lsqplus8", "LSQ 8 bits (channel, deviation)", "int8 symmetric (token)", None),
        ("lsqplus4-int4", "LSQ 4 bits (channel, deviation)", "int4 symmetric (token)", None),
        ("dorefa4", "DoReFa 4 bits (tensor, fit)", "int8 symmetric (token)", None),
        ("ternary-group32", "ternary (group32, twn, support)", "int8 symmetric (token)", None),
        (
            "ternary-int4",
            "ternary (channel, twn, support)",
            "int4 symmetric (token)",
            "int8 symmetric (token)",
        ),
        ("seq-int2-minmax", "ternary SEQ (channel)", "int2 minmax (token)", None),
        ("int4-int2-quest", "int4 (channel)", "QuEST 2 bits (token)", "int8 symmetric (token)"),
        (
            "ternary-int4-lsqplus",
            "ternary (channel, twn, support)",
            "int4 LSQPlus (not calibrated)",
            None,
        ),
        (
            "lsqplus-int8-pact",
            "LSQ 2 bits (channel, deviation)",
            "int8 PACT (not calibrated)",
            None,
        ),
        (
            "ternary-int4-static",
            "ternary (channel, twn, support)",
            "int4 static (not calibrated)",
            "int8 static (not calibrated)",
        ),
        ("float-int4", "float", "int4 symmetric (token)", "float"),
    ],
)
def test_names_are_put_together(name, weights, inputs, first):
    plan = named_plan(name)
    assert list(map(repr, plan.choose("blocks.1.mlp.fc2"))) == [weights, inputs]
    assert first is None or repr(plan.choose("head")[1]) == first


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ternary-int9", "unknown plan 'ternary-int9'; known: .* NAME-int4, NAME-int2-quest"),
        ("ternary-int4-int2", "unknown plan"),
        ("lsqplus9", "unknown plan 'lsqplus9'; known: .* intN, lsqN, lsqplusN and dorefaN for"),
        ("quest4", "unknown plan 'quest4'"),
        ("dorefa8", "bits is 8; expected an integer from 2 to 7"),
        ("trinary-int4", "unknown plan 'trinary'"),
        ("ternary-int8-quest", "bits is 8; expected an integer from 2 to 7"),
        ("ternary-int4-quest-static", "inputs 'int4-quest' have no static form; .* without -quest"),
        ("seq-int2-minmax-static", "inputs 'int2-minmax' have no static form"),
        ("float-int4-lsqplus-static", "inputs 'int4-lsqplus' have no static form"),
        ("ternary-group1", "at least 2, as in 'group64'"),
    ],
)
def test_names_that_cannot_be_put_together_are_refused(name, words):
    with pytest.raises(ValueError, match=words):
        named_plan(name)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown plan 'int9'; known: float, int8, ternary"):
        named_plan("int9")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (("(", Ternary(), ACT), "'\\(' is not a regular expression"),
        (("a", Ternary()), "is not \\(pattern, weight quantizer, activation quantizer\\)"),
        ((None, Ternary(), ACT), "is not \\(pattern"),
        (("a", "ternary", ACT), "'ternary'.* is not \\(pattern"),
        ("abc", "'abc' is not \\(pattern"),
    ],
)
def test_malformed_rules_are_refused(rule, words):
    with pytest.raises(ValueError, match=words):
        Plan([rule])


def test_plans_print_their_rules():
    assert repr(Plan([])) == "float"
    assert repr(Plan([("a", Ternary(), ACT), ("b", IDENTITY, IDENTITY)])) == (
        "a: ternary (channel, twn, support) weights, int8 symmetric (token) inputs\n"
        "b: float weights, float inputs"
    )


def test_the_table_has_a_line_for_every_layer():
    model = tv.quantize(tv.create_model("deit_shapes", depth=1), "ternary")
    lines = plan_table(model.quantizable()).splitlines()
    assert len(lines) == 1 + len(model.quantizable())
    assert lines[0].split() == ["layer", "weight", "weights", "inputs"]
    columns = {line.index(word) for line, word in zip(lines[2:3], ["192 x 64"], strict=True)}
    assert columns == {lines[0].index("weight")}
    by_name = {line.split()[0]: line for line in lines}
    assert "ternary (channel, twn, support)" in by_name["blocks.0.attn.qkv"]
    assert "int8 (channel)" in by_name["head"]
    assert by_name["blocks.0.attn.products"].split() == [
        "blocks.0.attn.products",
        "-",
        "-",
        "float",
    ]


def test_a_layer_without_weight_gets_no_weight_quantizer():
    """A rule for all names reaches the products of attention, which have no weight."""
    model = tv.create_model("deit_shapes", depth=1)
    plan = Plan([("head", Ternary(), ACT), (".*", UniformWeight(8), ACT)])
    tv.quantize(model, plan)
    products = dict(model.quantizable())["blocks.0.attn.products"]
    assert products.weight_quant is IDENTITY
    assert isinstance(products.act_quant, UniformAct)
    assert packed_copy(model) is not None


@pytest.mark.parametrize(("name", "suggests"), [("trinary", True), ("int9", False), ("x?", False)])
def test_an_unknown_plan_says_whether_a_name_is_suggested(name, suggests):
    with pytest.raises(UnknownPlan) as raised:
        named_plan(name)
    assert raised.value.suggests == suggests
    assert ("did you mean" in str(raised.value)) == suggests


def test_the_rules_of_a_plan_do_not_change():
    """A rule put into the list was shown, stored with a model, and never used."""
    given = [("head", Ternary(), ACT)]
    plan = Plan(given)
    given.append((".*", UniformWeight(), ACT))
    assert len(plan.rules) == 1
    with pytest.raises(AttributeError):
        PLANS["ternary"].rules.insert(0, given[1])
    with pytest.raises(AttributeError):
        plan.rules = given
