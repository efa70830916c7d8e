"""Read pickles of plain data: the instructions of the machine in pickle_machine.py.

The functions are named after the constants of Python's module pickle. Sets become lists, because
nothing that a file names is hashed.
"""

import pickle
from collections.abc import Callable
from typing import Any

from data_tools.pickle_literals import LITERALS, MAX_NUMBER
from data_tools.pickle_machine import OBJECT, PickleMachine
from data_tools.pickle_values import PickleError, decoded

_STEP = 40  # bytes charged for each instruction
_MAX_NAME = 1000  # bytes


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


def _memo_number(m: PickleMachine) -> int:
    """Read the number of a value in the memo as a line of digits."""
    text = m.line(MAX_NUMBER)
    if not text.isdigit():
        raise PickleError("a number in the memo is damaged")
    return int(text)


_INSTRUCTIONS: dict[bytes, Callable[[PickleMachine], None]] = LITERALS | {
    pickle.PROTO: _skip(1), pickle.FRAME: _skip(8),
    pickle.MARK: PickleMachine.mark, pickle.POP: _pop, pickle.POP_MARK: _pop_mark,
    pickle.DUP: lambda m: m.push(m.top()),
    pickle.TUPLE1: _tuple(1), pickle.TUPLE2: _tuple(2),
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
