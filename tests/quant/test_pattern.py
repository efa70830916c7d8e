"""Patterns agree with Python's `re`, and none of them takes long."""

import re
import time
import tracemalloc

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.quant import Plan, Ternary, UniformAct
from tervit_np.quant.pattern import Pattern
from tervit_np.quant.plan import ENCODER, FIRST_AND_LAST
from tervit_np.train import Stage

ATOMS = [
    "a",
    "b",
    r"\.",
    "1",
    ".",
    r"\d",
    r"\W",
    "[ab]",
    "[^a]",
    "[a-c1]",
    r"[\d.]",
    r"[\d-]",
    r"[-\w]",
    "[]a]",
    "^",
    "$",
]
REPEATS = ["*", "+", "?", "{2}", "{1,2}", "{2,}", "{0,3}", "*?", "+?"]


def draw(rng, depth=0):
    """Draw a pattern."""
    kind = rng.integers(5) if depth < 5 else 0
    if kind < 2:
        return ATOMS[rng.integers(len(ATOMS))]
    one, two = draw(rng, depth + 1), draw(rng, depth + 1)
    repeat = REPEATS[rng.integers(len(REPEATS))]
    return {2: one + two, 3: f"(?:{one}|{two})", 4: f"({one}){repeat}"}[kind]


def test_matches_are_those_of_re():
    rng = np.random.default_rng(0)
    for _ in range(300):
        text = draw(rng)
        name = "".join("ab.1c"[i] for i in rng.integers(5, size=rng.integers(8)))
        pattern, expected = Pattern(text), re.compile(text)
        assert pattern.fullmatch(name) == bool(expected.fullmatch(name)), (text, name)
        assert pattern.search(name) == bool(expected.search(name)), (text, name)


@pytest.mark.parametrize("pattern", [ENCODER, FIRST_AND_LAST, f"{ENCODER}|{FIRST_AND_LAST}", ".*"])
def test_the_plans_patterns_choose_the_same_layers(pattern):
    for model in ("deit_cifar", "swin_cifar"):
        for name, _ in tv.create_model(model).quantizable():
            assert Pattern(pattern).fullmatch(name) == bool(re.fullmatch(pattern, name)), name


def test_a_list_of_many_names_is_looked_up():
    """As a saved model with thousands of quantized layers has."""
    names = [f"blocks.{i}.attn.qkv" for i in range(3000)]
    pattern = Pattern("|".join(map(re.escape, names)))
    assert all(pattern.fullmatch(name) for name in names)
    assert not any(map(pattern.fullmatch, ("blocks.3000.attn.qkv", "blocksx1xattnxqkv", "")))
    assert Pattern(r"a\|b|").fullmatch("a|b")
    assert Pattern(r"a\\b").fullmatch(r"a\b")
    assert not Pattern(r"a\\b").fullmatch("ab")
    assert Pattern("").fullmatch("")


@pytest.mark.parametrize("pattern", ["[\x00-\xff0]" * 14_000, "x" * 100_000, "(((x)))" * 14_000])
def test_a_pattern_takes_no_more_memory_than_its_length_allows(pattern):
    tracemalloc.start()
    Pattern(pattern)
    assert tracemalloc.get_traced_memory()[1] < 32_000_000
    tracemalloc.stop()


def test_the_patterns_of_a_plan_are_bounded_together():
    rule = ("x" * 60_000, Ternary(), UniformAct())
    with pytest.raises(ValueError, match="plan: its patterns have over 100000 characters"):
        Plan([rule, rule])
    with pytest.raises(ValueError, match="has 100001 characters, at most 100000"):
        Pattern("x" * 100_001)


HANGS = {
    "nested": r"(([a-z.0-9]+)+)+!",
    "nested stars": "((((a*)*)*)*)*!",
    "twice the same": "(a|a|[a-z.0-9])*!",
    "many stars": ".*" * 500 + "!",
    "many choices": "(.|.|.)" * 200 + "!",
    "optional characters": ".?" * 200 + "!",
    "optional groups": "((((.?){9}){9}){9}){9}!",
    "counted": "(.{1,99}){1,99}!",
    "empty choices": "(|a|b){3000}" * 10,
}


@pytest.mark.parametrize("kind", HANGS)
def test_no_pattern_takes_long(kind):
    """Each of these keeps `re` busy for ever, or is as long as a pattern may be."""
    began = time.process_time()
    for layer in range(100):
        try:
            assert not Pattern(HANGS[kind]).fullmatch(f"layers.{layer}.blocks.17.attn.qkv.aaaaaaaa")
        except ValueError as error:
            assert "simplify it" in str(error) or "repeats too much" in str(error)
            break
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(a", "unbalanced parenthesis at character 2"),
        ("a)", "unbalanced parenthesis at character 1"),
        ("*a", "nothing to repeat"),
        ("a|+", "nothing to repeat"),
        ("(?=a)b", "groups are ( ) and (?: ), without look-ahead"),
        ("(?P<x>a)", "groups are ( ) and (?: )"),
        (r"(a)\1", r"unknown escape \1"),
        ("a\\", "unknown escape"),
        ("[a", "unterminated ["),
        ("[z-a]", "bad range of characters"),
        (r"[\d-z]", "bad range of characters at character 5"),
        (r"[a-\d]", "bad range of characters"),
        (r"[\w-.]", "bad range of characters"),
        ("a++a", "put parentheses around what is repeated twice at character 2"),
        ("a{2}{3}", "repeated twice"),
        ("a+??", "repeated twice"),
        ("a{2,1}", "the first of {m,n} is larger"),
        ("a{x}", "expected {m}, {m,} or {m,n}"),
        ("a{999999}", "expected {m}, {m,} or {m,n}"),
        ("((a{999}){999}){999}", "it repeats too much"),
        ("(" * 1000 + ")" * 1000, "more than 50 nested parentheses"),
    ],
)
def test_what_the_machine_does_not_have_is_refused(pattern, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        Pattern(pattern)
    with pytest.raises(ValueError, match=re.escape(words)):
        Plan([(pattern, Ternary(), UniformAct())])
    with pytest.raises(ValueError, match=re.escape(words)):
        Stage("float", "float", 1, freeze=pattern)
