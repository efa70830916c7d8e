import re
from pathlib import Path

import pytest

import tervit_np
from tervit_np.exercises.fences import fenced_lines, fences, library_source, without_fences
from tervit_np.exercises.tasks import EXERCISES

SOURCE = """\
def one(x):
    given = x
    # exercise first: y
    y = given
    if y:

        y = 2

    return y


def two(x):
    # exercise second: z
    z = x
    # end of exercise
    # exercise first: w
    w = z
    # end of exercise
    return w
"""


def test_a_fence_runs_to_the_end_of_its_block():
    first = fences(SOURCE, "first")[0]
    lines = SOURCE.splitlines()[first.first : first.last + 1]
    assert (lines[0], lines[-1]) == ("    y = given", "    return y")
    assert (first.indent, first.goal) == ("    ", "y")


def test_a_fence_ends_at_its_end_comment():
    assert fenced_lines(SOURCE, "second") == "z = x\n"


def test_an_exercise_may_have_several_fences():
    assert len(fences(SOURCE, "first")) == 2
    assert fenced_lines(SOURCE, "first").endswith("return y\n\nw = z\n")


def test_without_fences_removes_the_comments_alone():
    lines = without_fences(SOURCE.splitlines())
    assert len(lines) == len(SOURCE.splitlines()) - 5
    assert "exercise" not in "\n".join(lines)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (SOURCE, "there is no line `# exercise third: ...`"),
        ("def f():\n    # exercise third: x\n    # end of exercise\n", "line 2 is empty"),
        ("if 1:\n    # exercise third: x\n\n\nprint()\n", "line 2 is empty"),
    ],
)
def test_missing_and_empty_fences_are_refused(source, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        fences(source, "third")


def test_an_absent_module_is_named():
    with pytest.raises(ValueError, match="source of tervit_np.ops.nothing is not installed"):
        library_source("ops.nothing")


def test_every_fence_in_the_library_belongs_to_an_exercise_of_its_file():
    root = Path(tervit_np.__file__).parent
    fenced = set()
    for file in root.rglob("*.py"):
        if file.parent.name not in ("exercises", "tasks"):
            module = ".".join(file.relative_to(root).with_suffix("").parts)
            names = re.findall(r"^ *# exercise (\w+): ", file.read_text("utf-8"), re.MULTILINE)
            fenced |= {(name, module) for name in names}
    assert fenced == {(exercise.name, exercise.module) for exercise in EXERCISES}
