"""One JSON file for all measurements of a processor, filled section by section.

    layers    a ternary layer beside others, by shape
    ladder    each rung of the kernels, and the processor's limits
    models    whole models beside others, by model, batch and threads

Each section says what it ran on. A new measurement replaces the old one of the same thing.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from tervit_np.bench.baselines import Comparison
from tervit_np.bench.models import ModelComparison
from tervit_np.bench.timing import Times
from tervit_np.bench.variants import Ladder, Limits, Rung
from tervit_np.files import write_text


class Stored(NamedTuple):
    """What a file holds; what was not measured is empty."""

    environments: dict[str, dict[str, str]]  # of each section
    layers: list[Comparison]
    ladder: Ladder | None
    models: list[ModelComparison]


def store(path: Path, section: str, found: Any, environment: dict[str, str]) -> None:
    """Put a section into a file, and keep the others.

    Raises
    ------
    ValueError
        If there is a file of another kind.
    """
    whole = _read(path) if path.exists() else {}
    plain = _plain(found)
    if section == "models":
        measured = {_key(row) for row in plain}
        before = whole.get(section, {}).get("found", [])
        kept = [row for row in before if _key(row) not in measured]
        plain = sorted([*kept, *plain], key=_key)
    whole[section] = {"environment": environment, "found": plain}
    write_text(path, json.dumps(whole, indent=1) + "\n")


def stored(path: Path) -> Stored:
    """Read a file back.

    Raises
    ------
    ValueError
        If there is none, or one of another kind.
    """
    if not path.exists():
        raise ValueError(
            f"{path}: no such file; `tervit bench --out {path}` measures and writes it"
        )
    whole = _read(path)
    try:
        found = {section: content["found"] for section, content in whole.items()}
        ladder = found.get("ladder")
        return Stored(
            {section: content["environment"] for section, content in whole.items()},
            [Comparison(**row | {"times": _times(row)}) for row in found.get("layers", [])],
            Ladder(Limits(**ladder["limits"]), [Rung(**variant) for variant in ladder["rungs"]])
            if ladder
            else None,
            [ModelComparison(**row | {"times": _times(row)}) for row in found.get("models", [])],
        )
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"{path} holds no measurements of `tervit bench`") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        whole = json.loads(path.read_text())
    except ValueError:
        whole = None
    known = {"layers", "ladder", "models"}
    if not isinstance(whole, dict) or not set(whole) <= known:
        raise ValueError(f"{path} holds no measurements of `tervit bench`")
    return whole


def _times(row: dict[str, Any]) -> dict[str, Times]:
    return {name: Times(**found) for name, found in row["times"].items()}


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["threads"], row["model"], row["batch"]


def _plain(value: Any) -> Any:
    """Turn named tuples into objects, all the way down."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: _plain(part) for key, part in value._asdict().items()}
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
