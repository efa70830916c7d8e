"""Each exercise is proven: the cut file fails, the library's lines pass, wrong answers fail."""

from pathlib import Path

import pytest

from tervit_np.exercises.grader import judge
from tervit_np.exercises.tasks import EXERCISES, find_exercise

CHAPTERS = Path(__file__).parents[3] / "tutorials" / "README.md"
WRONG = [(exercise, wrong) for exercise in EXERCISES for wrong in exercise.wrong]


@pytest.fixture
def judged(tmp_path):
    def run(exercise, text):
        file = tmp_path / exercise.file_name
        file.write_text(text)
        return judge(exercise, file)

    return run


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_the_cut_file_is_not_written_yet(judged, exercise):
    (found,) = judged(exercise, exercise.student_file())
    assert found.what.endswith('`raise NotImplementedError("not written yet")`')
    assert found.why.startswith("not written yet: put your lines")


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_the_solution_passes(judged, exercise):
    found = judged(exercise, exercise.solved_file())
    assert len(found) >= 4
    assert [finding for finding in found if not finding.ok] == []


@pytest.mark.parametrize(
    ("exercise", "wrong"), WRONG, ids=[f"{e.name}: {w.about}" for e, w in WRONG]
)
def test_a_wrong_answer_gets_the_explanation_it_needs(judged, exercise, wrong):
    found = judged(exercise, exercise.wrong_file(wrong))
    assert [finding.ok for finding in found[:-1]] == [True] * (len(found) - 1)
    assert wrong.says in found[-1].why


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_an_exercise_is_complete(exercise):
    assert len(exercise.wrong) >= 3
    assert len({wrong.says for wrong in exercise.wrong}) == len(exercise.wrong)
    assert len(exercise.hints) == 3
    assert max(map(len, exercise.text().splitlines())) <= 80  # of a terminal
    assert f"({exercise.chapter}.py)" in CHAPTERS.read_text(encoding="utf-8")


def test_names_are_unique_and_in_the_order_of_the_chapters():
    assert len({e.name for e in EXERCISES}) == len(EXERCISES)
    chapters = [e.chapter for e in EXERCISES]
    assert chapters == sorted(chapters)


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(ValueError, match=r"unknown exercise 'ternarise'; did you mean ternarize\?"):
        find_exercise("ternarise")
