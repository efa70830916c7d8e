"""Plan files keep every plan, and each mistake in one gets its own sentence."""

import re
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tervit_np as tv
from tervit_np.quant import (
    IDENTITY,
    PLANS,
    Plan,
    QuestAct,
    StaticAct,
    Ternary,
    UniformAct,
    UniformWeight,
)
from tervit_np.quant.plan_file import (
    check_fits,
    complete,
    plan_to_toml,
    read_plan_file,
    write_plan_file,
)
from tervit_np.quant.plan_words import quantizer_from_words, quantizer_to_words
from tervit_np.quant.spec import RULES, plan_to_spec, quantizer_to_spec

EIGHT = "weights = 'int8'\ninputs = 'int8'"
WEIGHTS = [
    IDENTITY,
    Ternary(),
    Ternary("tensor", "exact", clip=2.5),
    Ternary(threshold=0.4, scale="mean"),
    UniformWeight(4),
    UniformWeight(8, "tensor"),
]
INPUTS = [
    IDENTITY,
    UniformAct(8),
    UniformAct(6, "minmax", "tensor"),
    StaticAct(8),
    StaticAct(4, 0.0123),
]


@pytest.fixture(scope="module")
def layers():
    return tv.create_model("deit_shapes", depth=2).quantizable()


@pytest.fixture
def read(tmp_path):
    """Write a text as plan.toml and read it."""

    def call(text):
        (tmp_path / "plan.toml").write_text(text)
        return read_plan_file(tmp_path / "plan.toml")

    return call


@pytest.mark.parametrize("plan", [*PLANS.values(), Plan([])], ids=[*PLANS, "empty"])
def test_named_plans_survive(tmp_path, plan):
    write_plan_file(plan, tmp_path / "p.toml", "Two lines\nof comment.")
    assert plan_to_spec(read_plan_file(tmp_path / "p.toml")) == plan_to_spec(plan)
    assert (tmp_path / "p.toml").read_text().startswith("# Two lines\n# of comment.\n")


@pytest.mark.parametrize(
    ("quantizer", "column"),
    [(q, "weights") for q in WEIGHTS] + [(q, "inputs") for q in INPUTS],
    ids=repr,
)
def test_quantizers_survive(quantizer, column):
    words = tomllib.loads(f"x = {quantizer_to_words(quantizer, column)}")["x"]
    assert quantizer_to_spec(quantizer_from_words(words, column)) == quantizer_to_spec(quantizer)


def test_every_rule_has_a_word():
    rules = {*map(type, WEIGHTS), *map(type, INPUTS)}
    assert rules >= {RULES[name] for name in ("Identity", "Ternary", "UniformWeight", "UniformAct")}
    for name, rule in RULES.items():
        column = "inputs" if issubclass(rule, UniformAct | QuestAct | StaticAct) else "weights"
        assert quantizer_to_words(rule(), column), name


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=30))
def test_any_pattern_survives(text):
    """Quotes, backslashes, control characters: what Plan takes, the file gives back."""
    try:
        plan = Plan([(text, Ternary(), UniformAct())])
    except ValueError:
        return
    table = tomllib.loads(plan_to_toml(plan))
    assert table["layer"][0]["pattern"] == text


def test_a_long_list_of_names_has_a_line_for_each(read):
    names = [rf"blocks\.{i}\.attn\.qkv" for i in range(9)]
    plan = Plan([("|".join(names), Ternary(), UniformAct())])
    text = plan_to_toml(plan)
    assert text.count("\n    '") == 9
    assert plan_to_spec(read(text)) == plan_to_spec(plan)


def test_the_comment_of_a_rule_is_above_it():
    rules = [("a", Ternary(), UniformAct()), ("b", IDENTITY, IDENTITY)]
    text = plan_to_toml(Plan(rules), notes=["", "+0.05"])
    assert "# +0.05\n[[layer]]\npattern = 'b'\n" in text
    assert text.startswith("[[layer]]\npattern = 'a'\n")


def test_comments_have_any_characters(tmp_path):
    """As of the name of a model's file, which need not be text; TOML allows tabs alone."""
    about = "Plan of runs/\x1b[31m\udcff\x00 \x7f\r\nnext ü"
    write_plan_file(PLANS["ternary"], tmp_path / "p.toml", about, ["\x07"])
    assert plan_to_spec(read_plan_file(tmp_path / "p.toml")) == plan_to_spec(PLANS["ternary"])
    first, second, *_ = (tmp_path / "p.toml").read_text("utf-8").splitlines()
    assert (first, second) == (r"# Plan of runs/\x1b[31m\udcff\x00 \x7f", "# next ü")


def test_an_old_file_stays_if_a_plan_cannot_be_written(tmp_path):
    file = tmp_path / "p.toml"
    file.write_text("old")
    with pytest.raises(ValueError, match="cannot have inputs of ternary"):
        write_plan_file(Plan([("a", Ternary(), Ternary())]), file)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[layer]\n", "is not TOML: Expected .*line 1"),
        ("[[layer]]\npattern = ['(a', 'b)']\nweights = 'float'\ninputs = 'float'", "unbalanced"),
        (f"[[layer]]\npattern = {['a{99999}'] * 3}\n{EIGHT}", "number 1: .* repeats too much"),
        ('[[layer]]\npattern = "a\\.b"\n', "line 2.*write a text with backslashes between '"),
        ("", "there is no entry"),
        ("[layer]\nhead = 3", "there is no entry"),
        ("layer = 3", "there is no entry"),
        ("layers = 3", "unknown field 'layers'; expected .*layer.* alone"),
        ("arms = []", "this is the plan of a comparison"),
        (f"[[layer]]\n{EIGHT}", "number 1: pattern is missing"),
        ("[[layer]]\npattern = 'a'\nweights = 'int8'", "number 1: inputs is missing"),
        (f"[[layer]]\npattern = 'a'\n{EIGHT}\nbits = 3", "number 1 has no field 'bits'"),
        (f"[[layer]]\npattern = 3\n{EIGHT}", "pattern is 3; expected text"),
        (f"[[layer]]\npattern = []\n{EIGHT}", "pattern is .*; expected text"),
        (f"[[layer]]\npattern = '('\n{EIGHT}", "number 1: '\\(' is not a regular expression"),
        (
            "[[layer]]\npattern = 'a'\nweights = 'int9'\ninputs = 'int8'",
            "number 1, 'a': weights is 'int9'; expected float, ternary.* or int2 to int8",
        ),
        (
            "[[layer]]\npattern = 'a'\nweights = 'int8'\ninputs = 'ternary'",
            "inputs is 'ternary'; expected float or int2 to int8",
        ),
        ("[[layer]]\npattern = 'a'\nweights = 8\ninputs = 'int8'", "between quotes"),
        (
            "[[layer]]\npattern = 'a'\nweights = {quantizer = 'int8', bits = 3}\ninputs = 'int8'",
            "\"int8\" has no option 'bits'; its options are per",
        ),
        (
            "[[layer]]\npattern = 'a'\nweights = 'int8'\ninputs = {quantizer = 'float', a = 1}",
            "\"float\" has no option 'a'; it has none",
        ),
        (
            "[[layer]]\npattern = 'a'\nweights = {quantizer = 'int8', per = 'row'}\ninputs='int8'",
            "weights: per is 'row'; expected 'channel', 'tensor', or 'group'",
        ),
    ],
)
def test_each_mistake_has_its_sentence(read, text, words):
    with pytest.raises(ValueError, match=words) as caught:
        read(text)
    assert "plan.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"x.toml: no such file; expected a plan in TOML"):
        read_plan_file(tmp_path / "x.toml")
    with pytest.raises(ValueError, match="is a folder"):
        read_plan_file(tmp_path)


def test_the_first_entry_decides_in_a_model(read):
    plan = read(
        "[[layer]]\npattern = ['blocks\\.0\\..*', 'head']\nweights = 'int4'\ninputs = 'int8'\n"
        "[[layer]]\npattern = '.*'\nweights = 'ternary'\ninputs = 'float'\n".replace("\\.", r"\.")
    )
    model = tv.quantize(tv.create_model("deit_shapes", depth=2), plan)
    kinds = {name: repr(layer.weight_quant) for name, layer in model.quantizable() if layer.weight}
    assert kinds["blocks.0.attn.qkv"] == kinds["head"] == "int4 (channel)"
    assert kinds["blocks.1.attn.qkv"].startswith("ternary")


def rules(*patterns):
    return Plan([(pattern, Ternary(), UniformAct()) for pattern in patterns])


@pytest.mark.parametrize(
    ("patterns", "words"),
    [
        (["head", "blok.*", ".*"], "'blok.*' matches no layer; the layers are patch_embed.proj, "),
        ([".*", "head", ".*"], "'head' has no effect, since an earlier pattern"),
        (["head"], "no pattern matches patch_embed.proj, blocks.0.attn.qkv, .*; a last entry"),
        ([r"(?:patch_embed|blocks).*"], "no pattern matches head; a last entry"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(layers, patterns, words):
    with pytest.raises(ValueError, match=re.escape(words).replace(r"\.\*", ".*")):
        check_fits(rules(*patterns), layers)


def test_a_last_pattern_may_be_for_a_rest_that_is_empty(layers):
    check_fits(rules(".*"), layers)
    check_fits(rules("head", ".*", ".*"), layers)


def test_products_of_attention_need_no_pattern(layers):
    check_fits(rules(r"patch_embed\.proj|head|.*\.(qkv|proj|fc1|fc2)"), layers)


@pytest.mark.parametrize("name", PLANS)
def test_a_completed_plan_fits_and_quantizes_alike(layers, name):
    plan = complete(PLANS[name], layers)
    check_fits(plan, layers, tv.create_model("deit_shapes", depth=1).norms())
    for layer, _ in layers:
        assert list(map(repr, plan.choose(layer))) == list(map(repr, PLANS[name].choose(layer)))
