import json
import os
import re
import shlex
from pathlib import Path

import pytest

from tervit_np.exercises import tasks
from tervit_np.exercises.tasks import EXERCISES, find_exercise

LINEAR, LAYERNORM = find_exercise("linear_backward"), find_exercise("layernorm_backward")
TERNARIZE = find_exercise("ternarize")
THREE = LINEAR, LAYERNORM, TERNARIZE
OTHERS = [one for one in EXERCISES if one not in (LINEAR, LAYERNORM)]
WRONG = LINEAR.wrong_answers[0]


@pytest.fixture
def exercise(tervit, tmp_path, monkeypatch):
    """Call `tervit exercise ARGS...` in an empty folder, with three exercises."""
    monkeypatch.setattr(tasks, "EXERCISES", THREE)
    monkeypatch.chdir(tmp_path)
    return lambda *args: tervit("exercise", *args)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "exercises"


def solve(folder, *exercises):
    folder.mkdir(exist_ok=True)
    for one in exercises:
        (folder / one.file_name).write_text(one.solved_file())


def solved_already(folder, *exercises):
    folder.mkdir(exist_ok=True)
    record = {one.name: {"passed": True} for one in exercises}
    (folder / "progress.json").write_text(json.dumps(record))


def test_the_first_call_makes_the_first_file(exercise, folder):
    code, out, _ = exercise("--once")
    assert code == 1
    assert out.startswith("linear_backward: the backward pass of a linear layer.")
    assert "Your new file: exercises" in out
    assert "not written yet" in out
    assert (folder / "linear_backward.py").read_text() == LINEAR.student_file()
    assert [file.name for file in folder.iterdir()] == ["linear_backward.py"]


def test_a_wrong_answer_is_explained_and_not_changed(exercise, folder):
    exercise("--once")
    (folder / LINEAR.file_name).write_text(LINEAR.wrong_file(WRONG))
    code, out, _ = exercise("--once")
    assert code == 1
    assert "Your file: exercises" in out
    assert WRONG.message in out
    assert (folder / LINEAR.file_name).read_text() == LINEAR.wrong_file(WRONG)


def test_solved_exercises_follow_one_another(exercise, folder):
    solved_already(folder, *THREE[2:])
    for one in (LINEAR, LAYERNORM):
        solve(folder, one)
        code, out, _ = exercise("--once")
        assert code == 0
        assert out.startswith(f"{one.name}: ")
        command = f"`tervit exercise solution {one.name}`"
        assert f"{one.name} is solved: {command} shows two solutions." in out
    assert exercise() == (0, "All exercises are solved. `tervit exercise list` names them.\n", "")
    assert exercise("--once", "start", LAYERNORM.name)[0] == 0


def test_start_works_on_another_exercise(exercise, folder):
    code, out, _ = exercise("start", "ternarize", "--once")
    assert code == 1
    assert out.startswith("ternarize: ")
    assert (folder / "ternarize.py").exists()


def test_the_list_says_how_far_each_is(exercise, folder):
    solve(folder, LINEAR)
    exercise("--once")
    exercise("start", "ternarize", "--once")
    exercise("hint", "ternarize")
    exercise("hint", "ternarize")
    lines = {line.split()[0]: line for line in exercise("list")[1].splitlines()}
    assert list(lines) == [one.name for one in THREE]
    assert lines["linear_backward"].split()[1:5] == ["ch.", "01", "solved", "the"]
    assert lines["layernorm_backward"].split()[1:4] == ["ch.", "03", "the"]
    assert lines["ternarize"].split()[2:6] == ["12", "begun", "2", "hints"]


def test_the_list_fits_a_terminal(tervit, tmp_path):
    """All solved, each with three hints."""
    record = {one.name: {"passed": True, "hints": 3} for one in EXERCISES}
    (tmp_path / "progress.json").write_text(json.dumps(record))
    lines = tervit("exercise", "list", "--dir", tmp_path)[1].splitlines()
    assert len(lines) == len(EXERCISES)
    assert max(map(len, lines)) <= 80


def test_each_call_opens_one_more_hint(exercise):
    for count in (1, 2, 3, 3):
        code, out, _ = exercise("hint")
        assert code == 0
        assert out.count("linear_backward, hint ") == count
    assert "that was the last one" in out


def test_the_solution_is_locked_until_the_file_passes(exercise, folder):
    code, _, error = exercise("solution", "linear_backward")
    assert code == 2
    assert f"is shown when {Path('exercises') / LINEAR.file_name} passes" in error
    solve(folder, LINEAR)
    exercise("check")
    code, out, _ = exercise("solution", "linear_backward")
    assert code == 0
    assert "dweight = dy2.T @ x2" in out
    assert "Wrong answers" not in out


def test_teachers_reveal_it_with_the_wrong_answers(exercise):
    code, out, _ = exercise("solution", "linear_backward", "--reveal")
    assert code == 0
    assert "dweight = dy2.T @ x2" in out
    for answer in LINEAR.wrong_answers:
        assert answer.about in out


def test_check_checks_all_files(exercise, folder):
    solve(folder, LINEAR, TERNARIZE)
    assert exercise("check")[0] == 0
    (folder / LAYERNORM.file_name).write_text(LAYERNORM.student_file())
    code, out, _ = exercise("check")
    assert code == 1
    assert out.splitlines()[-1] == "2 of 3 right"
    assert exercise("check", "ternarize")[0] == 0


@pytest.mark.parametrize("arguments", [("--json", "r.json"), ("check", "--json", "r.json")])
def test_results_are_written_for_graders(exercise, folder, tmp_path, arguments):
    solve(folder, LINEAR)
    (folder / LAYERNORM.file_name).write_text(LAYERNORM.wrong_file(LAYERNORM.wrong_answers[0]))
    code, out, _ = exercise(*arguments)
    assert code == 1
    assert re.match(
        r"linear_backward: right, token \S+\nlayernorm_backward: wrong, token \S+\n", out
    )
    assert out.endswith("\nabsent: ternarize\nr.json: 1 of 3 right\n")
    tests = json.loads((tmp_path / "r.json").read_text())["tests"]
    assert [test["score"] for test in tests] == [1.0, *[0.0] * (len(THREE) - 1)]
    assert LAYERNORM.wrong_answers[0].message in " ".join(tests[1]["output"].split())
    assert "was not handed in" in tests[2]["output"]
    assert not (folder / "progress.json").exists()


def test_results_do_not_replace_an_answer(exercise, folder):
    solve(folder, LINEAR)
    code, _, error = exercise("check", "--json", folder / LINEAR.file_name)
    assert (code, len(error.splitlines())) == (2, 1)
    assert f"{LINEAR.file_name}, an answer, which would be overwritten" in error
    assert (folder / LINEAR.file_name).read_text() == LINEAR.solved_file()


def test_the_token_is_that_of_the_results(exercise, folder, tmp_path):
    """For the same name; a teacher compares both."""
    solve(folder, LINEAR)

    def tokens(*options):
        return re.findall(r"token ([0-9a-f-]{14})$", exercise(*options)[1], re.MULTILINE)

    (token,) = tokens("check", "--student", "Ada")
    assert tokens("check", "--student", "ada", "--json", "r.json") == [token]
    tests = json.loads((tmp_path / "r.json").read_text())["tests"]
    assert [test["extra_data"]["token"] for test in tests] == [token, "", ""]
    assert tokens("check") != [token]
    assert tokens("--once", "--student", "Ada", "start", "linear_backward") == [token]


def test_a_suggested_command_names_the_student(exercise, folder):
    solve(folder, LINEAR)
    _, _, error = exercise("check", "ternarize", "--student", "Ada King")
    assert "`tervit exercise start ternarize --student 'Ada King'` writes it" in error


def test_named_exercises_alone_are_graded(exercise, folder, tmp_path):
    solve(folder, TERNARIZE)
    assert exercise("check", "ternarize", "--json", "r.json", "--dir", folder)[0] == 0
    assert len(json.loads((tmp_path / "r.json").read_text())["tests"]) == 1


def test_a_check_is_stopped_after_some_seconds(exercise, folder):
    folder.mkdir()
    (folder / LINEAR.file_name).write_text("while True:\n    pass\n")
    code, out, _ = exercise("check", "--seconds", "0.2")
    assert code == 1
    assert "still running after 0.2 s" in out


def commands_in(text):
    """Commands about exercises that a text suggests, as one would paste them."""
    return [shlex.split(command)[1:] for command in re.findall(r"`(tervit exercise[^`]*)`", text)]


def test_suggested_commands_name_the_folder_and_do_what_was_promised(exercise, tervit, tmp_path):
    """Each is run as it stands, and works in the folder of the one that suggested it."""
    options = ("--dir", "my answers")
    answers = tmp_path / "my answers"
    suggested = commands_in(exercise("check", *options)[2])  # none is begun
    suggested += commands_in(exercise("check", "ternarize", *options)[2])
    suggested += commands_in(exercise("hint", *options)[1])
    suggested += commands_in(exercise("solution", "ternarize", *options)[2])
    solve(answers, *THREE)
    for _ in THREE:
        suggested += commands_in(exercise("--once", *options)[1])
    suggested += commands_in(exercise(*options)[1])
    assert [command[1] for command in suggested] == [
        "--dir", "start", "hint", "hint", *["solution"] * 3, "list",
    ]  # fmt: skip
    for command in suggested:
        assert command[-2:] == list(options)
        assert tervit(*command, *["--once"] * (command[1] in ("--dir", "start")))[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["my answers"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check",), "exercises contains no exercise yet; `tervit exercise` starts one"),
        (("check", "ternarize"), "no such file; `tervit exercise start ternarize` writes it"),
        (("hint", "ternarise"), "did you mean ternarize?"),
        (("--seconds", "0"), "--seconds is 0; expected a positive number"),
        (("--seconds", "inf"), "--seconds is inf; expected a positive number, at most 86400"),
        (("--seconds", "1e12"), "--seconds is 1e+12; expected"),
        (("--seconds", "nan"), "--seconds is nan; expected"),
        (("--json", "nowhere/r.json"), "r.json could not be written (there is no folder nowhere)"),
        (("solution",), "the following arguments are required: NAME"),
        # An option before an action that does not have it would be ignored.
        (("--json", "r.json", "list"), "tervit exercise list: unknown argument '--json'"),
        (("--json", "r.json", "start", "ternarize"), "start: unknown argument '--json'"),
        (("--once", "hint"), "tervit exercise hint: unknown argument '--once'"),
        (("--student", "Ada", "grade", "class"), "grade: unknown argument '--student'"),
        (("--dir", "answers", "grade", "class"), "grade: unknown argument '--dir'"),
    ],
)
def test_wrong_requests_are_refused(exercise, arguments, words):
    code, _, error = exercise(*arguments)
    assert code == 2
    assert words in error


def test_a_hint_is_refused_when_all_are_solved(exercise, folder):
    solved_already(folder, *THREE)
    assert "all exercises are solved; name the one" in exercise("hint")[2]


def test_saved_files_are_checked_until_all_are_solved(popen, folder):
    """Wrong, then right; the next file appears; until there is none left."""
    solved_already(folder, *OTHERS)
    running = popen("exercise", "--dir", folder)
    running.wait_for_file(folder / LINEAR.file_name, "not written yet")
    (folder / LINEAR.file_name).write_text(LINEAR.wrong_file(WRONG))
    solve(folder, LINEAR)
    running.wait_for_file(folder / LAYERNORM.file_name, "not written yet")
    solve(folder, LAYERNORM)
    code, out, error = running.finish()
    assert (code, error) == (0, "")
    assert out.count(" is solved: ") == 2
    listed = f"`tervit exercise list --dir {folder}`"
    assert out.endswith(f"All exercises are solved. {listed} names them.\n")
    progress = json.loads((folder / "progress.json").read_text())
    assert progress == {one.name: {"passed": True} for one in EXERCISES}


def test_after_a_named_exercise_follows_the_one_behind_it(popen, folder):
    """And at the end of the list the first that is not solved."""
    *_, last_but_one, last = EXERCISES
    running = popen("exercise", "start", last_but_one.name, "--dir", folder)
    for exercise in (last_but_one, last):
        running.wait_for_file(folder / exercise.file_name, "not written yet")
        solve(folder, exercise)
    first = EXERCISES[0]
    running.wait_for_file(folder / first.file_name, "not written yet")
    running.interrupt()
    assert running.finish()[0] == 130
    assert {file.stem for file in folder.glob("*.py")} == {
        e.name for e in (last_but_one, last, first)
    }


def test_a_deleted_file_is_written_again(popen, folder):
    solved_already(folder, *OTHERS)
    running = popen("exercise", "--dir", folder)
    running.wait_for_file(folder / LINEAR.file_name, "not written yet")
    (folder / LINEAR.file_name).unlink()
    assert "Your file was missing; a new one was written.\n" in iter(
        running.process.stdout.readline, ""
    )
    assert (folder / LINEAR.file_name).read_text() == LINEAR.student_file()
    running.interrupt()
    assert running.finish()[0] == 130


def test_ctrl_c_ends_politely(popen, folder):
    solved_already(folder, *OTHERS)
    running = popen("exercise", "--dir", folder)
    said = iter(running.process.stdout.readline, "")
    assert f"`tervit exercise hint {LINEAR.name} --dir {folder}` shows a hint.\n" in said
    assert any("not written yet: put your lines" in line for line in said)  # it waits for a save
    running.interrupt()
    code, out, error = running.finish()
    assert (code, error) == (130, "")
    assert out.endswith(f"\nstopped; `tervit exercise --dir {folder}` continues\n")


def test_ctrl_c_ends_a_check_too(popen, folder, tmp_path):
    """And the process in which it runs, whatever that is doing."""
    marker = tmp_path / "process"
    solved_already(folder, *OTHERS)
    (folder / LINEAR.file_name).write_text(
        "import os, pathlib\n"
        f"pathlib.Path({str(marker)!r}).write_text(f'{{os.getpid()}}.')\n"
        "while True:\n    pass\n"
    )
    running = popen("exercise", "--dir", folder, "--seconds", 300)
    running.wait_for_file(marker, ".")
    running.interrupt()
    code, out, _ = running.finish()
    assert code == 130
    assert out.endswith(f"\nstopped; `tervit exercise --dir {folder}` continues\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text().rstrip(".")), 0)
