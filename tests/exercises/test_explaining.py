import pytest

from tervit_np.exercises.explaining import explain, line_of, timed_out

HEAD = "import numpy as np\nx, w = np.ones((2, 3)), np.ones((4, 5))\nc = type('C', (), {'w': w})\n"
HEAD += "import collections; cache = collections.namedtuple('Cache', 'xhat rstd')(x, w)\n"


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
    ("lines", "message"),
    [
        ("y = x @ w", "do not fit each other: the inner sizes are 3 and 4 (x is (2, 3), w is (4"),
        ("y = x @ c.w.T", "the inner sizes are 3 and 5 (x is (2, 3), c.w is (4, 5))"),
        ("y = x + w", "(2, 3) and (4, 5)"),
        ("y = x - x.sum(axis=1)", "(2, 3) and (2,); with keepdims=True the second would be (2, 1)"),
        ("y = x[3]", "IndexError: index 3 is out of bounds for axis 0 with size 2 (x is (2, 3))"),
        ("y = c.v", "AttributeError: type object 'C' has no attribute 'v'"),
        ("y = cache.mu", "'Cache' object has no attribute 'mu' (it has xhat, rstd)"),
        ("y = v", "name 'v' is not defined (defined here: "),
        ("x.flags.writeable = False\nx *= 2", "an array that the caller still needs unchanged"),
        ("x.flags.writeable = False\nnp.exp(x, out=x)", "make a new one"),
        ("raise NotImplementedError('nothing')", "not written yet: put your lines in place"),
        ("exit()", "this ends Python; return the result instead"),
        ("f = lambda: f(); f()", "the function calls itself endlessly"),
        ("raise MemoryError", "this needs more memory than is allowed"),
        ("raise EOFError", "this waits for input"),
        ("import bdb; raise bdb.BdbQuit", "this waits for input"),
        ("raise KeyError", "KeyError"),
        ("y = 1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_each_mistake_is_one_sentence_with_its_line(explained, lines, message):
    finding = explained(lines)
    number = 4 + len(lines.splitlines())
    assert finding.what == f"line {number}, `{lines.splitlines()[-1]}`"
    assert message in finding.message
    assert "\n" not in finding.message
    assert "Traceback" not in finding.message


def test_lines_are_counted_as_python_counts_them(explained):
    """A form feed between functions, or a line separator in a text, begins no line."""
    finding = explained("\f\ns = '\u2028\u0085'\ny = 1 / 0")
    assert finding.what == "line 7, `y = 1 / 0`"


@pytest.mark.parametrize(
    ("lines", "what", "message"),
    [
        ("y = (1", "line 5, `y = (1`", "'(' was never closed"),
        ("if x\n    y = 1", "line 5, `if x`", "expected ':'"),
        ("def f():\ny = 1", "line 6, `y = 1`", "expected an indented block"),
    ],
)
def test_a_syntax_error_is_shown_with_its_line(explained, lines, what, message):
    finding = explained(lines)
    assert finding.what == what
    assert "Python cannot read this line" in finding.message
    assert message in finding.message


def test_the_innermost_line_of_the_file_is_named(explained):
    """Neither the line of a library that it called nor the line that called it."""
    finding = explained("def f(a):\n    return np.stack(a)\nf([])")
    assert finding.what == "line 6, `return np.stack(a)`"


def test_a_read_only_array_needs_no_shapes(explained):
    assert "x is (" not in explained("x.flags.writeable = False\nx *= 2").message


def test_an_error_outside_of_the_file_is_shown_without_a_line(tmp_path):
    finding = explain(TypeError("f() takes 1 positional argument"), tmp_path / "answer.py")
    assert finding == ("it runs", "TypeError: f() takes 1 positional argument")


def test_a_run_that_is_stopped_names_its_line():
    lines = ["while True:", "    pass"]
    assert timed_out(lines, 2, 1.5) == (
        "line 2, `pass`",
        "still running after 1.5 s: does this loop ever end?",
    )
    assert timed_out(lines, None, 10).what == "it ends"


def test_a_missing_line_is_empty(tmp_path):
    file = tmp_path / "answer.py"
    file.write_text("  x = 1\n")
    assert [line_of(file, n) for n in (0, 1, 2)] == ["", "x = 1", ""]


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")


@pytest.mark.parametrize("error", [ValueError("x" * 10**7), KeyError("broadcast " * 10**6), Mute()])
def test_messages_are_short(tmp_path, error):
    assert len(explain(error, tmp_path / "answer.py").message) < 2000
