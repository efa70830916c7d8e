"""docs/teaching.md says what is there: commands are understood, the grader grades."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tervit_np.cli import make_parser
from tervit_np.exercises.tasks import EXERCISES, find_exercise

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
PAGES = [
    *(ROOT / "tutorials").glob("*.py"),
    *(
        page
        for folder in (".", "docs", "docs/teaching", "tutorials")
        for page in (ROOT / folder).glob("*.md")
    ),
]


def test_every_exercise_is_in_the_table():
    rows = re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)
    assert rows == [exercise.name for exercise in EXERCISES]


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_the_chapter_of_an_exercise_names_it_first(exercise):
    """In the first item of "On your own", which is where a reader goes on."""
    text = (ROOT / "tutorials" / f"{exercise.chapter}.py").read_text(encoding="utf-8")
    tasks = text.split("# On your own\n")[1]
    first = re.search(r"^# (?:\*|1\.) (.+?)^#(?: (?:\*|2\.)|$)", tasks, re.MULTILINE | re.DOTALL)[1]
    assert exercise.name in exercises_in(first)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_exercises_that_a_page_names_exist(page):
    for name in exercises_in(page.read_text(encoding="utf-8")):
        find_exercise(name)


def exercises_in(text):
    """Names after `tervit exercise start` and the like, and those joined by "then" or "and"."""
    line = re.sub(r"\s*\n#? *", " ", text)
    names = []
    for command in re.finditer(r"exercise (?:start|hint|check|solution)((?: [a-z_0-9]+)+)`", line):
        names += command[1].split()
        further = re.match(r"(?:`*,?(?: then| and) ``?[a-z_0-9]+`)*", line[command.end() :])[0]
        names += re.findall(r"[a-z_0-9]+(?=`)", further)
    return names


def test_joined_names_are_found():
    text = "# ``tervit exercise\n#   start a``, then ``b`` and ``c_d``; `tervit exercise hint` `e`"
    assert exercises_in(text) == ["a", "b", "c_d"]


def test_sessions_take_ninety_minutes():
    text = (ROOT / "docs" / "teaching" / "sessions.md").read_text(encoding="utf-8")
    course, weekend = text.split("## A weekend")
    sessions = course.split("## Session ")[1:]
    assert len(sessions) == 6
    for session in sessions:
        minutes = re.findall(r"^\| (\d+) \|", session, re.MULTILINE)
        assert sum(map(int, minutes)) == 90, session[:40]
    for day in weekend.split("\n\n| time |")[1:]:
        rows = re.findall(r"^\| (\d\d):(\d\d) \|.*\| (\d+) \|$", day, re.MULTILINE)
        starts = [60 * int(hours) + int(minutes) for hours, minutes, _ in rows]
        ends = [start + int(row[2]) for start, row in zip(starts, rows, strict=True)]
        assert len(rows) == 5 and starts[1:] == ends[:-1]


def test_sessions_explain_before_they_ask():
    text = (ROOT / "docs" / "teaching" / "sessions.md").read_text(encoding="utf-8")
    course = text.split("## A weekend")[0]
    assert course.index("the frozen residual") < course.index("start ste_with_clip`")
    for name in re.findall(r"^\| \d+ \| Exercise: `tervit exercise start (\w+)`", course, re.M):
        chapter = find_exercise(name).chapter
        assert 0 < course.find(f"{chapter}.py") < course.index(f"start {name}`"), name


def test_wrong_answers_are_those_of_the_exercises():
    sys.path.append(str(ROOT / "docs"))
    from make_wrong_answers import PAGE, page

    assert PAGE.read_text(encoding="utf-8") == page()


def test_mutants_that_pages_name_exist():
    from tervit_np.verify.mutants import MUTANTS

    known = set(MUTANTS)
    for page in (ROOT / "docs" / "teaching").glob("*.md"):
        named = re.findall(r"check --mutant ([\w-]+)`", page.read_text(encoding="utf-8"))
        assert set(named) <= known, page


def test_quoted_commands_are_understood():
    inline = re.findall(r"`(?:tervit|python -m tervit_np) (exercise[^`]*)`", TEXT)
    blocks = re.findall(r"^(?: +|\S*/)?tervit (exercise.*?)(?: \|\| true)?$", TEXT, re.MULTILINE)
    assert len(inline) >= 5
    assert len(blocks) == 4
    for line in inline + blocks:
        make_parser().parse_args(shlex.split(" ".join(line.split())))


@pytest.mark.skipif(os.name == "nt", reason="the script is for bash")
def test_the_grader_as_gradescope_runs_it(tmp_path):
    """One right file, one wrong one, the rest absent; the script itself, from the text."""
    script = re.search(r"(#!/usr/bin/env bash\n.*?)```", TEXT, re.DOTALL)[1]
    for folder in ("submission", "results", "venv/bin"):
        (tmp_path / folder).mkdir(parents=True)
    right, wrong, *absent = EXERCISES
    (tmp_path / "submission" / right.file_name).write_text(right.solved_file())
    (tmp_path / "submission" / wrong.file_name).write_text(wrong.wrong_file(wrong.wrong_answers[0]))
    program = tmp_path / "venv" / "bin" / "tervit"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tervit_np "$@"\n')
    program.chmod(0o755)
    (tmp_path / "run").write_text(script.replace("cd /autograder", f"cd {tmp_path}"))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(["bash", tmp_path / "run"], check=True, env=environment, capture_output=True)
    tests = json.loads((tmp_path / "results" / "results.json").read_text())["tests"]
    assert [test["score"] for test in tests] == [1.0, 0.0, *[0.0] * len(absent)]
