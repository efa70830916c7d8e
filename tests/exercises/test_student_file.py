import ast
import builtins

import numpy as np
import pytest

from tervit_np.exercises import student_file as module
from tervit_np.exercises.fences import library_source
from tervit_np.exercises.student_file import (
    NOT_WRITTEN,
    fenced_definitions,
    solved_file,
    student_file,
)
from tervit_np.exercises.tasks import EXERCISES

SOURCE = '''\
"""A file with the formula in its docstring."""

import math
from collections import namedtuple
from os.path import join, split

from tervit_np.dispatch import compiled

LIMIT = 3
Pair = namedtuple("Pair", "a b")


def helper(x):
    return x + LIMIT


def _hidden(x):
    return math.sqrt(x)


class Thing:
    @staticmethod
    def forward(x: float) -> Pair:
        # exercise thing: the pair
        return Pair(_hidden(x), join("a", "b"))

    def other(self, x):
        if (compiled_ops := compiled(x)) is not None:
            return compiled_ops.other(x)
        # exercise another: y
        y = helper(x)
        # end of exercise
        return y


def last(x):
    # exercise thing: the sum
    total = helper(x) + 1
    # end of exercise
    return total
'''


@pytest.fixture
def library(monkeypatch):
    monkeypatch.setattr(module, "library_source", lambda module: SOURCE)


def test_the_file_holds_the_definitions_with_a_fence_and_imports_the_rest(library):
    assert student_file("some.where", "thing", "Do it.") == (
        f'''\
"""Do it.
"""

from os.path import join
import numpy as np

from tervit_np.some.where import Pair, helper


class Thing:
    @staticmethod
    def forward(x: float) -> Pair:
        # Write here: the pair.
        raise NotImplementedError("{NOT_WRITTEN}")

    def other(self, x):
        y = helper(x)
        return y


def last(x):
    # Write here: the sum.
    raise NotImplementedError("{NOT_WRITTEN}")
    return total
'''
    )


def test_the_solved_file_holds_the_lines_and_what_they_use(library):
    text = solved_file("some.where", "thing", "Do it.")
    assert 'return Pair(_hidden(x), join("a", "b"))' in text
    assert "from tervit_np.some.where import Pair, _hidden, helper" in text
    assert "exercise" not in text
    assert "compiled" not in text


def test_long_imports_are_broken():
    names = ", ".join(f"name_{i}" for i in range(20))
    broken = module._wrapped(f"from somewhere import {names}")
    assert max(map(len, broken.splitlines())) < 100
    assert [a.name for a in ast.parse(broken).body[0].names] == names.split(", ")


def test_a_fence_outside_of_all_definitions_is_refused():
    with pytest.raises(ValueError, match="fence in line 2 is in no function or class"):
        fenced_definitions("if True:\n    # exercise x: y\n    y = 1\n", "x")


@pytest.mark.parametrize("make", ["student_file", "solved_file"])
@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_all_names_in_the_file_are_known(exercise, make):
    """But those that the student is to make, which the cut file uses after the cut."""
    text = getattr(exercise, make)()
    module: dict = {}
    exec(text, module)
    tree = ast.parse(text)
    names = [n for n in ast.walk(tree) if isinstance(n, ast.Name)]
    stored = {n.id for n in names if isinstance(n.ctx, ast.Store)}
    stored |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    unknown = {n.id for n in names} - stored - set(module) - set(dir(builtins))
    made = set(stored_in(exercise.solution()))
    assert unknown <= (made if make == "student_file" else set())


def stored_in(lines):
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    for node in ast.walk(ast.parse(f"def f():\n{body}")):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_no_line_of_the_solution_is_given_away(exercise):
    """Nor is it imported under its own name."""
    text = exercise.student_file()
    code = text.split('"""', 2)[2]
    for line in exercise.solution().splitlines():
        if len(line.strip()) > 8:
            assert line.strip() not in code
    imports = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom)]
    assert not {alias.name for n in imports for alias in n.names} & set(exercise.defines)
    library = ast.get_docstring(ast.parse(library_source(exercise.module)))
    assert library not in text


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_the_file_reads_well(exercise):
    text = exercise.student_file()
    assert max(map(len, text.splitlines())) <= 100
    assert text.endswith("\n")
    assert text.count(NOT_WRITTEN) == text.count("# Write here: ") >= 1
    assert np.__name__ in text
