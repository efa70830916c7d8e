import pytest

from tervit_np.exercises.explaining import explain, line_of, stalled

HEAD = "import numpy as np\nx, w = np.ones((2, 3)), np.ones((4, 5))\nc = type('C', (), {'w': w})\n"


@pytest.fixture
def explained(tmp_path):
    """Run some lines from a file and explain what they raise."""

    def run(lines):
        file = tmp_path / "answer.py"
        file.write_text(HEAD + lines)
        try:
            exec(compile(file.read_bytes(), str(file), "exec"), {})
        except (Exception, SystemExit) as error:
            return explain(error, file)

    return run


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("y = x @ w", "do not fit each other: a sum over 3 meets one over 4 (x is (2, 3), w is (4"),
        ("y = x @ c.w.T", "a sum over 3 meets one over 5 (x is (2, 3), c.w is (4, 5))"),
        ("y = x + w", "(2, 3) and (4, 5)"),
        ("y = x - x.sum(axis=1)", "(2, 3) and (2,); with keepdims=True the second would be (2, 1)"),
        ("y = x[3]", "IndexError: index 3 is out of bounds for axis 0 with size 2 (x is (2, 3))"),
        ("y = c.v", "AttributeError: type object 'C' has no attribute 'v'"),
        ("y = v", "name 'v' is not defined (known here: "),
        ("x.flags.writeable = False\nx *= 2", "given to you, and others still need it as it was"),
        ("x.flags.writeable = False\nnp.exp(x, out=x)", "make a new one"),
        ("raise NotImplementedError('nothing')", "not written yet: put your lines in place"),
        ("exit()", "this ends Python; return the result instead"),
        ("f = lambda: f(); f()", "the function calls itself without end"),
        ("raise MemoryError", "this needs more memory than there is"),
        ("raise EOFError", "this waits for input"),
        ("import bdb; raise bdb.BdbQuit", "this waits for input"),
        ("raise KeyError", "KeyError"),
        ("y = 1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_each_mistake_is_one_sentence_with_its_line(explained, lines, why):
    found = explained(lines)
    number = 3 + len(lines.splitlines())
    assert found.what == f"line {number}, `{lines.splitlines()[-1]}`"
    assert why in found.why
    assert "\n" not in found.why
    assert "Traceback" not in found.why


@pytest.mark.parametrize(
    ("lines", "what", "why"),
    [
        ("y = (1", "line 4, `y = (1`", "'(' was never closed"),
        ("if x\n    y = 1", "line 4, `if x`", "expected ':'"),
        ("def f():\ny = 1", "line 5, `y = 1`", "expected an indented block"),
    ],
)
def test_what_python_cannot_read(explained, lines, what, why):
    found = explained(lines)
    assert found.what == what
    assert "Python cannot read this line" in found.why
    assert why in found.why


def test_the_deepest_line_of_theirs_is_named(explained):
    """Not the line of a library that they called, nor the one that called them."""
    found = explained("def f(a):\n    return np.stack(a)\nf([])")
    assert found.what == "line 5, `return np.stack(a)`"


def test_a_read_only_array_needs_no_shapes(explained):
    assert "x is (" not in explained("x.flags.writeable = False\nx *= 2").why


def test_without_a_line_of_theirs_the_error_speaks(tmp_path):
    found = explain(TypeError("f() takes 1 positional argument"), tmp_path / "answer.py")
    assert found == ("it runs", "TypeError: f() takes 1 positional argument")


def test_a_run_without_end_names_the_line(tmp_path):
    file = tmp_path / "answer.py"
    file.write_text("while True:\n    pass\n")
    assert stalled(file, 2, 1.5) == (
        "line 2, `pass`",
        "still running after 1.5 s: does this loop ever end?",
    )
    assert stalled(file, None, 10).what == "it ends"


def test_a_line_that_is_not_there_is_empty(tmp_path):
    file = tmp_path / "answer.py"
    file.write_text("  x = 1\n")
    assert [line_of(file, n) for n in (0, 1, 2)] == ["", "x = 1", ""]
