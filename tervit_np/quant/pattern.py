r"""Regular expressions that are matched in a time that their length bounds.

Python's `re` tries alternatives one after the other, and a pattern of twenty characters can keep it
busy for ever: (([a-z]+)+)+!. Plans come from files, so theirs run on a machine that follows all
alternatives at once, character by character (Thompson 1968).
"""

import re

from tervit_np.quant.pattern_program import Characters, Edge, Split, compile_program, shown

_MAX_STEPS = 10_000  # states that are active while one name is read


class Pattern:
    """A compiled pattern.

    Raises
    ------
    ValueError
        If the pattern is malformed, too long, or uses what this machine does not have.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._program = compile_program(text)
        self._names = _alternative_names(text)

    def fullmatch(self, name: str) -> bool:
        """Tell whether the pattern matches the whole name."""
        if self._names is not None:
            return name in self._names
        return self._run(name, whole=True)

    def search(self, name: str) -> bool:
        """Tell whether the pattern matches a part of the name."""
        return self._run(name, whole=False)

    def _run(self, name: str, whole: bool) -> bool:
        active: set[int] = set()
        steps = 0
        for position in range(len(name) + 1):
            if position == 0 or not whole:
                active.add(0)
            active = self._follow(active, position, len(name))
            steps += len(active) + 1
            if steps > _MAX_STEPS:
                raise ValueError(f"{shown(self.text)} takes too long on {name}; simplify it")
            if len(self._program) in active and (position == len(name) or not whole):
                return True
            if position < len(name):
                active = {i + 1 for i in active if self._accepts(i, name[position])}
        return False

    def _accepts(self, index: int, character: str) -> bool:
        if index == len(self._program):
            return False
        instruction = self._program[index]
        return isinstance(instruction, Characters) and instruction.accepts(character)

    def _follow(self, active: set[int], position: int, end: int) -> set[int]:
        """Add all instructions that are reached without taking a character."""
        reached, waiting = set(active), list(active)
        while waiting:
            index = waiting.pop()
            for target in self._targets(index, position, end):
                if target not in reached:
                    reached.add(target)
                    waiting.append(target)
        return reached

    def _targets(self, index: int, position: int, end: int) -> tuple[int, ...]:
        instruction = self._program[index] if index < len(self._program) else None
        if isinstance(instruction, Split):
            return index + instruction.first, index + instruction.second
        if isinstance(instruction, Edge) and position == (0 if instruction.start else end):
            return (index + 1,)
        return ()


def _alternative_names(text: str) -> frozenset[str] | None:
    r"""Return the names that a pattern such as `head|blocks\.0\.mlp` lists, None for others."""
    if re.fullmatch(r"(?:[\w|]|\\[^\w|])*", text) is None:
        return None
    return frozenset(re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL).split("|"))
