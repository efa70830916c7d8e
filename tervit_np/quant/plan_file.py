r"""Plan files: which layer has which quantizers, in TOML, to be read and written by hand.

    [[layer]]
    pattern = 'blocks\.[01]\..*'       # a regular expression for the whole name of a layer
    weights = "ternary"
    inputs = "int8"

    [[layer]]
    pattern = ['patch_embed\.proj', 'head']         # any of several
    weights = { quantizer = "int8", per = "tensor" }
    inputs = "int8"

    [[layer]]
    pattern = '.*'                     # the rest
    weights = "float"
    inputs = "float"

The first entry that matches decides. quant/plan_words.py lists what weights and inputs can be.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_tools.terminal import printable
from tervit_np.files import write_text
from tervit_np.quant.identity import IDENTITY, Identity
from tervit_np.quant.pattern import Pattern
from tervit_np.quant.plan import Normalization, Plan, Quantizable, Rule, is_for_norms
from tervit_np.quant.plan_words import quantizer_from_words, quantizer_to_words
from tervit_np.toml_files import read_toml

_FIELDS = ("pattern", "weights", "inputs")
_WIDTH = 60  # characters of a pattern, from which a list of names gets a line for each


def read_plan_file(path: str | Path) -> Plan:
    """Read a plan from a TOML file.

    Raises
    ------
    ValueError
        If there is no such file, it is not TOML, or an entry is incomplete or unknown.
    """
    path = Path(path)
    table = read_toml(path)
    try:
        return _plan(table)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _plan(table: dict[str, Any]) -> Plan:
    entries = table.get("layer")
    if "arms" in table:
        raise ValueError("this is the plan of a comparison; a plan of quantizers has [[layer]]")
    if unknown := [key for key in table if key != "layer"]:
        raise ValueError(f"unknown field {unknown[0]!r}; expected [[layer]] alone")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("there is no entry [[layer]] with pattern, weights and inputs")
    return Plan([_rule(number, entry) for number, entry in enumerate(entries, 1)])


def _rule(number: int, entry: dict[str, Any]) -> Rule:
    """Read one entry; its number and its pattern are named in every error."""
    where = f"[[layer]] number {number}"
    for key in entry:
        if key not in _FIELDS:
            raise ValueError(f"{where} has no field {key!r}; its fields are {', '.join(_FIELDS)}")
    for key in _FIELDS:
        if key not in entry:
            raise ValueError(f"{where}: {key} is missing")
    patterns = entry["pattern"] if isinstance(entry["pattern"], list) else [entry["pattern"]]
    if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
        raise ValueError(f"{where}: pattern is {entry['pattern']!r}; expected text, or several")
    pattern = "|".join(patterns)
    try:
        # Each by itself, too: "(a" and "b)" are none, though "(a|b)" is one.
        for text in (*patterns, pattern):
            Pattern(text)
        where += f", {pattern!r}" if len(pattern) <= _WIDTH else ""
        weights, inputs = (quantizer_from_words(entry[key], key) for key in ("weights", "inputs"))
        if is_for_norms(weights) and not isinstance(inputs, Identity):
            raise ValueError('the inputs of a LayerNorm stay float; write inputs = "float"')
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return pattern, weights, inputs


def write_plan_file(
    plan: Plan, path: str | Path, about: str = "", notes: Sequence[str] = ()
) -> None:
    """Write a plan atomically, with `about` as comment on top and a comment for each rule.

    Raises
    ------
    ValueError
        If a quantizer has no word in such a file.
    OSError
        If the file cannot be written.
    """
    write_text(Path(path), plan_to_toml(plan, about, notes))


def plan_to_toml(plan: Plan, about: str = "", notes: Sequence[str] = ()) -> str:
    """Write a plan as the text of a plan file, which `read_plan_file` reads to the same rules."""
    blocks = [_comment(about)] if about else []
    for i, (pattern, weights, inputs) in enumerate(plan.rules):
        lines = [_comment(notes[i])] if i < len(notes) and notes[i] else []
        lines += [
            "[[layer]]",
            f"pattern = {_pattern(pattern)}",
            f"weights = {quantizer_to_words(weights, 'weights')}",
            f"inputs = {quantizer_to_words(inputs, 'inputs')}",
        ]
        blocks.append("\n".join(lines))
    if not plan.rules:
        blocks.append("layer = []")
    return "\n\n".join(blocks) + "\n"


def _comment(text: str) -> str:
    """Write a comment, in which TOML allows no control characters, such as those of a file name."""
    return "\n".join(f"# {printable(line)}".rstrip() for line in text.splitlines())


def _pattern(pattern: str) -> str:
    """Write a pattern, a long list of names with a line for each."""
    if len(pattern) <= _WIDTH or not re.fullmatch(r"(?:[\w|]|\\\.)+", pattern):
        return _quoted(pattern)
    names = "".join(f"    {_quoted(name)},\n" for name in pattern.split("|"))
    return f"[\n{names}]"


def _quoted(text: str) -> str:
    """Write text between single quotes, where a backslash is a backslash, if TOML allows it."""
    if not re.search("['\x00-\x1f\x7f]", text):
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub("[\x00-\x1f\x7f]", lambda m: f"\\u{ord(m[0]):04x}", escaped) + '"'


def check_fits(
    plan: Plan,
    layers: Sequence[tuple[str, Quantizable]],
    norms: Sequence[tuple[str, Normalization]] = (),
) -> None:
    """Check a hand-written plan against a model's `quantizable()` layers and its `norms()`.

    Raises
    ------
    ValueError
        If a pattern matches no layer, all its layers match an earlier one (but for the last
        pattern, which may be for the rest), or a layer with a weight matches none.
    """
    of_norms = [pattern for pattern, weight, _ in plan.rules if is_for_norms(weight)]
    others = [pattern for pattern, weight, _ in plan.rules if not is_for_norms(weight)]
    _unmatched(of_norms, [name for name, _ in norms], "LayerNorm")
    without = _unmatched(others, [name for name, _ in layers], "layer")
    missing = [name for name, layer in layers if name in without and layer.weight is not None]
    if missing:
        raise ValueError(
            f"no pattern matches {_some(missing)}; a last entry with pattern '.*' and weights and "
            'inputs "float" leaves the rest as it is'
        )


def _unmatched(patterns: Sequence[str], names: Sequence[str], kind: str) -> set[str]:
    """Return the names that no pattern matches; ValueError if a pattern has no effect."""
    without = set(names)
    for number, pattern in enumerate(patterns, 1):
        matched = {name for name in names if Pattern(pattern).fullmatch(name)}
        if not matched:
            raise ValueError(f"{pattern!r} matches no {kind}; the {kind}s are {_some(names)}")
        if not matched & without and number < len(patterns):
            raise ValueError(
                f"{pattern!r} has no effect, since an earlier pattern matches all its {kind}s"
            )
        without -= matched
    return without


def complete(plan: Plan, layers: Sequence[tuple[str, Quantizable]]) -> Plan:
    """Add a last rule that leaves the rest float, if a layer with a weight needs one."""
    patterns = [Pattern(pattern) for pattern, weight, _ in plan.rules if not is_for_norms(weight)]
    covered = all(
        layer.weight is None or any(pattern.fullmatch(name) for pattern in patterns)
        for name, layer in layers
    )
    return plan if covered else Plan([*plan.rules, (".*", IDENTITY, IDENTITY)])


def _some(names: Sequence[str]) -> str:
    """List names, of many the first three and the last."""
    shown = names if len(names) <= 5 else [*names[:3], "...", names[-1]]
    return ", ".join(shown)
