"""docs/quantizers.md names every rule, its file, and plans that exist."""

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

PAGE = (Path(__file__).parents[2] / "docs" / "quantizers.md").read_text(encoding="utf-8")
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
