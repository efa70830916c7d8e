"""docs/make_stage_changes.py: how far stages move weights and codes."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tervit_np.analysis.comparison import compare
from tervit_np.analysis.comparison.reading import plan_from_table

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("changes", DOCS / "make_stage_changes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_the_stored_numbers(script):
    text = script.PAGE.read_text(encoding="utf-8")
    assert "<!-- stage changes -->\n| arm" in text
    assert script.remade(text) == text


def test_a_change_is_relative_to_the_weights_before(script):
    before = [np.array([[3.0, 0.0]], np.float32), np.array([4.0], np.float32)]
    after = [np.array([[3.0, 0.5]], np.float32), np.array([4.0], np.float32)]
    assert script.relative_change(before, after) == 0.1


def test_each_stage_after_the_first_is_measured_in_every_arm(script, table, test_set, tmp_path):
    compare(plan_from_table(table), tmp_path / "run", quiet=True)
    measured = script.measure(tmp_path / "run")
    assert measured["comparison"] == "small"
    for arm in table["arms"]:
        names = [stage["name"] for stage in arm["stages"]][1:]
        for seed, found in zip(table["seeds"], measured["arms"][arm["name"]], strict=True):
            assert (found["seed"], list(found["change"])) == (seed, names)
            assert all(0 < value < 1 for value in (*found["change"].values(), found["codes"]))
