"""The values of a pickle that are not plain data, and the error that refuses one."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

_SHOWN = 80  # characters of a name in a message


class PickleError(ValueError):
    """The file is damaged, or more than plain data."""


class Function(NamedTuple):
    """What a name in a pickle stands for: called with the arguments in the file."""

    call: Callable[..., Any]


@runtime_checkable
class HasState(Protocol):
    """An object that a pickle completes after it has been made."""

    def set_state(self, state: Any) -> None:
        """Take the state from the file, and check it."""


class Skipped:
    """Replaces an object that is not needed: accepts every call and state, stores nothing."""

    def set_state(self, state: Any) -> None:
        """Do nothing."""


class LongText(NamedTuple):
    """Where a long text is in the file, and in which encoding."""

    start: int
    stop: int
    encoding: str


def shown(*parts: str) -> str:
    """Return a dotted name for a message, without control characters and not too long."""
    name = ".".join(part[:_SHOWN] for part in parts)
    return "".join(c if c.isprintable() else "?" for c in name)


def decoded(raw: bytes, encoding: str = "utf-8") -> str:
    """Decode a text; PickleError if its bytes are none."""
    errors = "surrogatepass" if encoding == "utf-8" else "strict"
    try:
        return raw.decode(encoding, errors)
    except UnicodeDecodeError:
        raise PickleError("a text is damaged") from None
