"""The stack machine that reads pickles of plain data from files that may be hostile.

A pickle is a program for a stack machine, and Python's own unpickler runs it: it calls what the
file names, hashes whatever the file makes a key, and allocates what the file asks for. This machine
builds numbers, texts, bytes, lists and dictionaries alone. A subclass decides which names stand for
which functions of its own. Nothing is hashed but texts and small integers, nothing recurses, and
what is built needs no more memory than the file and 24 MB.
"""

import codecs
import re
from collections.abc import Iterator
from mmap import mmap
from typing import Any

from data_tools.pickle_values import (
    Function,
    HasState,
    LongText,
    PickleError,
    Skipped,
    decoded,
    shown,
)

_SPARE = 24_000_000  # bytes that the values may need beyond the size of the file
_LONG = 1 << 16  # bytes from which a text is decoded only when it is needed
_MAX_KEY_LENGTH = 1000
_MAX_KEY = 1 << 60  # absolute value; larger integers may share a hash
# Estimated bytes of an object and of an entry in a dictionary.
OBJECT, _ENTRY = 56, 72
_WIDE = re.compile(rb"[\xc4-\xff]")  # UTF-8 of characters that need more than a byte in memory


class PickleMachine:
    """Stack, memo and position of a reader; counts the memory of what it builds."""

    encoding: str | None = None  # of Python 2's strings; None: they are bytes

    def __init__(self, content: bytes | mmap, position: int = 0) -> None:
        self.position = position
        self._content = content
        self._budget = len(content) + _SPARE
        self.reset()

    def reset(self) -> None:
        """Forget all values, before the next pickle."""
        self._stack: list[Any] = []
        self._marks: list[int] = []  # heights of the stack
        self._memo: dict[int, Any] = {}

    def find(self, module: str, name: str) -> Function | Skipped | str:
        """Return what a name stands for; raise PickleError if it is not allowed."""
        raise PickleError(f"it names {shown(module, name)} where only plain values are allowed")

    def persistent(self, identity: Any) -> Any:
        """Return the object that the file refers to; raise PickleError if it is none."""
        raise PickleError("it refers to an object outside the file")

    def bad_key(self, key: Any) -> None:
        """Refuse another key than a text or a small integer, or return to leave the pair out."""
        kind = type(key).__name__
        raise PickleError(f"a key is a {kind}, expected a short text or a small integer")

    def charge(self, size: int) -> None:
        """Count memory; raise PickleError if it is more than a file of this size may need."""
        self._budget -= size
        if self._budget < 0:
            raise PickleError("what it describes is much larger than the file")

    def take(self, count: int) -> bytes:
        """Read `count` bytes."""
        start, stop = self.position, self.position + count
        if stop > len(self._content):
            raise PickleError("it ends within an instruction: truncated?")
        self.position = stop
        return self._content[start:stop]

    def integer(self, count: int) -> int:
        """Read an unsigned integer of `count` bytes."""
        return int.from_bytes(self.take(count), "little")

    def line_size(self) -> int:
        """Return the number of bytes before the next newline."""
        stop = self._content.find(b"\n", self.position)
        if stop < 0:
            raise PickleError("it ends within a line: truncated?")
        return stop - self.position

    def line(self, longest: int) -> bytes:
        """Read a line of at most `longest` bytes, without its newline."""
        size = self.line_size()
        if size > longest:
            raise PickleError(f"a line has {size} bytes, expected at most {longest}")
        return self.take(size + 1)[:-1]

    def push(self, value: Any, size: int = 0) -> None:
        """Put a value on the stack; `size` is the memory that it needs."""
        self.charge(size)
        self._stack.append(value)

    def pop(self) -> Any:
        """Take the top of the stack."""
        if self.at_mark():
            raise PickleError("an instruction finds no value")
        return self._stack.pop()

    def at_mark(self) -> bool:
        """Return whether nothing is above the last mark."""
        return len(self._stack) == (self._marks[-1] if self._marks else 0)

    def top(self) -> Any:
        """Return the top of the stack."""
        if not self._stack:
            raise PickleError("an instruction finds no value")
        return self._stack[-1]

    def mark(self) -> None:
        """Remember the height of the stack."""
        self._marks.append(len(self._stack))

    def pop_mark(self) -> list[Any]:
        """Take everything above the last mark."""
        if not self._marks:
            raise PickleError("an instruction finds no mark")
        height = self._marks.pop()
        values = self._stack[height:]
        del self._stack[height:]
        self.charge(OBJECT)
        return values

    def store(self, number: int) -> None:
        """Remember the top of the stack under a number."""
        self._memo[number] = self.top()
        self.charge(_ENTRY)

    def memoize(self) -> None:
        """Remember the top of the stack under the next number."""
        self.store(len(self._memo))

    def fetch(self, number: int) -> None:
        """Push a remembered value."""
        if number not in self._memo:
            raise PickleError("an instruction fetches a value that was not stored")
        self.push(self._memo[number])

    def text(self, size: int, encoding: str = "utf-8") -> str | LongText:
        """Read a text of `size` bytes; a long one stays in the file."""
        if size > _LONG:
            start = self.position
            if start + size > len(self._content):
                raise PickleError("it ends within a text: truncated?")
            self.position = start + size
            return LongText(start, self.position, encoding)
        raw = self.take(size)
        self.charge(OBJECT + size * (4 if _WIDE.search(raw) or b"\\" in raw else 1))
        return decoded(raw, encoding)

    def string(self, raw: bytes) -> None:
        """Push a string of Python 2."""
        if self.encoding is None:
            self.push(raw, OBJECT + len(raw))
        else:
            self.push(decoded(raw, self.encoding), OBJECT + 4 * len(raw))

    def latin1(self, text: Any) -> bytes | bytearray:
        """Encode a text of the file as Latin-1, piece by piece."""
        if isinstance(text, str):
            self.charge(OBJECT + len(text))
            pieces = iter([text])
        elif isinstance(text, LongText):
            self.charge(text.stop - text.start)
            pieces = self._pieces(text)
        else:
            raise PickleError("it encodes something other than a text")
        encoded = bytearray()
        try:
            for piece in pieces:
                encoded += piece.encode("latin-1")
        except UnicodeError:
            raise PickleError("a text is damaged") from None
        return bytes(encoded) if isinstance(text, str) else encoded  # a copy would double it

    def _pieces(self, text: LongText) -> Iterator[str]:
        """Decode a long text."""
        decoder = codecs.getincrementaldecoder(text.encoding)()
        for start in range(text.start, text.stop, _LONG):
            yield decoder.decode(self._content[start : min(start + _LONG, text.stop)])
        yield decoder.decode(b"", True)

    def add_items(self, container: Any, items: list[Any]) -> None:
        """Append to a list, or to what replaces one."""
        if isinstance(container, list):
            self.charge(8 * len(items))
            container.extend(items)
        elif not isinstance(container, Skipped):
            raise PickleError("it appends to something other than a list")

    def set_items(self, container: Any, pairs: list[Any]) -> None:
        """Store keys and values, one after the other, in a dictionary."""
        if len(pairs) % 2:
            raise PickleError("a dictionary has a key without a value")
        if isinstance(container, Skipped):
            return
        if not isinstance(container, dict):
            raise PickleError("it sets an item of something other than a dictionary")
        self.charge(_ENTRY * len(pairs))
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if _is_key(key):
                container[key] = value
            else:
                self.bad_key(key)

    def call(self, function: Any, arguments: Any) -> None:
        """Push what a function of ours makes of the arguments in the file."""
        if isinstance(function, Skipped):
            self.push(function)
            return
        if not isinstance(function, Function) or not isinstance(arguments, tuple):
            raise PickleError("it calls something other than a function")
        try:
            self.push(function.call(*arguments), 2 * OBJECT)
        except TypeError:
            raise PickleError("it calls a function with the wrong number of arguments") from None

    def set_state(self, target: Any, state: Any) -> None:
        """Complete an object with its state in the file."""
        if not isinstance(target, HasState):
            raise PickleError(f"it changes a {type(target).__name__}")
        target.set_state(state)

    def name(self, module: Any, name: Any) -> None:
        """Push what a name stands for."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise PickleError("a name is not a text")
        self.push(self.find(module, name), OBJECT)


def _is_key(key: Any) -> bool:
    if isinstance(key, str | bytes):
        return len(key) <= _MAX_KEY_LENGTH
    return type(key) is int and abs(key) < _MAX_KEY
