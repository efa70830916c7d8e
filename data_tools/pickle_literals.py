"""Instructions of a pickle that push one number or text.

The functions are named after the constants of Python's module pickle.
"""

import codecs
import pickle
import struct
from collections.abc import Callable
from typing import Any

from data_tools.pickle_machine import OBJECT, PickleMachine
from data_tools.pickle_values import PickleError

_MAX_INTEGER = 32  # bytes
MAX_NUMBER = 64  # digits
_MAX_STRING = 1 << 23  # bytes


def _constant(value: Any) -> Callable[[PickleMachine], None]:
    return lambda m: m.push(value)


def _int_line(m: PickleMachine) -> None:
    text = m.line(MAX_NUMBER)
    if text in (b"00", b"01"):
        m.push(text == b"01")
    else:
        m.push(_number(text.removesuffix(b"L"), int))


def _float_line(m: PickleMachine) -> None:
    m.push(_number(m.line(MAX_NUMBER), float))


def _number(text: bytes, kind: type[int] | type[float]) -> int | float:
    try:
        return kind(text)
    except ValueError:
        raise PickleError("a number is damaged") from None


def _long(count: int) -> Callable[[PickleMachine], None]:
    def read(m: PickleMachine) -> None:
        size = m.integer(count)
        if size > _MAX_INTEGER:
            raise PickleError(f"an integer has {size} bytes, expected at most {_MAX_INTEGER}")
        m.push(int.from_bytes(m.take(size), "little", signed=True))

    return read


def _signed(m: PickleMachine) -> None:
    m.push(int.from_bytes(m.take(4), "little", signed=True))


def _float(m: PickleMachine) -> None:
    m.push(struct.unpack(">d", m.take(8))[0])


def _unsigned(count: int) -> Callable[[PickleMachine], None]:
    return lambda m: m.push(m.integer(count))


def _bytes(count: int) -> Callable[[PickleMachine], None]:
    """Read bytes after a length of `count` bytes."""

    def read(m: PickleMachine) -> None:
        size = m.integer(count)
        m.push(m.take(size), size + OBJECT)

    return read


def _string(count: int) -> Callable[[PickleMachine], None]:
    return lambda m: m.string(m.take(m.integer(count)))


def _string_line(m: PickleMachine) -> None:
    text = m.line(_MAX_STRING)
    if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in (b"'", b'"'):
        raise PickleError("a string has no quotes")
    try:
        m.string(codecs.escape_decode(text[1:-1])[0])
    except ValueError:
        raise PickleError("a string is damaged") from None


def _text(count: int) -> Callable[[PickleMachine], None]:
    return lambda m: m.push(m.text(m.integer(count)))


def _text_line(m: PickleMachine) -> None:
    m.push(m.text(m.line_size(), "raw-unicode-escape"))
    m.take(1)


LITERALS: dict[bytes, Callable[[PickleMachine], None]] = {
    pickle.NONE: _constant(None),
    pickle.NEWTRUE: _constant(True), pickle.NEWFALSE: _constant(False),
    pickle.INT: _int_line, pickle.LONG: _int_line, pickle.LONG1: _long(1), pickle.LONG4: _long(4),
    pickle.BININT: _signed, pickle.BININT1: _unsigned(1), pickle.BININT2: _unsigned(2),
    pickle.FLOAT: _float_line, pickle.BINFLOAT: _float,
    pickle.STRING: _string_line, pickle.SHORT_BINSTRING: _string(1), pickle.BINSTRING: _string(4),
    pickle.SHORT_BINBYTES: _bytes(1), pickle.BINBYTES: _bytes(4), pickle.BINBYTES8: _bytes(8),
    pickle.BYTEARRAY8: _bytes(8),
    pickle.UNICODE: _text_line, pickle.SHORT_BINUNICODE: _text(1), pickle.BINUNICODE: _text(4),
    pickle.BINUNICODE8: _text(8), pickle.EMPTY_TUPLE: _constant(()),
}  # fmt: skip
