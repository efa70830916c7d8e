"""Read pickles of plain data: the instructions of the machine in pickle_machine.py.

The functions are named after the constants of Python's module pickle. Sets become lists, because
nothing that a file names is hashed.
"""

import codecs
import pickle
import struct
from collections.abc import Callable
from typing import Any

from data_tools.pickle_machine import OBJECT, PickleError, PickleMachine, decoded

_STEP = 40  # bytes charged for each instruction
_MAX_INTEGER = 32  # bytes
_MAX_NUMBER = 64  # digits
_MAX_NAME = 1000  # bytes
_MAX_STRING = 1 << 23  # bytes


class PickleReader(PickleMachine):
    """Reads one pickle after another; `position` is where the next one begins."""

    def load(self) -> Any:
        """Read one pickle.

        Raises
        ------
        PickleError
            If it is incomplete, damaged, too large, or holds more than plain data.
        """
        self.reset()
        while (code := self.take(1)) != pickle.STOP:
            self.charge(_STEP)
            if code not in _INSTRUCTIONS:
                raise PickleError(f"byte {self.position - 1} is not an instruction of plain data")
            _INSTRUCTIONS[code](self)
        return self.pop()


def _skip(size: int) -> Callable[[PickleMachine], None]:
    """Skip the argument of an instruction that changes nothing."""

    def skip(m: PickleMachine) -> None:
        m.take(size)

    return skip


def _pop(m: PickleMachine) -> None:
    """Take the top of the stack, or the mark there."""
    if m.at_mark():
        m.pop_mark()
    else:
        m.pop()


def _pop_mark(m: PickleMachine) -> None:
    m.pop_mark()


def _constant(value: Any) -> Callable[[PickleMachine], None]:
    return lambda m: m.push(value)


def _int_line(m: PickleMachine) -> None:
    text = m.line(_MAX_NUMBER)
    if text in (b"00", b"01"):
        m.push(text == b"01")
    else:
        m.push(_number(text.removesuffix(b"L"), int))


def _float_line(m: PickleMachine) -> None:
    m.push(_number(m.line(_MAX_NUMBER), float))


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


def _tuple(count: int) -> Callable[[PickleMachine], None]:
    return lambda m: m.push(tuple([m.pop() for _ in range(count)][::-1]), OBJECT)


def _tuple_mark(m: PickleMachine) -> None:
    m.push(tuple(m.pop_mark()))


def _list_mark(m: PickleMachine) -> None:
    m.push(m.pop_mark())


def _empty_list(m: PickleMachine) -> None:
    m.push([], OBJECT)


def _empty_dict(m: PickleMachine) -> None:
    m.push({}, OBJECT)


def _dict_mark(m: PickleMachine) -> None:
    pairs = m.pop_mark()
    _empty_dict(m)
    m.set_items(m.top(), pairs)


def _append(m: PickleMachine) -> None:
    item = m.pop()
    m.add_items(m.top(), [item])


def _appends(m: PickleMachine) -> None:
    items = m.pop_mark()
    m.add_items(m.top(), items)


def _set_item(m: PickleMachine) -> None:
    value, key = m.pop(), m.pop()
    m.set_items(m.top(), [key, value])


def _set_items(m: PickleMachine) -> None:
    pairs = m.pop_mark()
    m.set_items(m.top(), pairs)


def _global(m: PickleMachine) -> None:
    module, name = m.line(_MAX_NAME), m.line(_MAX_NAME)
    m.name(decoded(module), decoded(name))


def _stack_global(m: PickleMachine) -> None:
    name, module = m.pop(), m.pop()
    m.name(module, name)


def _reduce(m: PickleMachine) -> None:
    arguments, function = m.pop(), m.pop()
    m.call(function, arguments)


def _new_object(m: PickleMachine) -> None:
    m.pop()  # keywords, which no function here takes
    _reduce(m)


def _instance(m: PickleMachine) -> None:
    _global(m)
    function = m.pop()
    m.call(function, tuple(m.pop_mark()))


def _object(m: PickleMachine) -> None:
    function, *arguments = m.pop_mark() or [None]
    m.call(function, tuple(arguments))


def _build(m: PickleMachine) -> None:
    state = m.pop()
    m.set_state(m.top(), state)


def _persistent(m: PickleMachine) -> None:
    m.push(m.persistent(m.pop()), OBJECT)


_INSTRUCTIONS: dict[bytes, Callable[[PickleMachine], None]] = {
    pickle.PROTO: _skip(1), pickle.FRAME: _skip(8),
    pickle.MARK: PickleMachine.mark, pickle.POP: _pop, pickle.POP_MARK: _pop_mark,
    pickle.DUP: lambda m: m.push(m.top()),
    pickle.NONE: _constant(None),
    pickle.NEWTRUE: _constant(True), pickle.NEWFALSE: _constant(False),
    pickle.INT: _int_line, pickle.LONG: _int_line, pickle.LONG1: _long(1), pickle.LONG4: _long(4),
    pickle.BININT: _signed, pickle.BININT1: _unsigned(1), pickle.BININT2: _unsigned(2),
    pickle.FLOAT: _float_line, pickle.BINFLOAT: _float,
    pickle.STRING: _string_line, pickle.SHORT_BINSTRING: _string(1), pickle.BINSTRING: _string(4),
    pickle.SHORT_BINBYTES: _bytes(1), pickle.BINBYTES: _bytes(4), pickle.BINBYTES8: _bytes(8),
    pickle.BYTEARRAY8: _bytes(8),
    pickle.UNICODE: _text_line, pickle.SHORT_BINUNICODE: _text(1), pickle.BINUNICODE: _text(4),
    pickle.BINUNICODE8: _text(8),
    pickle.EMPTY_TUPLE: _constant(()), pickle.TUPLE1: _tuple(1), pickle.TUPLE2: _tuple(2),
    pickle.TUPLE3: _tuple(3), pickle.TUPLE: _tuple_mark,
    pickle.EMPTY_LIST: _empty_list, pickle.LIST: _list_mark,
    pickle.APPEND: _append, pickle.APPENDS: _appends,
    pickle.EMPTY_SET: _empty_list, pickle.ADDITEMS: _appends, pickle.FROZENSET: _list_mark,
    pickle.EMPTY_DICT: _empty_dict, pickle.DICT: _dict_mark,
    pickle.SETITEM: _set_item, pickle.SETITEMS: _set_items,
    pickle.PUT: lambda m: m.store(_memo_number(m)), pickle.GET: lambda m: m.fetch(_memo_number(m)),
    pickle.BINPUT: lambda m: m.store(m.integer(1)), pickle.BINGET: lambda m: m.fetch(m.integer(1)),
    pickle.LONG_BINPUT: lambda m: m.store(m.integer(4)),
    pickle.LONG_BINGET: lambda m: m.fetch(m.integer(4)), pickle.MEMOIZE: PickleMachine.memoize,
    pickle.GLOBAL: _global, pickle.STACK_GLOBAL: _stack_global, pickle.REDUCE: _reduce,
    pickle.NEWOBJ: _reduce, pickle.NEWOBJ_EX: _new_object, pickle.INST: _instance,
    pickle.OBJ: _object, pickle.BUILD: _build, pickle.BINPERSID: _persistent,
}  # fmt: skip


def _memo_number(m: PickleMachine) -> int:
    """Read the number of a value in the memo as a line of digits."""
    text = m.line(_MAX_NUMBER)
    if not text.isdigit():
        raise PickleError("a number in the memo is damaged")
    return int(text)
