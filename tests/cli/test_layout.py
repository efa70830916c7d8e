"""Help texts are laid out in the width of the terminal."""

from tervit_np.cli.layout import lay_out

TEXT = """\
Measure the loss surfaces of a run, as well-known
to everybody.

The rules:
  min-max   the largest
            magnitude
  as stored   three values

then:
  tervit eval runs/shapes --stage float --plan plan.toml
  tervit train --data cifar10 --stages ternary:3     from scratch"""


def test_paragraphs_are_filled_and_lists_aligned():
    assert lay_out(TEXT, 90).splitlines() == [
        "Measure the loss surfaces of a run, as well-known to everybody.",
        "",
        "The rules:",
        "  min-max    the largest magnitude",
        "  as stored  three values",
        "",
        "then:",
        "  tervit eval runs/shapes --stage float --plan plan.toml",
        "  tervit train --data cifar10 --stages ternary:3",
        "      from scratch",
    ]


def test_a_long_command_continues_before_an_option():
    assert lay_out(TEXT, 42).splitlines()[-5:] == [
        "  tervit eval runs/shapes --stage float \\",
        "      --plan plan.toml",
        "  tervit train --data cifar10 \\",
        "      --stages ternary:3",
        "      from scratch",
    ]


def test_words_with_hyphens_stay_whole():
    assert "as\nwell-known\nto" in lay_out(TEXT, 11)


def test_a_long_word_moves_the_column_to_the_left():
    text = "  tervit calibrate runs/a  to runs/shapes/ternary-calibrated.npz"
    assert lay_out(text, 50).splitlines() == [
        "  tervit calibrate runs/a",
        "                to",
        "                runs/shapes/ternary-calibrated.npz",
    ]
