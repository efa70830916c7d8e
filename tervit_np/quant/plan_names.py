"""Plans by name, as `tervit train --stages float:20,ternary:8` and `tv.quantize` take them.

    ternary, int8, seq, ...     the names of PLANS
    int2 to int7                weights of so many bits
    lsq2 to lsq8, lsqplus2 to lsqplus8, dorefa2 to dorefa7          the same by another rule
    ternary-group32             one scale for 32 inputs of a channel, or for another number
    NAME-int4-lsq               a plan with other inputs: any word that a plan file has for inputs
    NAME-static                 a plan whose inputs have static scales, if they are intN

In all of them but "float", "ternary-all" and "ftervit" the patch embedding and the heads have 8-bit
weights. Other inputs are for the encoder's layers; the first and last ones keep theirs. Stages name
files, so "lsqplus" stands for "lsq+"; "minmax" is `kind = "minmax"` of a plan file.
"""

import re
from collections.abc import Callable

from data_tools.spelling import did_you_mean
from tervit_np.quant.dampened import Dampened
from tervit_np.quant.dorefa import DoReFa
from tervit_np.quant.freezing import Freezing
from tervit_np.quant.gamma import TernaryGamma
from tervit_np.quant.hadamard import Hadamard
from tervit_np.quant.identity import IDENTITY
from tervit_np.quant.lat import LAT
from tervit_np.quant.lsq import LSQ
from tervit_np.quant.plan import ENCODER, FIRST_AND_LAST, NORMS, Plan
from tervit_np.quant.plan_words import quantizer_from_words
from tervit_np.quant.protocol import Quantizer
from tervit_np.quant.qema import QEMA
from tervit_np.quant.quest import Quest
from tervit_np.quant.seq import SEQ
from tervit_np.quant.sherry import Sherry
from tervit_np.quant.tequila import Tequila
from tervit_np.quant.ternary import Ternary
from tervit_np.quant.ttq import TTQ
from tervit_np.quant.uniform import UniformAct, UniformWeight


def _encoder(weights: Quantizer) -> Plan:
    """Quantize the encoder's matrices with `weights`, the first and last layers to 8 bits."""
    return Plan(
        [(ENCODER, weights, UniformAct(8)), (FIRST_AND_LAST, UniformWeight(8), UniformAct(8))]
    )


PLANS: dict[str, Plan] = {
    "float": Plan([]),
    "int8": Plan([(f"{ENCODER}|{FIRST_AND_LAST}", UniformWeight(8), UniformAct(8))]),
    "ternary": _encoder(Ternary()),  # channel-wise: a threshold and a scale for each row
    "ternary-layer": _encoder(Ternary("tensor")),  # layer-wise, the baseline of the ablation
    # The first and last layers, too.
    "ternary-all": Plan([(f"{ENCODER}|{FIRST_AND_LAST}", Ternary(), UniformAct(8))]),
    # And the gammas of LayerNorms.
    "ftervit": Plan(
        [
            (f"{ENCODER}|{FIRST_AND_LAST}", Ternary(), UniformAct(8)),
            (NORMS, TernaryGamma(), IDENTITY),
        ]
    ),
    "exact": _encoder(Ternary(threshold="exact")),  # the least squared error
    "bitnet": _encoder(Ternary("tensor", "absmean", "mean")),  # BitNet b1.58
    "quest": _encoder(Quest()),
    "hadamard": _encoder(Hadamard()),  # QuEST with its Hadamard product
    "sherry": _encoder(Sherry()),
    "seq": _encoder(SEQ()),  # ParetoQ, three levels and a learned scale
    "seq4": _encoder(SEQ(4)),  # four levels
    "lsq": _encoder(LSQ(2)),  # three values and a learned scale
    "lsqplus": _encoder(LSQ(2, start="deviation")),  # LSQ+: another start of the scale
    "ttq": _encoder(TTQ()),  # a learned scale for each sign
    "dorefa": _encoder(DoReFa(2)),  # four levels, none is 0
    "lat": _encoder(LAT()),  # the error of each weight counts as its gradients do
    "qema": _encoder(QEMA()),  # rounds by an average of past weights
    "dampened": _encoder(Dampened()),  # pulls weights to their levels
    "tequila": _encoder(Tequila()),  # weights that are 0 act as a bias
    "freezing": _encoder(Freezing()),  # stops weights that oscillate
}
_OF_BITS: dict[str, Callable[[int], Quantizer]] = {  # names that a number of bits can follow
    "int": UniformWeight,
    "lsq": LSQ,
    "lsqplus": lambda bits: LSQ(bits, start="deviation"),
    "dorefa": DoReFa,
}
PLANS |= {f"{name}-static": PLANS[name].with_static_inputs() for name in ("int8", "ternary")}

_INPUTS = re.compile("(.+?)-(int[2-8](?:-(lsq|lsqplus|pact|quest|hadamard|minmax))?)")


class UnknownPlan(ValueError):
    """No plan has this name; `suggests` is whether the message suggests one, or lists them all."""

    def __init__(self, message: str, suggests: bool) -> None:
        super().__init__(message)
        self.suggests = suggests


def named_plan(plan: str | Plan) -> Plan:
    """Look a plan up by name; return a Plan as it is.

    Raises
    ------
    UnknownPlan
        If the name is unknown.
    ValueError
        If it is no name, or its parts contradict each other.
    """
    if isinstance(plan, Plan):
        return plan
    if not isinstance(plan, str):
        raise ValueError(
            f"plan is {plan!r}, expected a name or a Plan: tv.quant.Plan takes a list of rules, "
            "tv.quant.read_plan_file the path of a file"
        )
    if plan in PLANS:
        return PLANS[plan]
    base = plan.removesuffix("-static")
    if base != plan and base != "float" and not base.endswith("-static"):
        if (match := _INPUTS.fullmatch(base)) and match[3]:
            raise ValueError(
                f"plan {plan!r}: inputs {match[2]!r} have no static form; choose the name without "
                f"-{match[3]} or without -static"
            )
        return named_plan(base).with_static_inputs()
    if (match := re.fullmatch("([a-z]+)([2-8])", plan)) and match[1] in _OF_BITS:
        return _encoder(_OF_BITS[match[1]](int(match[2])))
    if match := re.fullmatch("ternary-(group[0-9]+)", plan):
        return _encoder(Ternary(match[1]))
    if (match := _INPUTS.fullmatch(plan)) and not _INPUTS.fullmatch(match[1]):
        return _with_inputs(named_plan(match[1]), match[2])
    has_number = any(map(str.isdecimal, plan))  # then the list says which numbers there are
    near = "" if has_number else did_you_mean(plan, PLANS)
    known = (
        f"; known: {', '.join(PLANS)}, intN, lsqN, lsqplusN and dorefaN for N-bit weights, N = 2 "
        "to 8 (dorefa: 7), ternary-groupN, and with other inputs NAME-int4, NAME-int2-quest and "
        "the like"
    )
    raise UnknownPlan(f"unknown plan {plan!r}{near or known}", suggests=bool(near))


def _with_inputs(plan: Plan, name: str) -> Plan:
    """Give the encoder of a named plan other inputs, such as "int4", "int2-minmax", "int8-lsq"."""
    word, kind = name, {}
    if name.endswith("-minmax"):
        word, kind = name.removesuffix("-minmax"), {"kind": "minmax"}
    inputs = quantizer_from_words({"quantizer": word.replace("lsqplus", "lsq+"), **kind}, "inputs")
    weights = plan.choose("blocks.0.mlp.fc1")[0]
    return Plan([(ENCODER, weights, inputs), *plan.rules])
