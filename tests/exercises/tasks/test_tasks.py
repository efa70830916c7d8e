"""For each exercise the cut file fails, both solutions pass and wrong answers fail.

Each for several students, whose checks draw other numbers.
"""

from pathlib import Path

import numpy as np
import pytest

from tervit_np.exercises.grader import grade
from tervit_np.exercises.tasks import EXERCISES, find_exercise

CHAPTERS = Path(__file__).parents[3] / "tutorials" / "README.md"
STUDENTS = "", "Ada", "Grace Hopper"
rng = np.random.default_rng
WRONG = [(exercise, answer) for exercise in EXERCISES for answer in exercise.wrong_answers]


@pytest.fixture
def graded(tmp_path):
    def run(exercise, text, student=""):
        file = tmp_path / exercise.file_name
        file.write_text(text)
        return grade(exercise, file, student)

    return run


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_the_cut_file_is_not_written_yet(graded, exercise):
    (finding,) = graded(exercise, exercise.student_file())
    assert finding.what.endswith('`raise NotImplementedError("not written yet")`')
    assert finding.message.startswith("not written yet: put your lines")


@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_both_solutions_pass(graded, exercise, student):
    for text in (exercise.plain_file(), exercise.solved_file()):
        findings = graded(exercise, text, student)
        assert len(findings) >= 4
        assert findings[0].what.startswith("on paper")
        assert [finding for finding in findings if not finding.ok] == []


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_the_check_draws_numbers_for_each_student(graded, exercise, monkeypatch):
    drawn = []
    monkeypatch.setattr(np.random, "default_rng", lambda seed: drawn.append(seed) or rng(seed))
    for student in STUDENTS:
        graded(exercise, exercise.plain_file(), student)
        drawn.append("next")
    seeds = "".join(map(str, drawn)).split("next")
    assert "" not in seeds[:-1]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize(
    ("exercise", "answer"), WRONG, ids=[f"{e.name}: {a.about}" for e, a in WRONG]
)
def test_a_wrong_answer_gets_its_message(graded, exercise, answer):
    for student in STUDENTS:
        findings = graded(exercise, exercise.wrong_file(answer), student)
        assert [finding.ok for finding in findings[:-1]] == [True] * (len(findings) - 1)
        assert answer.message in findings[-1].message


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_an_exercise_is_complete(exercise):
    assert len(exercise.wrong_answers) >= 3
    assert len({answer.message for answer in exercise.wrong_answers}) == len(exercise.wrong_answers)
    assert len(exercise.hints) == 3
    assert max(map(len, exercise.instructions().splitlines())) <= 80  # of a terminal
    assert f"({exercise.chapter}.py)" in CHAPTERS.read_text(encoding="utf-8")


def test_names_are_unique():
    assert len({e.name for e in EXERCISES}) == len(EXERCISES)


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(ValueError, match=r"unknown exercise 'ternarise'; did you mean ternarize\?"):
        find_exercise("ternarise")
