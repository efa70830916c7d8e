"""What is printed below the tables of a comparison."""

from dataclasses import replace
from pathlib import Path

import pytest

from tervit_np.analysis.comparison import notes, read_record
from tervit_np.analysis.comparison.notes import shown_differences
from tervit_np.analysis.comparison.plan import Contrast

STORED = Path(__file__).parents[3] / "docs" / "comparisons"


def test_two_seeds_are_said_to_be_few(record):
    seeds, _, _, _ = notes(record)
    assert "2 seeds" in seeds
    assert "± 9.0 standard deviations" in seeds  # 12.706 / sqrt(2)
    assert "uncertain" in seeds
    assert "uncertain" not in " ".join(notes(read_record(STORED / "main.json")))


def test_one_seed_has_no_interval_to_count(record):
    one = replace(record, plan=replace(record.plan, seeds=(1,)))
    seeds, pictures = notes(one)
    assert "may reverse every difference" in seeds
    assert "standard error" in pictures


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tequila", "leave 0 out: 0 of 1. If no difference were real, 0.05 would on average"),
        ("cifar10", "leave 0 out: 6 of 14. If no difference were real, 0.7 would on average"),
    ],
)
def test_intervals_are_counted_beside_what_chance_gives(name, words):
    assert words in " ".join(notes(read_record(STORED / f"{name}.json")))


def test_a_difference_of_both_tables_counts_once_in_either_sense(record):
    names = [arm.name for arm in record.plan.arms]
    asked = (
        Contrast("again", (names[1],), (names[0],)),
        Contrast("reversed", (names[0],), (names[2],)),
        Contrast("another", (names[1],), (names[2],)),
    )
    asking = replace(record, plan=replace(record.plan, contrasts=asked))
    assert len(shown_differences(record)) == 2
    assert len(shown_differences(asking)) == 3
    mixed = (
        Contrast("one order", (names[0], names[1]), (names[2],)),
        Contrast("the other", (names[1], names[0]), (names[2],)),
        Contrast("none", (names[0], names[1]), (names[1], names[0])),
    )
    asking = replace(record, plan=replace(record.plan, contrasts=mixed))
    assert len(shown_differences(asking)) == 3


def test_the_standard_error_is_that_of_the_test_pictures():
    text = " ".join(notes(read_record(STORED / "main.json")))
    assert "same 6,000 training and 2,000 test pictures" in text
    assert "up to 1.1 points" in text  # 100 sqrt(0.5 * 0.5 / 2000)


def test_no_standard_error_is_named_where_all_are_right(record):
    right = replace(record, tested=[{**t, "test_accuracy": 1.0} for t in record.tested])
    assert "do not cover others." in notes(right)[-1]
    assert "standard error" not in notes(right)[-1]
