"""Exercise: a gradient by finite differences."""

from collections.abc import Callable, Iterator
from types import ModuleType

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import wrong_array
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng
from tervit_np.ops.softmax import softmax
from tervit_np.verify.gradcheck import STEP

TASK = """
Every backward pass of this course is checked by moving one number of x at a
time and looking at what f does. For a loss L = sum(dy f(x)), with a fixed dy of
the shape of f(x),

    dL/dx_i = (L(x + h e_i) - L(x - h e_i)) / 2h        h = STEP = 1e-5

where e_i is 1 at element i and 0 elsewhere. Return dL/dx in float64, with the
shape of x. f takes an array and returns an array; it may be slow, and it may
return its argument itself. Do not write into x: the caller still needs it.

Both sides are needed. The error of a difference to one side falls like h, that
of the central difference like h^2.

The check begins with an example for paper. Then it tries functions that tell
common mistakes apart.
"""

HINTS = (
    "Work on a copy of x in float64, and loop over its elements. In each turn move one element up, "
    "call f, move it down, call f, and put it back.",
    "  for each i:  L+ = sum(dy f(x with x_i + h))\n"
    "               L- = sum(dy f(x with x_i - h))\n"
    "               gradient_i = (L+ - L-) / 2h\n"
    "Keep x_i in a variable before it moves: adding h and taking it away again may not give the "
    "same number. If f returns its argument, its result changes when x moves: compute L+ before.",
    "  moved = np.array(x, np.float64)\n"
    "  gradient = np.zeros_like(moved)\n"
    "  for i in np.ndindex(moved.shape):\n"
    "      old = moved[i]\n"
    "      moved[i] = old + STEP;  plus = (dy * f(moved)).sum()\n"
    "      moved[i] = old - STEP;  minus = (dy * f(moved)).sum()\n"
    "      moved[i] = old\n"
    "      gradient[i] = (plus - minus) / (2 * STEP)",
)

PLAIN = """
moved = np.array(x, np.float64)  # a copy
gradient = np.zeros_like(moved)

for i in np.ndindex(moved.shape):
    old = moved[i]
    moved[i] = old + STEP
    plus = (dy * f(moved)).sum()
    moved[i] = old - STEP
    minus = (dy * f(moved)).sum()
    moved[i] = old  # the next element must see x as it was
    gradient[i] = (plus - minus) / (2 * STEP)

return gradient
"""

_RTOL = 1e-8  # of central differences of smooth functions; one-sided ones reach 1e-5


def check(module: ModuleType) -> Iterator[Finding]:
    """Check a square on paper, then functions under which common mistakes show."""
    rng = check_rng(1)
    x, dy = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    one = np.ones(1)
    few = rng.uniform(0.1, 0.4, 3)  # small, so that a step of h shows
    cases: dict[str, tuple[Callable[[Array], Array], Array, Array, Array]] = {
        "on paper, f(x) = x^2, x [1, 2], dy [1, 10]": (
            np.square,
            np.array([1.0, 2]),
            np.array([1.0, 10]),
            np.array([2.0, 40]),
        ),
        "f(x) = (x_1 + x_2 + x_3)^2, whose slope depends on all of x": (
            lambda z: np.atleast_1d(z.sum() ** 2),
            few,
            one,
            np.full(3, 2 * few.sum()),
        ),
        "f(x) = softmax of the rows of x (2, 3), a random dy": (
            lambda z: softmax(z)[0],
            x,
            dy,
            _softmax_gradient(x, dy),
        ),
        "f(x) = x, the argument itself": (lambda z: z, x, dy, dy),
        "x of whole numbers, [1, 2]": (
            np.square,
            np.array([1, 2]),
            np.array([1.0, 10]),
            np.array([2.0, 40]),
        ),
        "x of float32, [1, 2]": (
            np.square,
            np.array([1, 2], np.float32),
            np.array([1.0, 10]),
            np.array([2.0, 40]),
        ),
    }
    for what, (f, z, upstream, true) in cases.items():
        given = {"x": read_only(z), "dy": read_only(upstream)}
        result = module.numerical_gradient(f, *given.values())
        known = _known_mistakes(f, z, upstream)
        yield Finding(what, wrong_array(result, true, "the gradient", known, given, _RTOL))


def _softmax_gradient(x: Array, dy: Array) -> Array:
    y, _ = softmax(x)
    return np.asarray(y * (dy - (dy * y).sum(axis=-1, keepdims=True)))


def _known_mistakes(f: Callable[[Array], Array], x: Array, dy: Array) -> dict[str, Array]:
    """Return the gradients of mistakes; f is called anew, so its result is never an argument."""

    def differences(up: float, down: float, upstream: Array, left: float | None = None) -> Array:
        moved, result = np.array(x, np.float64), np.zeros(np.shape(x))
        for i in np.ndindex(moved.shape):
            old = moved[i]
            moved[i] = old + up * STEP
            plus = np.array(f(moved))
            moved[i] = old + down * STEP
            minus = np.array(f(moved))
            moved[i] = old if left is None else old + left * STEP
            result[i] = ((plus - minus) * upstream).sum() / ((up - down) * STEP)
        return result

    one_sided = "its error falls like h, not h^2; go both ways"
    not_back = "and is not put back: later elements see a moved x"
    changes = "f returned x itself, so its result changes when x moves; compute L+ before that"
    aliased = {}
    if f(x) is x:
        aliased = {changes: differences(1, -1, dy) / 2, f"{changes}, and L-": 0.0 * dy}
    central, ones = differences(1, -1, dy), np.ones_like(dy, np.float64)
    return {
        f"this is a difference upwards alone: {one_sided}": differences(1, 0, dy),
        f"this is a difference downwards alone: {one_sided}": differences(0, -1, dy),
        f"x_i stays at x_i - h {not_back}": differences(1, -1, dy, -1),
        f"x_i stays at x_i + h {not_back}": differences(1, -1, dy, 1),
        "dy is missing: under ones softmax's true gradient is 0, and zeros pass": (
            differences(1, -1, ones)
        ),
        "the difference is divided by h; its two ends are 2h apart": 2 * central,
        **aliased,
        "it is divided by 2h, but its two ends are h apart; go both ways": central / 2,
        "the sign: L(x + h) - L(x - h)": -central,
        "it is 0: whole numbers cannot move by h; copy x to float64": np.zeros_like(central),
    }


NUMERICAL_GRADIENT = Exercise(
    name="numerical_gradient",
    module="verify.gradcheck",
    chapter="01_linear",
    title="a gradient by finite differences",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=(PLAIN,),
    wrong_answers=(
        WrongAnswer(
            "a difference to one side",
            "moved[i] = old - STEP\n        minus = (dy * f(moved)).sum()\n        moved[i] = old  "
            "# the next element must see x as it was\n"
            "        gradient[i] = (plus - minus) / (2 * STEP)",
            "moved[i] = old\n        minus = (dy * f(moved)).sum()\n"
            "        gradient[i] = (plus - minus) / STEP",
            "its error falls like h, not h^2; go both ways",
        ),
        WrongAnswer(
            "x is not put back",
            "moved[i] = old  # the next",
            "pass  # the next",
            "later elements see a moved x",
        ),
        WrongAnswer(
            "dy is a one everywhere",
            "dy * f(moved)).sum()\n        moved[i] = old - STEP\n        minus = (dy * f(moved)",
            "f(moved)).sum()\n        moved[i] = old - STEP\n        minus = (f(moved)",
            "under ones softmax's true gradient is 0, and zeros pass",
        ),
        WrongAnswer(
            "the result of f is not copied",
            "np.array(f(shifted))  # a copy: f may return its argument",
            "f(shifted)",
            "f returned x itself, so its result changes when x moves",
        ),
    ),
)
