"""docs/quantizers.md names every rule, its file, plans that exist, conventions and papers."""

import ast
import importlib.util
import inspect
import re
from pathlib import Path

from tervit_np.quant import (
    Blend,
    Identity,
    QuestAct,
    StaticAct,
    UniformAct,
    UniformWeight,
    named_plan,
)
from tervit_np.quant.spec import RULES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "quantizers.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ")]


def test_every_rule_has_its_file_in_a_row_or_in_the_text():
    for rule in (*RULES.values(), Blend):
        file = Path(inspect.getfile(rule)).name
        assert f"`quant/{file}`" in PAGE or rule.__name__ == "Identity", rule


def test_every_word_of_a_rule_for_weights_has_a_row():
    cells = " ".join(row.split("|")[1] for row in ROWS)
    for name, rule in RULES.items():
        by_bits = (
            Identity,
            UniformWeight,
            UniformAct,
            QuestAct,
            StaticAct,
        )  # of inputs, or words are intN
        assert f"`{name.lower()}`" in cells or issubclass(rule, by_bits)


def test_names_in_bold_are_plans():
    names = re.findall(r"\*\*`([\w-]+)`\*\*", PAGE)
    assert len(names) > 5
    for name in set(names) - {"int8"}:
        assert named_plan(name).rules


def test_the_conventions_are_those_of_the_rules():
    spec = importlib.util.spec_from_file_location("page", ROOT / "docs" / "make_conventions.py")
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    assert page.remade(PAGE) == PAGE
    assert r"| Ternary | \|w\| = Delta gives 0 (strict)" in PAGE
    assert "`tervit check --conventions`" in PAGE


PAPERS = [
    " ".join(item.split())
    for item in PAGE.split("\n## Papers\n")[1].removeprefix("\n* ").split("\n* ")
]


def test_every_paper_has_authors_a_year_and_a_number():
    for paper in PAPERS:
        assert re.match(
            r"[A-Z]\w+(?:, [A-Z]\w+)*(?: and others)? 20\d\d, \*.* arXiv \d{4}\.\d{4,5}", paper
        ), paper


def test_papers_that_the_files_of_the_rules_name_are_listed():
    named = set()
    for file in (ROOT / "tervit_np" / "quant").glob("*.py"):
        text = " ".join((ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").split())
        named |= set(re.findall(r"(\w+)(?: et al\.)? \(?(20\d\d)\b", text))
    assert {("Zhou", "2016"), ("Kwok", "2018"), ("Nagel", "2021"), ("Bengio", "2013")} < named
    for author, year in named:
        assert any(re.match(rf"[^*]*\b{author}\b[^*]* {year}, ", paper) for paper in PAPERS), author
