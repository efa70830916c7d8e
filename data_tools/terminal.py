r"""Text on its way to a terminal: names may contain escape codes, and streams may fail.

Names of classes, files and arms come from files that somebody else made. Written as they are, they
could recolour a terminal, erase what stands above, or add lines that look like ours. Here the
characters that a terminal obeys become visible escapes, `\x1b` for ESC, and those that the encoding
of the stream lacks do too.
"""

import io
import os
import re
import shlex
import shutil
import sys
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import accumulate
from typing import TextIO

ERASE = "\r\x1b[K"  # to the start of the line, erase it; written by StatusLine alone

# Control characters, marks that turn the direction of writing, invisible characters, surrogates.
# The joiners U+200C and U+200D stay: Persian words and emoji need them.
_OBEYED = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_LINES = "\n\t"  # kept in text of several lines
_DOTS = "..."
_ASCII = {"±": "+-", "→": "->", "×": "x", "…": "..."}


def printable(name: object) -> str:
    """Return text on one line without characters that a terminal obeys."""
    return _OBEYED.sub(_escape, str(name))


def shell_word(name: object) -> str:
    """Return a path as one word of a command line, in quotation marks if it needs them."""
    text = str(name)
    if sys.platform == "win32":
        return f'"{text}"' if set(text) & set(" &()^,;=") else text
    return shlex.quote(text)


def shell_line(words: Iterable[object]) -> str:
    """Return a command line of these words, to be copied into a shell of this system."""
    return " ".join(map(shell_word, words))


def printable_lines(text: str) -> str:
    """Return text without characters that a terminal obeys, except line breaks and tabs."""
    return _OBEYED.sub(lambda m: m[0] if m[0] in _LINES else _escape(m), text)


def encodable(text: str, encoding: str | None) -> str:
    """Replace what an encoding lacks: signs by ASCII (± by +-), other characters by escapes."""
    if encoding is None:
        return text
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        pass
    else:
        return text
    for sign, replacement in _ASCII.items():
        if not _can_encode(sign, encoding):
            text = text.replace(sign, replacement)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _can_encode(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


class PlainStream(io.TextIOBase):
    """A text stream that writes `printable_lines` to another, in characters that it can encode.

    With `may_fail` an error of the other stream, such as a terminal that is gone, ends the output
    and not the work.
    """

    def __init__(self, stream: TextIO, *, may_fail: bool = False) -> None:
        self.stream, self.may_fail = stream, may_fail

    def write(self, text: str) -> int:
        """Write text; return its length."""
        self.write_raw(printable_lines(text))
        return len(text)

    def write_raw(self, text: str) -> None:
        """Write text that contains no foreign names, or printable ones."""
        with self._may_fail():
            self.stream.write(encodable(text, self.encoding))

    def flush(self) -> None:
        """Flush the other stream."""
        with self._may_fail():
            self.stream.flush()

    @contextmanager
    def _may_fail(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            if not self.may_fail:
                raise  # the command line ends then, without a message
            self.stream = _Nowhere()
        except OSError as error:
            if not self.may_fail:
                reason = error.strerror or error
                raise OSError(f"the output could not be written ({reason})") from None
            self.stream = _Nowhere()

    @property
    def encoding(self) -> str | None:  # type: ignore[override]
        """The encoding of the other stream."""
        return getattr(self.stream, "encoding", None)

    def isatty(self) -> bool:
        """Tell whether the other stream is a terminal."""
        return is_terminal(self.stream)

    def fileno(self) -> int:
        """Return the other stream's file descriptor."""
        return self.stream.fileno()

    def writable(self) -> bool:
        """Return True."""
        return True


class _Nowhere(io.StringIO):
    """A stream that forgets what is written."""

    def write(self, text: str) -> int:
        """Forget it."""
        return len(text)


@contextmanager
def plain_output() -> Iterator[None]:
    """Send standard output and standard error through PlainStream."""
    out, error = sys.stdout, sys.stderr
    sys.stdout = PlainStream(out)
    sys.stderr = PlainStream(error, may_fail=True)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, error


class StatusLine:
    """Progress on a stream: one line that is rewritten on a terminal, else a new line each time.

    A terminal erases one row only, so a longer text ends with dots. One that cannot erase
    (TERM=dumb) gets new lines, too. The default stream is standard error. Nothing is written if
    there is none (`2>&-`, services), or after it has failed.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        stream = sys.stderr if stream is None else stream
        self.terminal = is_terminal(stream) and os.environ.get("TERM") != "dumb"
        if stream is None or isinstance(stream, PlainStream):
            self._stream = stream
        else:
            self._stream = PlainStream(stream, may_fail=True)

    def show(self, text: str) -> None:
        """Write text over the line before, or as a line of a log."""
        text = printable(text)
        if self.terminal and self._stream is not None:
            self._write(f"{ERASE}{in_columns(text, _columns(self._stream) - 1)}")
        else:
            self._write(f"{text}\n")

    def keep(self, text: str) -> None:
        """Write a line that stays."""
        self._write(f"{ERASE if self.terminal else ''}{printable(text)}\n")

    def erase(self) -> None:
        """Erase the line, if this is a terminal."""
        if self.terminal:
            self._write(ERASE)

    def _write(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write_raw(text)
            self._stream.flush()


def in_columns(text: str, columns: int) -> str:
    """Return text that takes at most so many columns of a terminal, cut off with dots."""
    widths = list(accumulate(map(_width, text), initial=0))
    if widths[-1] <= columns:
        return text
    return text[: max(bisect_right(widths, columns - len(_DOTS)) - 1, 0)] + _DOTS


def padded(text: str, columns: int) -> str:
    """Return text with as many spaces behind it as fill so many columns of a terminal."""
    return text + " " * (columns - columns_of(text))


def columns_of(text: str) -> int:
    """Return the columns that a text takes on a terminal."""
    return sum(map(_width, text))


def _width(sign: str) -> int:
    """Return the columns that a character takes: Chinese takes two, a combining accent none."""
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def _columns(stream: PlainStream) -> int:
    """Return the width of a terminal, which need not be that of standard output."""
    columns = 0
    with suppress(ValueError, OSError):  # COLUMNS is no number, the stream has none
        columns = int(os.environ.get("COLUMNS", 0)) or os.get_terminal_size(stream.fileno()).columns
    return columns or shutil.get_terminal_size().columns  # some terminals say 0


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a stream is a terminal; False if there is no stream or it is closed."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def note(text: str) -> None:
    """Print a line on standard error about something that the work goes on without."""
    StatusLine().keep(f"note: {text}")
