"""Quantizers as words of a plan file: "float", "ternary", "int8", or a table with arguments.

    "ternary"                                            Ternary()
    "int4"                                               UniformWeight(4), of inputs UniformAct(4)
    "int4-static"                                        of inputs: StaticAct(4)
    "int4-lsq", "int4-pact", "int4-quest"                of inputs: LSQAct(4), PACT(4), QuestAct(4)
    "int4-lsq+", "int4-hadamard"                         of inputs: LSQPlusAct(4), HadamardAct(4)
    { quantizer = "ternary", threshold = "exact" }       Ternary(threshold="exact")

The arguments are those of the constructor; those that a file leaves out have their defaults.
"""

import inspect
import json
import re
from typing import Any

from tervit_np.quant.hadamard import HadamardAct
from tervit_np.quant.identity import Identity
from tervit_np.quant.learned_act import PACT, LSQAct
from tervit_np.quant.offset_act import LSQPlusAct
from tervit_np.quant.protocol import Quantizer
from tervit_np.quant.quest_act import QuestAct
from tervit_np.quant.spec import (
    RULES,
    quantizer_from_spec,
    quantizer_to_spec,
    require_registered,
)
from tervit_np.quant.static import StaticAct
from tervit_np.quant.uniform import UniformAct, UniformWeight

# What "intN" is in each column, by what follows it, and the words that are for weights alone.
_UNIFORM: dict[str, dict[str, type[Quantizer]]] = {
    "weights": {"": UniformWeight},
    "inputs": {
        "": UniformAct,
        "-static": StaticAct,
        "-lsq": LSQAct,
        "-lsq+": LSQPlusAct,
        "-pact": PACT,
        "-quest": QuestAct,
        "-hadamard": HadamardAct,
    },
}
_ONLY_WEIGHTS: dict[str, type[Quantizer]] = {
    name.lower(): rule
    for name, rule in RULES.items()
    if rule not in (Identity, UniformWeight, *_UNIFORM["inputs"].values())
}


def quantizer_from_words(words: Any, column: str) -> Quantizer:
    """Build a quantizer of `column`, "weights" or "inputs", from a word or a table.

    Raises
    ------
    ValueError
        If the word or an argument is unknown, or an argument is out of range.
    """
    if isinstance(words, str):
        words = {"quantizer": words}
    if not isinstance(words, dict) or not isinstance(words.get("quantizer"), str):
        raise ValueError(f"{column} is {words!r}; expected {_known(column)}, between quotes")
    word, arguments = words["quantizer"], {k: v for k, v in words.items() if k != "quantizer"}
    rule, fixed = _rule(word, column)
    for name in arguments:
        if name in fixed or name not in inspect.signature(rule).parameters:
            free = [name for name in inspect.signature(rule).parameters if name not in fixed]
            options = f"its options are {', '.join(free)}" if free else "it has none"
            raise ValueError(f'{column}: "{word}" has no option {name!r}; {options}')
    try:
        return quantizer_from_spec({"rule": rule.__name__, **fixed, **arguments})
    except ValueError as error:
        raise ValueError(f"{column}: {error}") from None


def _rule(word: str, column: str) -> tuple[type[Quantizer], dict[str, Any]]:
    """Return the class that a word means, and the arguments that the word fixes."""
    if word == "float":
        return Identity, {}
    match = re.fullmatch("int([2-8])(.*)", word)
    if match and match[2] in _UNIFORM[column]:
        return _UNIFORM[column][match[2]], {"bits": int(match[1])}
    if column == "weights" and word in _ONLY_WEIGHTS:
        return _ONLY_WEIGHTS[word], {}
    raise ValueError(f"{column} is {word!r}; expected {_known(column)}")


def _known(column: str) -> str:
    words = ["float", *(_ONLY_WEIGHTS if column == "weights" else ())]
    integers = " or ".join(
        f"int2{end} to int{7 if issubclass(rule, QuestAct) else 8}{end}"
        for end, rule in _UNIFORM[column].items()
    )
    return f"{', '.join(words)} or {integers}"


def quantizer_to_words(quantizer: Quantizer, column: str) -> str:
    """Write a quantizer as TOML: a word, or an inline table where an argument is not the default.

    Raises
    ------
    ValueError
        If it cannot be in this column, or is none of `RULES`.
    """
    require_registered(quantizer)
    spec = quantizer_to_spec(quantizer)
    rule = RULES[spec.pop("rule")]
    word = {v: k for k, v in _ONLY_WEIGHTS.items()}.get(rule) if column == "weights" else None
    if rule is Identity:
        word = "float"
    elif rule in (ends := {v: k for k, v in _UNIFORM[column].items()}):
        word = f"int{spec.pop('bits')}{ends[rule]}"
    if word is None:
        raise ValueError(f"a plan file cannot have {column} of {quantizer!r}")
    default = {name: p.default for name, p in inspect.signature(rule).parameters.items()}
    changed = {name: value for name, value in spec.items() if value != default[name]}
    if not changed:
        return f'"{word}"'
    fields = {"quantizer": word, **changed}
    return "{ " + ", ".join(f"{k} = {json.dumps(v)}" for k, v in fields.items()) + " }"
