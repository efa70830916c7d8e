"""One JSON file for all measurements of a CPU, written section by section.

    layers      a ternary layer compared with baselines, by shape
    variants    each variant of the kernels, and the limits of the CPU
    models      whole models compared with baselines, by model, batch size and threads

Each section has its environment. A new measurement replaces the old one of the same thing.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from data_tools.terminal import shell_word
from tervit_np.bench.baselines import Comparison
from tervit_np.bench.models import ModelComparison
from tervit_np.bench.timing import Times
from tervit_np.bench.variants import Limits, VariantResult, VariantTable
from tervit_np.files import write_text
from tervit_np.json_files import load_json

SECTIONS = ("layers", "variants", "models")


class Results(NamedTuple):
    """The content of a file; sections that were not measured are empty."""

    environments: dict[str, dict[str, str]]  # of each section
    layers: list[Comparison]
    variants: VariantTable | None
    models: list[ModelComparison]


def save_section(path: Path, section: str, results: Any, environment: dict[str, str]) -> None:
    """Write a section to a file, and keep the others.

    Raises
    ------
    ValueError
        If the file exists and holds something else.
    """
    content = _read(path) if path.exists() else {}
    plain = _plain(results)
    if section == "models":
        measured = {_key(row) for row in plain}
        before = content.get(section, {}).get("results", [])
        plain = sorted([*(row for row in before if _key(row) not in measured), *plain], key=_key)
    content[section] = {"environment": environment, "results": plain}
    write_text(path, json.dumps(content, indent=1) + "\n")


def load_results(path: Path) -> Results:
    """Read a file back.

    Raises
    ------
    ValueError
        If the file does not exist, or holds something else.
    """
    if not path.exists():
        raise ValueError(
            f"{path}: no such file; `tervit bench --out {shell_word(path)}` measures and writes it"
        )
    content = _read(path)
    try:
        results = {section: part["results"] for section, part in content.items()}
        return Results(
            {section: part["environment"] for section, part in content.items()},
            [Comparison(**row | {"times": _times(row)}) for row in results.get("layers", [])],
            _variant_table(results["variants"]) if "variants" in results else None,
            [ModelComparison(**row | {"times": _times(row)}) for row in results.get("models", [])],
        )
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"{path} holds no measurements of `tervit bench`") from None


def _variant_table(table: dict[str, Any]) -> VariantTable:
    variants = [VariantResult(**row) for row in table["variants"]]
    return VariantTable(Limits(**table["limits"]), variants)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = load_json(path, dict)
    except ValueError:
        content = {"": None}
    if not set(content) <= set(SECTIONS):
        raise ValueError(f"{path} holds no measurements of `tervit bench`")
    return content


def _times(row: dict[str, Any]) -> dict[str, Times]:
    return {name: Times(**times) for name, times in row["times"].items()}


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["threads"], row["model"], row["batch"]


def _plain(value: Any) -> Any:
    """Turn named tuples into dictionaries, recursively."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: _plain(part) for key, part in value._asdict().items()}
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
