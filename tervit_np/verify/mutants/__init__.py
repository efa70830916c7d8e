"""Mutants, each with the kind of check that must catch it.

differences   the backward alone is wrong
golden        forward and backward are wrong together and agree with each other, but not with values
              of another framework or with examples worked out by hand
frozen        a quantizer's backward is not what its convention declares
contracts     the numbers of one pass are right, but the function breaks a contract: aliasing,
              accumulation or dtype
"""

from data_tools.spelling import did_you_mean
from tervit_np.verify.mutants.backward import BACKWARD
from tervit_np.verify.mutants.consistent import CONSISTENT
from tervit_np.verify.mutants.contracts import CONTRACTS
from tervit_np.verify.mutants.conventions import CONVENTIONS
from tervit_np.verify.mutants.rounding import ROUNDING
from tervit_np.verify.mutants.steps import STEPS
from tervit_np.verify.mutants.windows import WINDOWS
from tervit_np.verify.mutation import Mutant

_ALL = [*BACKWARD, *CONSISTENT, *WINDOWS, *ROUNDING, *STEPS, *CONVENTIONS, *CONTRACTS]
MUTANTS = {mutant.name: mutant for mutant in _ALL}


def find_mutant(name: str) -> Mutant:
    """Return a mutant by name; ValueError suggests the nearest name."""
    if name not in MUTANTS:
        near = did_you_mean(name, MUTANTS)
        raise ValueError(
            f"unknown mutant {name!r}{near} (`tervit check --list-mutants` lists them)"
        )
    return MUTANTS[name]
