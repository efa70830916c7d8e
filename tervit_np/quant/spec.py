"""Quantizers and plans as plain data, for checkpoints, run folders and TOML files.

    {"rule": "Ternary", "granularity": "channel", "threshold": "twn", "scale": "support", ...}

The arguments are those of the constructor, read from the attributes of the same names. Only the
rules listed here can be built, so that no file runs code.
"""

from typing import Any

from tervit_np.quant.blend import Blend
from tervit_np.quant.dampened import Dampened
from tervit_np.quant.dorefa import DoReFa
from tervit_np.quant.freezing import Freezing
from tervit_np.quant.gamma import TernaryGamma
from tervit_np.quant.hadamard import Hadamard, HadamardAct
from tervit_np.quant.identity import Identity
from tervit_np.quant.lat import LAT
from tervit_np.quant.learned_act import PACT, LSQAct
from tervit_np.quant.lsq import LSQ
from tervit_np.quant.offset_act import LSQPlusAct
from tervit_np.quant.plan import Plan
from tervit_np.quant.protocol import Quantizer
from tervit_np.quant.qema import QEMA
from tervit_np.quant.quest import Quest
from tervit_np.quant.quest_act import QuestAct
from tervit_np.quant.seq import SEQ
from tervit_np.quant.sherry import Sherry
from tervit_np.quant.static import StaticAct
from tervit_np.quant.tequila import Tequila
from tervit_np.quant.ternary import Ternary
from tervit_np.quant.ttq import TTQ
from tervit_np.quant.uniform import UniformAct, UniformWeight

RULES: dict[str, type[Quantizer]] = {
    q.__name__: q
    for q in (
        *(Identity, Ternary, Quest, Hadamard, Sherry, SEQ, TTQ, DoReFa, LSQ),
        *(LAT, QEMA, Dampened, Freezing, Tequila, TernaryGamma),
        *(UniformWeight, UniformAct, QuestAct, HadamardAct, StaticAct, LSQAct, PACT, LSQPlusAct),
    )
}


def is_registered(quantizer: Quantizer) -> bool:
    """Tell whether a quantizer's class is the rule of its name, and not one derived from it."""
    return RULES.get(type(quantizer).__name__) is type(quantizer)


def require_registered(quantizer: Quantizer) -> None:
    """Raise ValueError unless a file with this quantizer can be read again; of a blend the inner.

    A class of another origin may have the name of a rule, which a reader would then build.
    """
    rule = quantizer.inner if isinstance(quantizer, Blend) else quantizer
    if is_registered(rule):
        return
    name = type(rule).__name__
    advice = (
        "it has the name of another rule; call it differently and add it to tervit_np.quant.RULES"
        if name in RULES
        else f"add it by tervit_np.quant.RULES[{name!r}] = {name}"
    )
    raise ValueError(
        f"{rule!r} cannot be stored: its class {type(rule).__module__}.{name} is none of the rules "
        f"that files may name; {advice}, here and where the file is read"
    )


def quantizer_to_spec(quantizer: Quantizer) -> dict[str, Any]:
    """Describe a quantizer; a blend by its inner quantizer, which remains after the ramp."""
    if isinstance(quantizer, Blend):
        return quantizer_to_spec(quantizer.inner)
    return {"rule": type(quantizer).__name__, **quantizer.arguments()}


def quantizer_from_spec(spec: dict[str, Any]) -> Quantizer:
    """Build a quantizer from its description.

    Raises
    ------
    ValueError
        If the rule or one of its arguments is unknown or out of range.
    """
    known = isinstance(spec, dict) and isinstance(spec.get("rule"), str) and spec["rule"] in RULES
    if not known:
        raise ValueError(f"unknown quantizer {spec!r}; known rules: {', '.join(RULES)}")
    arguments = {key: value for key, value in spec.items() if key != "rule"}
    try:
        return RULES[spec["rule"]](**arguments)
    except TypeError as error:
        raise ValueError(f"quantizer {spec['rule']}: {error}") from None


def plan_to_spec(plan: Plan) -> list[list[Any]]:
    """Describe a plan: a list of [pattern, weight quantizer, activation quantizer].

    Raises
    ------
    ValueError
        If a quantizer is none of `RULES`, and could not be read again.
    """
    for _, *quantizers in plan.rules:
        for quantizer in quantizers:
            require_registered(quantizer)
    return [[p, quantizer_to_spec(w), quantizer_to_spec(a)] for p, w, a in plan.rules]


def plan_from_spec(spec: list[list[Any]]) -> Plan:
    """Build a plan from its description; ValueError if a rule is malformed."""
    rules = spec if isinstance(spec, list) else [None]
    if not all(isinstance(rule, list | tuple) and len(rule) == 3 for rule in rules):
        raise ValueError("a plan is a list of [pattern, weight quantizer, activation quantizer]")
    return Plan([(str(p), quantizer_from_spec(w), quantizer_from_spec(a)) for p, w, a in spec])
