r"""The programs of regular expressions, for the machine in pattern.py.

a . \d \w \s \. [a-z] [^0-9] (...) (?:...) x|y x* x+ x? x{2} x{2,} x{2,5} ^ $
"""

from functools import lru_cache
from typing import NamedTuple, TypeAlias

MAX_LENGTH = 100_000  # of a pattern, in characters
_MAX_PROGRAM = 200_000  # instructions; repetitions {m,n} are written out
_MAX_DEPTH = 50  # of parentheses
Ranges: TypeAlias = tuple[tuple[str, str], ...]  # first and last characters
_CLASSES: dict[str, Ranges] = {
    "d": (("0", "9"),),
    "w": (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")),
    "s": (("\t", "\r"), (" ", " ")),
}
_QUANTIFIERS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


class Characters(NamedTuple):
    """Take one character that is in one of the ranges, or that is in none."""

    ranges: Ranges
    inverted: bool = False

    def accepts(self, character: str) -> bool:
        """Tell whether it takes this character."""
        for first, last in self.ranges:
            if first <= character <= last:
                return not self.inverted
        return self.inverted


class Split(NamedTuple):
    """Go on at two instructions, by their distances."""

    first: int
    second: int


class Edge(NamedTuple):
    """Go on only at the start or at the end of the name."""

    start: bool


Instruction = Characters | Split | Edge
Program = list[Instruction]
_ANY = Characters((), inverted=True)


def compile_program(text: str) -> Program:
    """Translate a regular expression.

    Raises
    ------
    ValueError
        If it is malformed, too long, or uses what the machine does not have.
    """
    return _Parser(text).parse()


def shown(text: str) -> str:
    """Quote a pattern in a message, shortened if it is long."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


class _Parser:
    """Recursive descent over the text; every method returns the program of what it read."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise ValueError(f"{shown(text)} has {len(text)} characters, at most {MAX_LENGTH}")
        self._text, self._position, self._depth = text, 0, 0

    def parse(self) -> Program:
        program = self._alternatives()
        if self._next():
            raise self._error("unbalanced parenthesis")
        return program

    def _alternatives(self) -> Program:
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        program = branches.pop()
        if not branches:
            return program
        # Written from the last branch to the first: each begins with a choice to go past it.
        self._check_length(len(program) + sum(len(branch) + 2 for branch in branches))
        parts: list[Program] = [program]
        after = len(program)
        for branch in reversed(branches):
            jump = Split(after + 1, after + 1)
            parts.append([Split(1, len(branch) + 2), *branch, jump])
            after += len(branch) + 2
        return [instruction for part in reversed(parts) for instruction in part]

    def _sequence(self) -> Program:
        program: Program = []
        while self._next() not in ("", "|", ")"):
            program += self._repeated(self._atom())
            self._check_length(len(program))
        return program

    def _repeated(self, program: Program) -> Program:
        bounds = self._bounds()
        if bounds is None:
            return program
        if self._next() in ("*", "+", "?", "{"):
            raise self._error("put parentheses around what is repeated twice")
        least, most = bounds
        optional = len(program) * (1 if most is None else most - least)
        self._check_length(len(program) * least + 2 * optional + 2)
        return _repeat(program, least, most)

    def _bounds(self) -> tuple[int, int | None] | None:
        """Read a quantifier, lazy or not, which is the same for a match of the whole."""
        bounds = _QUANTIFIERS.get(self._next())
        if bounds is not None:
            self._pop()
        elif self._take("{"):
            bounds = self._counts()
        else:
            return None
        self._take("?")
        return bounds

    def _counts(self) -> tuple[int, int | None]:
        stop = self._text.find("}", self._position)
        low, comma, high = self._text[self._position : stop].partition(",")
        if stop < 0 or not (_is_count(low) and _is_count(high or low)):
            raise self._error("expected {m}, {m,} or {m,n}")
        self._position = stop + 1
        most = int(high) if high else None if comma else int(low)
        if most is not None and most < int(low):
            raise self._error("the first of {m,n} is larger than the second")
        return int(low), most

    def _atom(self) -> Program:
        character = self._pop()
        if character == "(":
            return self._group()
        if character == "[":
            return [self._set()]
        if character == ".":
            return [_ANY]
        if character in "^$":
            return [Edge(character == "^")]
        if character == "\\":
            return [self._escaped()]
        if character in "*+?{":
            raise self._error("nothing to repeat")
        return [_literal(character)]

    def _group(self) -> Program:
        if self._take("?") and not self._take(":"):
            raise self._error("groups are ( ) and (?: ), without look-ahead, names or flags")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._error(f"more than {_MAX_DEPTH} nested parentheses")
        program = self._alternatives()
        self._depth -= 1
        if not self._take(")"):
            raise self._error("unbalanced parenthesis")
        return program

    def _escaped(self) -> Characters:
        character = self._pop()
        if character.lower() in _CLASSES:
            return Characters(_CLASSES[character.lower()], character.isupper())
        if not character or (character.isalnum() and character.isascii()):
            raise self._error(f"unknown escape \\{character}")
        return _literal(character)

    def _set(self) -> Characters:
        inverted = self._take("^")
        ranges = [*self._set_item()]
        while self._next() != "]":
            ranges += self._set_item()
        self._pop()
        return Characters(tuple(ranges), inverted)

    def _set_item(self) -> Ranges:
        """Read a character, a class of characters, or a range a-z."""
        low = self._set_character()
        following = self._text[self._position : self._position + 2]
        if not following.startswith("-") or following in ("-", "-]"):
            return low
        self._pop()
        high = self._set_character()
        are_characters = all(len(r) == 1 and r[0][0] == r[0][1] for r in (low, high))  # no classes
        if not are_characters or high < low:
            raise self._error("bad range of characters")
        return ((low[0][0], high[0][0]),)

    def _set_character(self) -> Ranges:
        character = self._pop()
        if not character:
            raise self._error("unterminated [")
        if character != "\\":
            return _literal(character).ranges
        escaped = self._escaped()
        if escaped.inverted:
            raise self._error("an inverted class inside of [ ]")
        return escaped.ranges

    def _next(self) -> str:
        return self._text[self._position : self._position + 1]

    def _pop(self) -> str:
        character = self._next()
        self._position += 1
        return character

    def _take(self, character: str) -> bool:
        taken = self._next() == character
        self._position += taken
        return taken

    def _check_length(self, length: int) -> None:
        if length > _MAX_PROGRAM:
            raise self._error("it repeats too much")

    def _error(self, reason: str) -> ValueError:
        return ValueError(
            f"{shown(self._text)} is not a regular expression: {reason} at character "
            f"{min(self._position, len(self._text))}"
        )


@lru_cache(1000)
def _literal(character: str) -> Characters:
    return Characters(((character, character),))


def _repeat(program: Program, least: int, most: int | None) -> Program:
    """Write a program `least` times, then optionally up to `most` times or any number of times."""
    out = program * least
    if most is None:
        return [*out, Split(1, len(program) + 2), *program, Split(-len(program) - 1, 1)]
    for _ in range(most - least):
        out += [Split(1, len(program) + 1), *program]
    return out


def _is_count(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and len(digits) < 6
