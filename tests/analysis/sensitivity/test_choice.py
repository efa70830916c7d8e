import tomllib

import pytest

from tervit_np.analysis.sensitivity import (
    Effect,
    Layer,
    Record,
    Sensitivity,
    Settings,
    budget_of_share,
    choose_layers,
    extra_bytes,
    plan_and_notes,
    read_record,
    size_with,
    write_record,
)
from tervit_np.analysis.sensitivity.figure import draw_sensitivity
from tervit_np.analysis.sensitivity.table import headline, table
from tervit_np.quant.plan_file import plan_to_toml


def layer(name, extra, rise, relief):
    def effect(change):
        return Effect(change, 0.001, 0.9)

    sizes = {"8 bits": 100 + extra, "4 bits": 100, "ternary": 100}
    rises = {"8 bits": effect(0.0), "4 bits": effect(rise / 10), "ternary": effect(rise)}
    return Layer(name, 5 * extra, sizes, rises, effect(relief))


@pytest.fixture
def measured():
    """By bytes b is best (0.2 for 10), then d (0.3 for 40), then a (0.4 for 100); c is harmful."""
    layers = (
        layer("a", 100, 0.3, 0.5),
        layer("b", 10, 0.1, 0.3),
        layer("c", 10, 0.1, -0.2),
        layer("d", 40, 0.5, 0.1),
    )
    return Sensitivity(0.2, 0.95, Effect(1.0, 0.01, 0.5), layers, 1000)


def test_layers_are_taken_by_benefit_for_their_bytes(measured):
    assert [extra_bytes(each) for each in measured.layers] == [100, 10, 10, 40]
    assert choose_layers(measured, 10_000) == ["b", "d", "a"]
    assert choose_layers(measured, 1400 + 50) == ["b", "d"]
    assert choose_layers(measured, 1400) == []


def test_a_layer_that_does_not_fit_leaves_room_for_the_next(measured):
    assert choose_layers(measured, 1400 + 115) == ["b", "d"]
    assert choose_layers(measured, 1400 + 30) == ["b"]


def test_no_choice_exceeds_its_bytes(measured):
    for budget in range(1400, 1600):
        assert size_with(measured, choose_layers(measured, budget)) <= budget


def test_another_score_gives_another_order(measured):
    assert choose_layers(measured, 1450, lambda each: each.rise["ternary"].change) == ["d", "b"]
    assert choose_layers(measured, 1500, lambda each: each.relief.change) == ["b", "d"]


def test_a_share_is_between_all_ternary_and_all_8_bits(measured):
    assert [budget_of_share(measured, share) for share in (0, 0.25, 1)] == [1400, 1440, 1560]
    with pytest.raises(ValueError, match="between 0 .* and 1 .*, not 1.5"):
        budget_of_share(measured, 1.5)
    with pytest.raises(ValueError, match="not nan"):
        budget_of_share(measured, float("nan"))
    with pytest.raises(ValueError, match="1,399 bytes are too few: .* the model has 1,400"):
        choose_layers(measured, 1399)


def test_the_plan_has_an_entry_for_each_chosen_layer_and_one_for_the_rest(measured):
    plan, notes = plan_and_notes(measured, ["b", "d"])
    text = plan_to_toml(plan, notes=notes)
    entries = tomllib.loads(text)["layer"]
    assert [entry["pattern"] for entry in entries] == ["b", "d", "a|c"]
    assert [entry["weights"] for entry in entries] == ["int8", "int8", "ternary"]
    assert "# benefit 0.2000 for 10 bytes\n[[layer]]\npattern = 'b'" in text
    everything, _ = plan_and_notes(measured, ["a", "b", "c", "d"])
    assert len(everything.rules) == 4


def test_the_table_marks_the_chosen_layers(measured):
    head, *rows = table(measured, ["b"])
    assert [row[0] for row in rows] == ["  a", "* b", "  c", "  d"]
    assert rows[0][1:] == (
        "0.1", "+0.000", "+0.030", "+0.300 ± 0.001", "90.0 %", "+0.500 ± 0.001", "4.0000",
    )  # fmt: skip
    assert len(head) == len(rows[0])
    assert headline(measured).endswith("untrained: loss 1.200, accuracy 50.0 %")


def test_a_record_is_read_back_and_a_damaged_one_refused(measured, tmp_path):
    settings = Settings("m.npz", "shapes", "val", 9, 0, "f", "tervit", 1.5, {"numpy": "2"})
    record, file = Record(settings, measured), tmp_path / "r.json"
    write_record(record, file)
    assert read_record(file) == record
    file.write_text(file.read_text().replace('"relief"', '"releif"', 1))
    with pytest.raises(ValueError, match="r.json is damaged or of another version"):
        read_record(file)
    with pytest.raises(ValueError, match="no such file; `tervit sensitivity MODEL` writes it"):
        read_record(tmp_path / "none.json")


def test_the_figure_is_drawn(measured, tmp_path):
    file = draw_sensitivity(measured, ["b"], tmp_path / "f.png")
    assert file.read_bytes().startswith(b"\x89PNG")
