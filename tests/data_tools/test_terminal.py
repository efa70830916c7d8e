import io
import sys
from pathlib import Path

import pytest

from data_tools import terminal
from data_tools.terminal import (
    ERASE,
    PlainStream,
    StatusLine,
    encodable,
    in_columns,
    is_terminal,
    note,
    padded,
    plain_output,
    printable,
    printable_lines,
    shell_line,
    shell_word,
)

HOSTILE = [
    "\x1b[31mred", "\x1b]0;title\x07", "\x9b2J", "a\rb", "a\bb", "\x1b[K", "a\x7f", "\x00",
    "abc\u202etxt.exe", "\u2066x\u2069", "a\u2028b", "\ufeff", "\udcff\udc80", "\x84\x85", "\x0e",
    "\U000e0041", "\xad",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_terminal_obeys_becomes_visible(text):
    for clean in (printable(text), printable_lines(text)):
        assert clean != text
        assert clean.isprintable()


@pytest.mark.parametrize(
    "text", ["dog", "größe", "猫", "ß ± →", "\u0645\u06cc\u200c\u0634", "👩\u200d🔬"]
)
def test_words_stay(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("system", "name", "word"),
    [
        ("linux", "runs/a", "runs/a"),
        ("linux", "my run", "'my run'"),
        ("linux", "it's; rm", "'it'\"'\"'s; rm'"),
        ("win32", r"C:\runs\a", r"C:\runs\a"),
        ("win32", r"C:\my run", r'"C:\my run"'),
    ],
)
def test_a_path_is_one_word_of_a_command(monkeypatch, system, name, word):
    monkeypatch.setattr(sys, "platform", system)
    assert shell_word(name) == word


@pytest.mark.parametrize(
    ("system", "line"),
    [("linux", "tervit eval 'my run'"), ("win32", 'tervit eval "my run"')],
)
def test_a_command_line_is_for_the_shell_of_the_system(monkeypatch, system, line):
    monkeypatch.setattr(sys, "platform", system)
    assert shell_line(["tervit", "eval", Path("my run")]) == line


def test_line_breaks_stay_in_lines_alone():
    assert printable("a\nb\tc") == "a\\nb\\tc"
    assert printable_lines("a\nb\tc") == "a\nb\tc"


@pytest.mark.parametrize(
    ("text", "encoding", "result"),
    [
        ("91 ± 2 %", "ascii", "91 +- 2 %"),
        ("91 ± 2 %", "cp1252", "91 ± 2 %"),
        ("猫", "cp1252", "\\u732b"),
        ("a → b", "latin-1", "a -> b"),
        ("猫", "utf-8", "猫"),
        ("é", None, "é"),
    ],
)
def test_what_an_encoding_lacks_is_replaced(text, encoding, result):
    assert encodable(text, encoding) == result


def stream(encoding):
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "utf-8", "shift_jis"])
def test_anything_can_be_printed_in_any_encoding(encoding):
    below = stream(encoding)
    for text in [*HOSTILE, "猫 ± é", "\U0001f600"]:
        print(text, file=PlainStream(below))
    below.flush()
    written = below.buffer.getvalue()
    assert not any(byte in written for byte in b"\x1b\x07\x08\r\x7f\0")


class Failing(io.StringIO):
    def __init__(self, error):
        super().__init__()
        self.error, self.tried = error, 0

    def write(self, text):
        self.tried += 1
        raise self.error


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), BrokenPipeError(32, "Broken"), OSError(5, "I/O error")]
)
def test_a_stream_that_may_fail_is_silent_afterwards(error):
    below = Failing(error)
    line = StatusLine(below)
    for _ in range(3):
        line.show("progress")
    assert below.tried == 1


def test_results_that_cannot_be_written_are_an_error():
    with pytest.raises(OSError, match=r"the output could not be written \(No space left\)"):
        PlainStream(Failing(OSError(28, "No space left"))).write("accuracy")
    with pytest.raises(BrokenPipeError):
        PlainStream(Failing(BrokenPipeError())).write("accuracy")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_one_line_and_no_codes_of_names():
    screen = Terminal()
    line = StatusLine(PlainStream(screen))
    line.show("1 %  \x1b[2Jname")
    line.keep("done")
    line.erase()
    assert screen.getvalue() == f"{ERASE}1 %  \\x1b[2Jname{ERASE}done\n{ERASE}"


def test_progress_takes_one_row_of_the_terminal(monkeypatch):
    """A row that wraps would leave its beginning above, once for each update."""
    monkeypatch.setenv("COLUMNS", "20")
    screen = Terminal()
    StatusLine(screen).show("a picture of a long name, 3 s left")
    assert screen.getvalue() == f"{ERASE}a picture of a l..."


@pytest.mark.parametrize(
    ("text", "shown"),
    [("12345678", "12345678"), ("123456789", "12345..."), ("猫の写真", "猫の写真"),
     ("猫の写真!", "猫の..."), ("12345678\u0301", "12345678\u0301"), ("é" * 9, "ééééé...")],
)  # fmt: skip
def test_columns_are_those_of_the_screen(text, shown):
    assert in_columns(text, 8) == shown


def test_text_is_padded_to_columns_of_the_screen():
    assert [padded(name, 6) + "|" for name in ("cat", "猫", "e\u0301")] == [
        "cat   |", "猫    |", "e\u0301     |",
    ]  # fmt: skip


def test_a_dumb_terminal_gets_lines_without_codes(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    screen = Terminal()
    line = StatusLine(screen)
    line.show("1 %")
    line.erase()
    line.keep("done")
    assert screen.getvalue() == "1 %\ndone\n"


def test_without_standard_error_nothing_is_shown(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    line = StatusLine()
    line.show("progress")
    line.keep("done")
    note("something")
    assert not line.terminal


def test_a_closed_stream_is_no_terminal():
    closed = io.StringIO()
    closed.close()
    assert not is_terminal(closed)
    assert not is_terminal(None)


def test_plain_output_covers_both_streams_and_restores_them(capsys):
    before = sys.stdout, sys.stderr
    with plain_output():
        print("\x1b[31m")
        print("\x1b[32m", file=sys.stderr)
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr() == ("\\x1b[31m\n", "\\x1b[32m\n")


def test_a_note_is_one_line(capsys):
    terminal.note("lost\nlines")
    assert capsys.readouterr().err == "note: lost\\nlines\n"
