import pytest

from data_tools.counted import counted


@pytest.mark.parametrize(
    ("number", "thing", "text"),
    [
        (0, "picture", "0 pictures"),
        (1, "picture", "1 picture"),
        (2000, "picture", "2,000 pictures"),
        (1, "class", "1 class"),
        (2, "class", "2 classes"),
        (2, "batch", "2 batches"),
        (1, "entry", "1 entry"),
        (2, "entry", "2 entries"),
        (2, "day", "2 days"),
        (1, ".txt file", "1 .txt file"),
        (1.0, "epoch", "1 epoch"),
        (0.1, "epoch", "0.1 epochs"),
        (20.0, "epoch", "20 epochs"),
    ],
)
def test_a_noun_has_the_number_of_what_it_counts(number, thing, text):
    assert counted(number, thing) == text


def test_numbers_in_lines_below_each_other_are_aligned():
    assert counted(1, "picture", 9) == "        1 picture"
    assert counted(96000, "picture", 9) == "   96,000 pictures"
