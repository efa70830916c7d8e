"""Mistakes to mutant, each with the one kind of check that must catch it.

differences   the backward alone is wrong
golden        forward and backward are wrong together, so differences agree with each other; stored
              values of another framework and examples worked by hand do not
frozen        a quantizer's backward is not what its convention says
structure     the numbers of one pass are right, the manners are not
"""

import difflib

from tervit_np.verify.mutants.backward import BACKWARD
from tervit_np.verify.mutants.consistent import CONSISTENT
from tervit_np.verify.mutants.contracts import MANNERS
from tervit_np.verify.mutants.conventions import CONVENTIONS
from tervit_np.verify.mutants.rounding import ROUNDING
from tervit_np.verify.mutants.windows import WINDOWS
from tervit_np.verify.mutation import Mutant

_ALL = [*BACKWARD, *CONSISTENT, *WINDOWS, *ROUNDING, *CONVENTIONS, *MANNERS]
MUTANTS = {mutant.name: mutant for mutant in _ALL}


def find_mutant(name: str) -> Mutant:
    """Look a mutant up; ValueError suggests the nearest name."""
    if name not in MUTANTS:
        near = difflib.get_close_matches(name, MUTANTS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(
            f"unknown mutant {name!r}{hint} (`tervit check --list-mutants` lists them)"
        )
    return MUTANTS[name]
