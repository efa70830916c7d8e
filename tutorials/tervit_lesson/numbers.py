"""Numbers and claims of the text, checked; predictions asked of the reader."""

import json
import os
import sys
from pathlib import Path

from tervit_lesson.settings import FAST, PLAY, SEED

from tervit_np.environment import difference_of_bits

_record: dict[str, dict[str, float | bool | str]] = {}
_prediction: str = ""


def quote(
    name: str,
    value: float,
    expected: float,
    tolerance: float,
    full_only: bool = False,
    elsewhere: float | None = None,
    wide: str | None = None,
) -> None:
    """Print a number and check that it is `expected`, within `tolerance`.

    Float32 numbers of the compiled backend have the same bits on every
    processor: their tolerance is half a unit of the last digit in the text.
    `wide` says why it is more than that, for other numbers. `elsewhere`
    replaces it where last bits differ, as on the NumPy backend.
    With TERVIT_FAST, `full_only` numbers are printed but not checked, and so
    are all numbers with another seed than 0.

    Raises
    ------
    AssertionError
        If it differs from `expected` by more than the tolerance.
    """
    value = float(value)
    if elsewhere is not None and difference_of_bits():
        tolerance = elsewhere
    print(f"{name}: {_digits(value)}{_take_prediction()}")
    entry = {"value": value, "text": expected, "tolerance": tolerance}
    _store(name, entry | ({"wide": wide} if wide else {}))
    if abs(value - expected) <= tolerance:
        return
    text = f"the text says {_digits(expected)}, give or take {tolerance:g}"
    text += f" ({wide})" if wide else ""
    if FAST and full_only:
        print(f"    (of the full run {text})")
    elif SEED:
        print(f"    (of seed 0 {text})")
    else:
        _differs(f"{name} is {_digits(value)}, but {text}")


def claim(name: str, holds: bool, full_only: bool = False) -> None:
    """Print a conclusion of the text and check that it holds here.

    A claim must hold for seeds 0, 1 and 2 and on every backend. With
    TERVIT_FAST, `full_only` claims are printed but not checked.

    Raises
    ------
    AssertionError
        If it does not hold.
    """
    holds = bool(holds)
    print(
        f"{'holds' if holds else 'does not hold'}: {name}{_take_prediction()}"
    )
    _store(name, {"claim": holds})
    if holds:
        return
    if FAST and full_only:
        print("    (of the full run the text says so)")
    else:
        _differs(f"the text claims: {name}. Here it does not hold")


def predict(question: str) -> None:
    """Ask the reader at a terminal; the next number repeats the answer.

    Does nothing where nobody is asked: in tests, pipes and notebooks.
    """
    global _prediction
    if FAST or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    try:
        _prediction = input(f"\npredict: {question}\n> ").strip()
    except EOFError:
        print()


def _take_prediction() -> str:
    """Return what the reader predicted, once, as a remark behind a number."""
    global _prediction
    answer, _prediction = _prediction, ""
    return f"    (you predicted: {answer})" if answer else ""


def _differs(sentence: str) -> None:
    """Stop the chapter; with TERVIT_PLAY=1 only report."""
    if not PLAY:
        raise AssertionError(
            f"{sentence}. If you changed the code, that is your result: set "
            "TERVIT_PLAY=1 and the chapter runs on. If you did not, please "
            "report it."
        )
    print(f"    ({sentence})")


def _digits(value: float) -> str:
    """Format integers in full and other numbers with four digits."""
    is_integer = float(value).is_integer() and abs(value) < 1e12
    return f"{int(value):,}" if is_integer else f"{value:.4g}"


def _store(name: str, entry: dict[str, float | bool | str]) -> None:
    """Write all entries so far to TERVIT_RESULTS, atomically."""
    _record[name] = entry
    if results := os.environ.get("TERVIT_RESULTS"):
        partial = Path(f"{results}.partial")
        partial.write_text(json.dumps(_record, indent=1), encoding="utf-8")
        os.replace(partial, results)
