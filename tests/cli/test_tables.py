"""Tables fit the terminal; piped output has one row a line."""

from pathlib import Path

import pytest

from data_tools.terminal import columns_of
from tervit_np.cli import layout
from tervit_np.cli.tables import in_columns

STORED = Path(__file__).parents[2] / "docs" / "comparisons" / "main.json"
ROWS = [("arm", "budget", "test"), ("direct, layer", "float 5, ternary 5", "52.16 ± 1.99")]


@pytest.fixture
def terminal(monkeypatch):
    """Let standard output be a terminal of so many columns."""

    def of(columns):
        monkeypatch.setattr(layout, "is_terminal", lambda stream: True)
        monkeypatch.setenv("COLUMNS", str(columns))

    return of


def widest(text):
    return max(map(len, text.splitlines()))


@pytest.mark.parametrize("width", [None, 47, 100])
def test_a_table_that_fits_has_one_row_a_line(width):
    assert in_columns(ROWS, 1, width).splitlines() == [
        "arm            budget                      test",
        "direct, layer  float 5, ternary 5  52.16 ± 1.99",
    ]


def test_the_widest_columns_wrap_at_spaces_and_a_deviation_keeps_its_sign():
    assert in_columns(ROWS, 1, 30).splitlines() == [
        "arm      budget       test",
        "",
        "direct,  float 5,    52.16",
        "layer    ternary 5  ± 1.99",
    ]


def test_words_are_broken_only_where_lines_would_be_too_long():
    rows = [("stage", "loss"), ("ternary-once-more", "1.25")]
    assert widest(in_columns(rows, 1, 23)) == 23
    assert in_columns(rows, 1, 14).splitlines()[2:] == ["ternary-  1.25", "once-", "more"]


def test_wide_characters_take_two_columns_and_accents_none():
    rows = [("arm", "test"), ("直接训练", "52.16"), ("Zoe\u0308", "1")]
    assert in_columns(rows, 1, None).splitlines() == [
        "arm        test",
        "直接训练  52.16",
        "Zoe\u0308           1",
    ]
    for width in range(9, 16):
        assert max(map(columns_of, in_columns(rows, 1, width).splitlines())) <= width
    assert in_columns(rows, 1, 11).splitlines()[2:4] == ["直接  52.16", "训练"]


@pytest.mark.parametrize("columns", [80, 120])
def test_a_comparison_fits_the_terminal(tervit, tmp_path, terminal, columns):
    piped = tervit("compare", "--redraw", STORED, "--out", tmp_path)[1]
    assert "| direct, channel       | float 5, ternary 5          | x 1 " in piped
    terminal(columns)
    shown = tervit("compare", "--redraw", STORED, "--out", tmp_path)[1]
    shown = shown.rpartition("figure:")[0]
    assert widest(shown) <= columns < widest(piped)
    numbers = {"33.82", "± 1.77", "+1.58,", "fits the runs."}
    assert all(number in shown for number in numbers)


@pytest.mark.parametrize(("listing", "columns"), [("--layers", 80), ("--activations", 70)])
def test_the_names_of_a_swin_fit_the_terminal(tervit, terminal, listing, columns):
    def rows():
        return tervit("size", "swin_tiny_patch4_window7_224", listing)[1].partition("\nwith ")[0]

    piped = rows().partition("\n")[2]  # without the title
    terminal(columns)
    shown = rows().partition("\n")[2]
    assert widest(shown) <= columns < widest(piped)
    assert sorted("".join(shown.split())) == sorted("".join(piped.split()))  # nothing is cut off


def test_names_are_broken_behind_a_sign():
    rows = [("", "MB"), ("layers.0.attn.relative_position_bias_table", "1.25")]
    lines = in_columns(rows, 1, 29).splitlines()
    assert lines[2:] == ["layers.0.attn.relative_  1.25", "position_bias_table"]


def test_a_recipe_fits_the_terminal(tervit, terminal):
    args = "train", "--show-recipe", "--preset", "cifar10"
    piped = tervit(*args)[1]
    terminal(80)
    shown = tervit(*args)[1]
    assert widest(shown) <= 80 < widest(piped)
    assert len(shown.splitlines()) > len(piped.splitlines())
    assert shown.split() == piped.split()
    assert f"rate 0.004, at the end 0.004, warm-up 0.45\n{'':36}epochs\n" in shown


def test_a_number_stays_with_its_percent_sign():
    table = in_columns([("inputs of", "clipped"), ("blocks.0.attn", "12.123 %")], 1, 18)
    assert "12.123 %" in table
