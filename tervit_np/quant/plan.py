r"""Which layer has which quantizers: a list of (pattern, weight quantizer, activation quantizer).

Patterns are regular expressions (quant/pattern.py), matched in full against layer names; the first
match wins, and a layer without a match stays float. The default ternary plan follows the paper:
every matrix of the encoder ternary, patch embedding, stem and heads 8 bit (the paper reports that
ternary weights there ruin accuracy), activations 8 bit at the input of every quantized layer.

    Plan([(r"blocks\.\d+\.mlp\..*", Ternary(), UniformAct())])         # only the MLPs

A LayerNorm has one rule alone, TernaryGamma, which matches no other layer:

    Plan([(r".*norm\d?", TernaryGamma(), IDENTITY)])
"""

import copy
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from tervit_np.arrays import Array
from tervit_np.param import Param
from tervit_np.quant.gamma import TernaryGamma
from tervit_np.quant.identity import IDENTITY, Identity
from tervit_np.quant.pattern import Pattern
from tervit_np.quant.pattern_program import MAX_LENGTH
from tervit_np.quant.protocol import Quantizer
from tervit_np.quant.static import static_twin

Rule: TypeAlias = tuple[str, Quantizer, Quantizer]

ENCODER = r"(blocks|layers)\.\d+\..*(qkv|proj|fc1|fc2|reduction)"
FIRST_AND_LAST = r"patch_embed\..*|head|head_dist"
NORMS = r"(.*\.)?norm[12]?"


class Quantizable(Protocol):
    """A layer that takes quantizers; `weight` is None if the layer has only activations."""

    weight: Param | None
    weight_quant: Quantizer
    act_quant: Quantizer


class Normalization(Protocol):
    """A LayerNorm, which takes a quantizer of its gamma."""

    weight: Param  # gamma
    gamma_quant: Quantizer


class Plan:
    """Rules in order of precedence; another order, or one more rule, is another plan.

    Raises
    ------
    ValueError
        If a rule is not (pattern, weight quantizer, activation quantizer), a pattern is not a
        regular expression that pattern.py knows, or inputs of a LayerNorm have a quantizer.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._compiled = []
        length = 0
        for rule in self._rules:
            pattern, weight, act = _checked_rule(rule)
            length += len(pattern)
            if length > MAX_LENGTH:
                raise ValueError(f"plan: its patterns have over {MAX_LENGTH} characters in all")
            try:
                self._compiled.append((Pattern(pattern), weight, act))
            except ValueError as error:
                raise ValueError(f"plan: {error}") from None

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, which do not change: plans of `PLANS` belong to the whole process."""
        return self._rules

    def choose(self, layer: str) -> tuple[Quantizer, Quantizer]:
        """Return fresh (weight, activation) quantizers for a layer name."""
        for pattern, weight, act in self._compiled:
            if not is_for_norms(weight) and pattern.fullmatch(layer):
                return copy.deepcopy(weight), copy.deepcopy(act)
        return IDENTITY, IDENTITY

    def choose_gamma(self, norm: str) -> Quantizer:
        """Return a fresh quantizer of gamma for the name of a LayerNorm."""
        for pattern, weight, _ in self._compiled:
            if is_for_norms(weight) and pattern.fullmatch(norm):
                return copy.deepcopy(weight)
        return IDENTITY

    def apply(
        self,
        layers: Sequence[tuple[str, Quantizable]],
        norms: Sequence[tuple[str, Normalization]] = (),
    ) -> None:
        """Give each layer the quantizers that its name chooses, none for a weight it lacks.

        A quantizer with learned parameters or buffers stays where the plan has the same rule and
        arguments.

        Raises
        ------
        ValueError
            If a quantizer cannot take a layer's weight or inputs; no layer changes then.
        """
        chosen = [self.choose(name) for name, _ in layers]
        for (name, layer), pair in zip(layers, chosen, strict=True):
            if layer.weight is not None:
                for what, quantizer in zip(("weights", "inputs"), pair, strict=True):
                    _prepare(quantizer, layer.weight.data, f"the {what} of {name}")
        for (_, layer), (weight, act) in zip(layers, chosen, strict=True):
            weight = IDENTITY if layer.weight is None else weight
            layer.weight_quant = _learned_or_new(layer.weight_quant, weight)
            layer.act_quant = _learned_or_new(layer.act_quant, act)
        for name, norm in norms:
            norm.gamma_quant = self.choose_gamma(name)

    def with_static_inputs(self) -> "Plan":
        """Return this plan with symmetric inputs static, of the same bits, to be calibrated."""
        return Plan([(pattern, weight, static_twin(act)) for pattern, weight, act in self.rules])

    def __repr__(self) -> str:
        return "\n".join(f"{p}: {w!r} weights, {a!r} inputs" for p, w, a in self.rules) or "float"


def _prepare(quantizer: Quantizer, w: Array, what: str) -> None:
    """Prepare a quantizer for a layer's weight; ValueError says what it cannot quantize."""
    try:
        quantizer.prepare(w)
    except ValueError as error:
        raise ValueError(f"plan: {what}: {str(error).removeprefix('quantize: ')}") from None


def _learned_or_new(present: Quantizer, new: Quantizer) -> Quantizer:
    """Return the present quantizer if it has learned and the new one is the same rule."""
    if type(present) is not type(new) or not (present.params() or present.buffers()):
        return new
    return present if present.arguments() == new.arguments() else new


def _checked_rule(rule: Any) -> Rule:
    match rule:
        case (str(), Quantizer(), Quantizer()):
            if is_for_norms(rule[1]) and not isinstance(rule[2], Identity):
                raise ValueError(
                    f"plan: {rule[0]!r} has weights {rule[1]!r} and inputs {rule[2]!r}; the inputs "
                    "of a LayerNorm stay float"
                )
            return rule[0], rule[1], rule[2]
    raise ValueError(f"plan: {rule!r} is not (pattern, weight quantizer, activation quantizer)")


def is_for_norms(weight: Quantizer) -> bool:
    """Tell whether a rule is for the gamma of LayerNorms, and not for layers with a matrix."""
    return isinstance(weight, TernaryGamma)


def plan_table(
    layers: Sequence[tuple[str, Quantizable]], norms: Sequence[tuple[str, Normalization]] = ()
) -> str:
    """Format a table: each layer with its shape and its quantizers; LayerNorms that have one."""
    head = ("layer", "weight", "weights", "inputs")
    body = [
        (
            name,
            "-" if layer.weight is None else " x ".join(map(str, layer.weight.shape)),
            "-" if layer.weight is None else repr(layer.weight_quant),
            repr(layer.act_quant),
        )
        for name, layer in layers
    ]
    body += [
        (name, str(norm.weight.size), repr(norm.gamma_quant), "-")
        for name, norm in norms
        if is_for_norms(norm.gamma_quant)
    ]
    table = [head, *body]
    widths = [max(len(row[i]) for row in table) for i in range(4)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in table]
    return "\n".join(line.rstrip() for line in lines)
