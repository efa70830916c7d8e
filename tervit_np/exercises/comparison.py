"""Compare an array of a student with the right one, and name the mistake.

For a check whose right result is an array; gradients.py does this for backward passes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.verify.diagnosis import wrong_shape

_KINDS = {
    "": "numbers",
    "f": "real numbers",
    "i": "integers",
    "u": "integers",
    "b": "true and false",
}
_SHOWN = 12  # elements up to which an array is written out


def wrong_array(
    value: Any,
    true: Array,
    name: str,
    known: Mapping[str, Array] | None = None,
    given: Mapping[str, Any] | None = None,
    rtol: float = 1e-9,
) -> str:
    """Explain how `value` differs from `true`; empty if values, shape and type are right.

    `known` maps a sentence about a mistake to the result under that mistake; where that is right in
    the case at hand, it explains nothing. `given` are the arguments with which the result must
    share no memory; leave it out where a view is right.
    """
    if fault := not_an_array(value, name, true.dtype):
        return fault
    value = np.asarray(value)
    if equal(value, true, rtol):
        return wrong_type(value, true.dtype, name) or shared_memory(value, name, given or {})
    for sentence, wrong in (known or {}).items():
        if equal(value, wrong) and not equal(np.asarray(wrong), true, rtol):
            return f"{name}: {sentence} (it {_numbers(value, true, rtol)})"
    if value.shape != true.shape:
        return f"{name}: {wrong_shape(value.shape, true.shape)}"
    if equal(value, true, 1e-5) and value.dtype != true.dtype:
        return wrong_type(value, true.dtype, name)
    return f"{name} {_numbers(value, true, rtol)}"


def wrong_number(
    value: Any, true: float, name: str, known: Mapping[str, float], rtol: float = 1e-9
) -> str:
    """Explain how a single number, such as a loss, differs from `true`; empty if it is right.

    `known` maps a sentence about a mistake to the number under that mistake.
    """
    if np.size(value) != 1 or np.asarray(value).dtype.kind not in "fiu":
        what = f"has shape {np.shape(value)}" if np.ndim(value) else f"is {type(value).__name__}"
        return f"{name} {what}; it is one number"
    number = np.asarray(value, np.float64).reshape(())
    if np.isclose(number, true, rtol=rtol, atol=0):
        return ""
    causes = [
        sentence
        for sentence, wrong in known.items()
        if equal(number, np.asarray(wrong)) and not np.isclose(wrong, true, rtol=rtol, atol=0)
    ]
    return ": ".join((f"{name} {is_expected(number, np.asarray(true), (6, 10, 17))}", *causes[:1]))


def is_nan_or_infinite(value: Any) -> bool:
    """Whether a value is one number, and that is NaN or infinite."""
    is_number = np.size(value) == 1 and np.asarray(value).dtype.kind == "f"
    return bool(is_number and not np.isfinite(value).all())


def equal(value: Array, other: Array, rtol: float = 1e-6) -> bool:
    """Whether two arrays agree: equal shapes, differences below `rtol` of the largest element."""
    if value.shape != np.shape(other):
        return False
    scale = np.abs(np.asarray(other, np.float64)).max(initial=0, where=np.isfinite(other))
    return np.allclose(value, other, rtol=0, atol=rtol * float(scale), equal_nan=True)


def not_an_array(value: Any, name: str, dtype: Any = np.float64) -> str:
    """Explain a value that is not an array of such numbers as `dtype`; empty if it is.

    A dtype of None accepts all kinds of numbers.
    """
    kind = "" if dtype is None else np.dtype(dtype).kind
    kinds = {"": "fiub", "i": "iu", "u": "iu"}.get(kind, kind)
    expected = f"expected an array of {_KINDS[kind]}"
    if value is None:
        return f"nothing is returned, {expected}: is the `return` missing?"
    if isinstance(value, np.matrix):
        return f"{name} is an np.matrix, in which `*` means a matrix product; {expected}"
    if not isinstance(value, np.ndarray | np.generic) or value.dtype.kind not in kinds:
        return f"{name} is {getattr(value, 'dtype', type(value).__name__)}, {expected}"
    return ""


def not_arrays(result: Any, names: Sequence[str], dtypes: Sequence[Any] | None = None) -> str:
    """Explain a result that is not one array for each name; empty if it is."""
    count = "one array" if len(names) == 1 else f"{len(names)} arrays"
    expected = f"expected {count}, {', '.join(names)}"
    if result is None:
        return f"nothing is returned, {expected}: is the `return` missing?"
    if not isinstance(result, tuple | list):
        kind = "array" if isinstance(result, np.ndarray) else type(result).__name__
        return f"one {kind} is returned, {expected}"
    if len(result) != len(names):
        return f"{len(result)} values are returned, {expected}"
    if missing := [name for name, value in zip(names, result, strict=True) if value is None]:
        return f"{missing[0]} is None, {expected}"
    kinds = dtypes or [np.float64] * len(names)
    faults = (not_an_array(*each) for each in zip(result, names, kinds, strict=True))
    return next((fault for fault in faults if fault), "")


def wrong_type(value: Array, dtype: Any, name: str) -> str:
    """Explain a type other than `dtype`; empty if it is right."""
    if value.dtype == dtype:
        return ""
    return f"{name} is {value.dtype}, expected {np.dtype(dtype)}"


def shared_memory(value: Any, name: str, given: Mapping[str, Any]) -> str:
    """Say which of the given arrays a result shares memory with; empty if it is none."""
    for other, array in given.items():
        if isinstance(array, np.ndarray) and np.may_share_memory(value, array):
            return (
                f"{name} is {other} itself or a view of it: who adds into one changes the other; "
                "return a new array"
            )
    return ""


def _numbers(value: Array, true: Array, rtol: float) -> str:
    """Write both arrays if they are small, else the first element that is wrong."""
    if max(value.size, true.size) <= _SHOWN:
        return is_expected(value, true)
    if value.shape != true.shape:
        return f"has shape {value.shape}, expected {true.shape}"
    scale = np.abs(true).max(where=np.isfinite(true), initial=0)
    wrong = ~np.isclose(value, true, rtol=0, atol=rtol * scale, equal_nan=True)
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    index = ", ".join(map(str, at))
    return f"at [{index}] is {value[at]:.6g}, expected {true[at]:.6g}"


def is_expected(value: Array, true: Array, choices: Sequence[int] = (4, 7, 10, 17)) -> str:
    """Write "is [1, 2.5], expected [1, 3]", with as many digits as tell them apart."""
    for digits in choices:
        written, expected = in_words(value, digits), in_words(true, digits)
        if written != expected:
            break
    return f"is {written}, expected {expected}"


def in_words(array: Any, digits: int = 4) -> str:
    """Write an array as one types it: `[[1, 2.5], [3, 4]]`."""
    array = np.asarray(array)
    if array.ndim == 0:
        return f"{array[()]:.{digits}g}" if array.dtype.kind == "f" else str(array[()])
    return f"[{', '.join(in_words(part, digits) for part in array)}]"
