"""Mistakes to plant, each with the one kind of check that must catch it.

differences   the backward alone is wrong
golden        forward and backward are wrong together, so differences agree with each other; stored
              values of another framework and examples worked by hand do not
frozen        a quantizer's backward is not what its convention says
structure     the numbers of one pass are right, the manners are not
"""

import difflib

from tervit_np.analysis.planting import Plant
from tervit_np.analysis.plants.backward import BACKWARD
from tervit_np.analysis.plants.consistent import CONSISTENT
from tervit_np.analysis.plants.conventions import CONVENTIONS
from tervit_np.analysis.plants.manners import MANNERS
from tervit_np.analysis.plants.rounding import ROUNDING
from tervit_np.analysis.plants.windows import WINDOWS

_ALL = [*BACKWARD, *CONSISTENT, *WINDOWS, *ROUNDING, *CONVENTIONS, *MANNERS]
PLANTS = {plant.name: plant for plant in _ALL}


def find_plant(name: str) -> Plant:
    """Look a plant up; ValueError suggests the nearest name."""
    if name not in PLANTS:
        near = difflib.get_close_matches(name, PLANTS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"unknown plant {name!r}{hint} (`tervit check --list-plants` lists them)")
    return PLANTS[name]
