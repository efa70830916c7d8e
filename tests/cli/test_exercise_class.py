"""`tervit exercise grade`: a table with a line for each student."""

import csv

import pytest

from tervit_np.cli.exercise_class import as_csv
from tervit_np.exercises.tasks import EXERCISES

RIGHT, WRONG = EXERCISES[:2]


@pytest.fixture
def school(tmp_path, monkeypatch):
    """Two students: one with a right and a wrong file, one with nothing."""
    monkeypatch.chdir(tmp_path)
    ada, bob = (tmp_path / "class" / name for name in ("Ada King", "Bob"))
    ada.mkdir(parents=True)
    bob.mkdir()
    (ada / RIGHT.file_name).write_text(RIGHT.plain_file())
    (ada / WRONG.file_name).write_text(WRONG.wrong_file(WRONG.wrong_answers[0]))
    return tmp_path


def test_a_class_becomes_a_table(tervit, school):
    code, out, _ = tervit("exercise", "grade", "class")
    absent = len(EXERCISES) - 2
    assert code == 0
    assert out.splitlines() == [
        f"Ada King: 1 of {len(EXERCISES)} right; wrong: {WRONG.name}; {absent} absent",
        f"Bob: 0 of {len(EXERCISES)} right; {len(EXERCISES)} absent",
        f"marks.csv: 2 students, {len(EXERCISES)} exercises",
    ]
    with open(school / "marks.csv", newline="", encoding="utf-8") as file:
        ada, bob = csv.DictReader(file)
    assert (ada["student"], ada["right"], bob["right"]) == ("Ada King", "1", "0")
    assert (ada[RIGHT.name], ada[WRONG.name], bob[RIGHT.name]) == ("1", "0", "")
    folder = school / "class" / "Ada King"
    out = tervit("exercise", "check", RIGHT.name, "--student", "Ada King", "--dir", folder)[1]
    assert f"submission token {ada[f'token of {RIGHT.name}']}" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody",), "there is no folder nobody"),
        (("class/Bob",), "has no folders; expected one for each student"),
        (("class", "--csv", "nowhere/m.csv"), "m.csv could not be written (there is no folder"),
    ],
)
def test_what_cannot_be_graded_is_one_sentence(tervit, school, arguments, words):
    code, _, error = tervit("exercise", "grade", *arguments)
    assert (code, len(error.splitlines())) == (2, 1)
    assert words in error.replace("\\", "/")


def test_a_name_that_utf_8_lacks_is_written_as_an_escape():
    table = as_csv([], [("J\udcfcrgen", [])])
    assert table.encode() == b"student,right\nJ\\udcfcrgen,0\n"
