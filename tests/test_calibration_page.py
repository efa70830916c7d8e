"""docs/calibration.md says what docs/calibration.json holds."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("page", ROOT / "docs" / "make_calibration.py")
page = importlib.util.module_from_spec(spec)
spec.loader.exec_module(page)
TEXT = page.PAGE.read_text(encoding="utf-8")
ROWS = json.loads(page.RECORD.read_text())["rows"]
STATIC = [f"static, {rule}" for rule in ("min-max", "percentile", "least-squares")]


def values(section, inputs, bits, key="accuracy"):
    """Return the results of all seeds, accuracy in percent."""
    factor = 100 if key == "accuracy" else 1
    return factor * np.array([
        row[key] for row in ROWS
        if ((row["data"], row["stage"]), row["inputs"], row["bits"]) == (section, inputs, bits)
    ])  # fmt: skip


def means(section, bits, key="accuracy"):
    names = dict.fromkeys(row["inputs"] for row in ROWS if row["bits"] == bits)
    return {name: values(section, name, bits, key).mean() for name in names}


def test_the_tables_are_those_of_the_record():
    assert page.remade(TEXT) == TEXT
    assert len(page.sections()) == 4
    for data, stage in page.sections():
        assert page.results(data, stage) in TEXT


def test_everything_was_measured_by_the_same_commands():
    assert {row["command"] for row in ROWS} == {"tervit train", "tervit train --data cifar10"}
    for section in page.sections():
        assert len(values(section, "float", 32)) == 1
        for bits in (8, 4):
            assert [len(values(section, name, bits)) for name in STATIC] == [3, 3, 3]


@pytest.mark.parametrize("section", page.sections(), ids=str)
class TestClaims:
    """Of the list "What they show"."""

    def test_with_8_bits_no_way_is_off(self, section):
        for key, limit in (("accuracy", 0.3), ("loss", 0.006)):
            (reference,) = values(section, "float", 32, key)
            for name in means(section, 8):
                assert np.abs(values(section, name, 8, key).mean() - reference) < limit

    def test_with_4_bits_a_scale_for_each_token_is_best(self, section):
        found = means(section, 4)
        ahead = found["dynamic, token"] - max(found[name] for name in STATIC)
        if section == ("shapes", "ternary"):
            assert abs(ahead) < 0.2
        else:
            assert ahead > 1
        if section[0] == "cifar10":
            assert 6 <= ahead <= 11

    def test_with_4_bits_the_largest_magnitude_is_the_worst_end(self, section):
        for key, sign in (("accuracy", 1), ("loss", -1)):
            found = {name: sign * value for name, value in means(section, 4, key).items()}
            better = min(found["static, least-squares"], found["static, percentile"])
            assert better > max(found["static, min-max"], found["dynamic, tensor"])

    def test_the_pictures_matter_little(self, section):
        for bits in (8, 4):
            for name in STATIC:
                deviation = values(section, name, bits).std(ddof=1)
                if (section, bits, name) == (("cifar10", "ternary"), 4, "static, min-max"):
                    assert 1.35 < deviation < 1.45
                else:
                    assert deviation < 0.65
