from dataclasses import replace

from tervit_np.analysis.comparison.plan import Contrast
from tervit_np.analysis.comparison.table import arms_table, contrasts_table, markdown


def test_arms_have_deviations_and_paired_differences(record):
    head, direct, progressive, layer = arms_table(record)
    assert head[6:] == ("against direct", "95 %")
    assert direct[:2] == ("direct", "float 1, ternary 2")
    assert direct[3:] == ("10.50 ± 0.71", "71.00 ± 1.41", "81.00 ± 1.41", "", "")
    # +1 and -1: mean 0, sd sqrt 2, interval 12.706 sqrt 2 / sqrt 2
    assert progressive[5:] == ("81.00 ± 0.00", "+0.00 ± 1.41", "-12.71 to +12.71")
    assert layer[6] == "-1.75 ± 1.06"


def test_a_choice_at_an_end_of_the_grid_is_marked(record):
    chosen = [row[2] for row in arms_table(record)[1:]]
    assert chosen == [
        "x 0.5 (at the grid's end)",
        "x 1 (at the grid's end)",
        "x 1 (at the grid's end)",
    ]
    wide = replace(record, plan=replace(record.plan, multipliers=(0.25, 0.5, 1)))
    assert arms_table(wide)[1][2] == "x 0.5"
    single = replace(record, plan=replace(record.plan, multipliers=(0.5,)))
    assert arms_table(single)[1][2] == "x 0.5"


def test_a_contrast_shows_every_seed(record):
    asked = Contrast("does it help?", ("progressive",), ("direct",))
    asking = replace(record, plan=replace(record.plan, contrasts=(asked,)))
    head, row = contrasts_table(asking)
    assert head[-1] == "seeds 0, 1"
    assert row == ("does it help?", "+0.00 ± 1.41", "-12.71 to +12.71", "+1.00, -1.00")


def test_a_single_seed_has_no_deviation(record):
    one = replace(record, plan=replace(record.plan, seeds=(1,)))
    assert arms_table(one)[2][5:] == ("81.00", "-1.00", "")


def test_columns_are_as_wide_as_their_widest_cell():
    text = markdown([("a", "bc"), ("long", "d")])
    assert text == "| a    | bc |\n| ---- | -- |\n| long | d  |\n"


def test_a_bar_in_a_name_begins_no_column():
    assert markdown([("arm",), ("a|b",)]) == "| arm  |\n| ---- |\n| a\\|b |\n"
