import contextlib
import io
import sys

import numpy as np
import pytest

from tervit_np import ops
from tervit_np.exercises.grader import grade, load
from tervit_np.exercises.tasks import find_exercise

LINEAR = find_exercise("linear_backward")
GOOD = """
dy2, x2 = rows(dy), rows(cache.x)
return (dy2 @ cache.weight).reshape(cache.x.shape), dy2.T @ x2, dy2.sum(axis=0)
"""


def test_an_answer_in_other_lines_passes(answer):
    findings = grade(LINEAR, answer(LINEAR, GOOD))
    assert len(findings) == 5
    assert all(finding.ok for finding in findings)


def test_the_first_wrong_finding_is_the_last(answer):
    findings = grade(LINEAR, answer(LINEAR, GOOD.replace("dy2.T @ x2", "-dy2.T @ x2")))
    assert [finding.ok for finding in findings] == [False]
    assert "the sign" in findings[-1].message


@pytest.mark.parametrize(
    ("lines", "what", "message"),
    [
        ("return dy @ cache.weight.T", "`return dy", "these shapes do not fit"),
        ("dy *= 2", "`dy *= 2`", "make a new one"),
        ("cache.x[:] = 0", "`cache.x[:] = 0`", "make a new one"),
        ("pass", "on paper", "nothing is returned, expected 3 arrays"),
        ("raise SystemExit(0)", "`raise", "this ends Python"),
        ("return (", "`return (`", "was never closed"),
    ],
)
def test_an_exception_becomes_a_finding(last_finding, lines, what, message):
    finding = last_finding(LINEAR, lines)
    assert what in finding.what
    assert message in finding.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "def linear_backwards(dy, cache): pass",
        "from tervit_np.ops import linear_backward",
        "linear_backward = None",
    ],
)
def test_the_function_must_be_in_the_file(tmp_path, text):
    file = tmp_path / "linear_backward.py"
    file.write_text(text)
    (finding,) = grade(LINEAR, file)
    assert finding == (
        "linear_backward",
        "the file must define linear_backward itself, under this name",
    )


def test_a_function_with_other_arguments_is_wrong(tmp_path):
    file = tmp_path / "linear_backward.py"
    file.write_text("def linear_backward(dy):\n    return dy\n")
    (finding,) = grade(LINEAR, file)
    assert finding == ("linear_backward", "keep the signature linear_backward(dy, cache)")


def test_an_extra_parameter_is_wrong(tmp_path):
    file = tmp_path / "linear_backward.py"
    file.write_text("def linear_backward(dy, cache, scale=1):\n    return dy\n")
    message = "keep the signature linear_backward(dy, cache)"
    assert grade(LINEAR, file) == [("linear_backward", message)]


def test_a_student_has_numbers_of_its_own(tmp_path):
    """The same at every check."""
    file = tmp_path / "linear_backward.py"
    text = LINEAR.solved_file().replace("    dy2, x2 =", "    print(dy.sum())\n    dy2, x2 =")
    file.write_text(text)

    def numbers(student):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert all(finding.ok for finding in grade(LINEAR, file, student))
        return printed.getvalue()

    assert numbers("") == numbers("")
    assert numbers("Ada King") == numbers("ada  king")
    assert len({numbers(student) for student in ("", "Ada", "Grace")}) == 3


def test_a_binary_file_is_wrong(tmp_path):
    file = tmp_path / "linear_backward.py"
    file.write_bytes(b"x = '\xff\xfe'\n")
    (finding,) = grade(LINEAR, file)
    assert "Python cannot read this line" in finding.message


def test_a_file_is_read_anew_within_a_second(tmp_path):
    """Bytecode of the first would still look fresh: same time, same length."""
    file = tmp_path / "answer.py"
    for number in range(3):
        file.write_text(f"x = {number}\n")
        assert load(file).x == number
    assert list(tmp_path.iterdir()) == [file]


def test_the_library_does_not_change(answer):
    before = vars(ops).copy()
    grade(LINEAR, answer(LINEAR, GOOD))
    assert vars(ops) == before
    assert not [name for name in sys.modules if name.startswith("answer_")]


def test_warnings_of_an_answer_are_ignored(last_finding, recwarn):
    """Of zero by zero only the result counts."""
    finding = last_finding(LINEAR, "bad = np.zeros(1) / 0\nreturn bad, bad, bad")
    assert "expected (6, 5)" in finding.message or "not finite" in finding.message
    assert not recwarn.list
    assert np.geterr()["invalid"] == "warn"
