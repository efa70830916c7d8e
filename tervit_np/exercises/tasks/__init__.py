"""The exercises, in the order of the tutorials."""

import difflib

from tervit_np.exercises.exercise import Exercise
from tervit_np.exercises.tasks.layernorm_backward import LAYERNORM_BACKWARD
from tervit_np.exercises.tasks.linear_backward import LINEAR_BACKWARD
from tervit_np.exercises.tasks.ternarize import TERNARIZE

EXERCISES = (LINEAR_BACKWARD, LAYERNORM_BACKWARD, TERNARIZE)


def find_exercise(name: str) -> Exercise:
    """Return an exercise by name; ValueError suggests the nearest name and lists all."""
    by_name = {exercise.name: exercise for exercise in EXERCISES}
    if name not in by_name:
        near = difflib.get_close_matches(name, by_name, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"unknown exercise {name!r}{hint} (expected one of {', '.join(by_name)})")
    return by_name[name]
