import json
from dataclasses import replace

import pytest

from tervit_np.analysis.comparison.plan import Contrast
from tervit_np.analysis.comparison.record import read_record, write_record


def test_accuracies_are_percent_in_the_order_of_the_seeds(record):
    assert record.accuracies("direct") == [80, 82]
    shuffled = replace(record, tested=record.tested[::-1])
    assert shuffled.accuracies("direct") == [80, 82]
    assert record.accuracies("direct", "accuracy") == [70, 72]


def test_untrained_accuracies_are_those_at_the_start_of_the_last_stage(record):
    assert record.untrained("direct") == pytest.approx([10, 11])
    assert record.untrained("progressive") == pytest.approx([20, 21])
    single = [{**t, "stages": t["stages"][:1]} for t in record.tested]
    assert replace(record, tested=single).untrained("direct") == []


def test_differences_are_taken_seed_by_seed(record):
    contrast = Contrast("c", ("progressive",), ("direct",))
    assert record.differences(contrast) == pytest.approx([1, -1])
    both = Contrast("c", ("direct", "progressive"), ("layer",))
    assert record.differences(both) == pytest.approx([80.5 - 79, 81.5 - 79.5])
    assert record.difference(both).mean == pytest.approx(1.75)


def test_a_record_survives_its_file(record, tmp_path):
    write_record(record, tmp_path / "comparison.json")
    for path in (tmp_path, tmp_path / "comparison.json"):
        again = read_record(path)
        assert again.plan.describe() == record.plan.describe()
        assert replace(again, plan=record.plan) == record
    assert [file.name for file in tmp_path.iterdir()] == ["comparison.json"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r.pop("format"), "format is missing"),
        (lambda r: r.update(format="x"), "its format is not"),
        (lambda r: r.pop("search"), "search"),
        (lambda r: r.update(extra=1), "extra"),
        (lambda r: r["plan"].pop("seeds"), "seeds is missing"),
        (lambda r: r["tested"].pop(), "has no trial with seed"),
        (lambda r: r.update(tested=3), "tested is 3; expected a list"),
        (lambda r: r["multipliers"].popitem(), "has no multiplier"),
        (lambda r: r.update(multipliers=[]), "multipliers is a list of 0; expected an object"),
        (lambda r: r.update(search=[3]), r"search\[0\] is 3; expected an object"),
        (lambda r: r.update(search=[{}]), r"search\[0\].multiplier is missing"),
        (lambda r: r["data"].pop("validation"), "data.validation is missing"),
        (lambda r: r["data"].update(test=0), "data.test is 0; expected at least one"),
        (lambda r: r["tested"][1].update(test_accuracy="1"), r"tested\[1\].test_accuracy is"),
        (lambda r: r["tested"][0].update(stages=[{}]), r"stages\[0\].start_accuracy is missing"),
        (lambda r: r["tested"][0].update(accuracy=float("nan")), "accuracy is NaN; expected a fin"),
        (lambda r: r["tested"][0].update(seed=[1]), "seed is a list of 1"),
        (lambda r: r.update(environment={"numpy": 2}), "environment.numpy is 2"),
    ],
)
def test_a_damaged_record_is_refused(record, tmp_path, change, words):
    file = tmp_path / "r.json"
    write_record(record, file)
    fields = json.loads(file.read_text())
    change(fields)
    file.write_text(json.dumps(fields))
    with pytest.raises(ValueError, match=f"r.json is not a record.*{words}|{words}"):
        read_record(file)


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "null", "[" * 99_999, "9" * 5000, "\0"])
def test_a_file_without_an_object_is_refused(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(ValueError, match=r"r.json is not a record of a comparison"):
        read_record(tmp_path / "r.json")


def test_a_folder_without_a_record_says_who_writes_it(tmp_path):
    with pytest.raises(ValueError, match=r"comparison.json: no such file; a finished comparison"):
        read_record(tmp_path)
