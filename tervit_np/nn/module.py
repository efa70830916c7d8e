"""Modules own parameters and call operators; they contain no formulas.

A module's attributes are walked in the order in which they were set, so names and their order are
those of the official checkpoints: `blocks.0.attn.qkv.weight`. Forward returns (output, cache), and
backward takes that cache: a module stores nothing between calls.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.param import Param, zero_grad
from tervit_np.quant import Quantizer


class Module:
    """Base of all layers and models."""

    def children(self) -> Iterator[tuple[str, "Module"]]:
        """Yield (name, module) for each direct child, lists flattened as `blocks.0`."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, list):
                modules = ((f"{name}.{i}", m) for i, m in enumerate(value))
                yield from ((n, m) for n, m in modules if isinstance(m, Module))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """Yield (name, module) for this module and all below it, depth first."""
        yield prefix, self
        for name, child in self.children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def named_params(self) -> list[tuple[str, Param]]:
        """Return (official name, Param) in official order, then the quantizers' own parameters.

        One that several modules share is there once, under its first name, by which it is frozen,
        too: an optimizer would otherwise move it once for each.
        """
        once: dict[int, tuple[str, Param]] = {}
        for name, param in self.official_params() + self.quantizer_params():
            once.setdefault(id(param), (name, param))
        return list(once.values())

    def official_params(self) -> list[tuple[str, Param]]:
        """Return (official name, Param) in official order, those of the float model."""
        return self._attributes(Param)

    def quantizer_params(self) -> list[tuple[str, Param]]:
        """Return what quantizers learn, as (name of the quantizer, a dot and a name, Param)."""
        quantizers = self._attributes(Quantizer)
        return [(f"{name}.{key}", p) for name, q in quantizers for key, p in q.params().items()]

    def buffers(self) -> list[tuple[str, Array]]:
        """Return what quantizers remember, named as their parameters are."""
        quantizers = self._attributes(Quantizer)
        return [(f"{name}.{key}", a) for name, q in quantizers for key, a in q.buffers().items()]

    def named_arrays(self) -> dict[str, Array]:
        """Return the state of a model: the data of all parameters, then the buffers.

        What is shared is there under each of its names, as a model without sharing loads it.
        """
        params = self.official_params() + self.quantizer_params()
        return {name: param.data for name, param in params} | dict(self.buffers())

    def _attributes(self, kind: type[Any]) -> list[tuple[str, Any]]:
        """Return (dotted name, value) of every attribute of this kind, in this module and below."""
        return [
            (f"{prefix}.{name}" if prefix else name, value)
            for prefix, module in self.named_modules()
            for name, value in vars(module).items()
            if isinstance(value, kind)
        ]

    def quantizable(self) -> list[tuple[str, Any]]:
        """Return (name, layer) of every layer that takes quantizers."""
        return [(name, m) for name, m in self.named_modules() if hasattr(m, "weight_quant")]

    def norms(self) -> list[tuple[str, Any]]:
        """Return (name, LayerNorm) of every LayerNorm, whose gamma may be quantized."""
        return [(name, m) for name, m in self.named_modules() if hasattr(m, "gamma_quant")]

    def zero_grad(self) -> None:
        """Set every gradient to zero, in place."""
        zero_grad(param for _, param in self.named_params())

    def num_params(self) -> int:
        """Count the elements of all parameters."""
        return sum(param.size for _, param in self.named_params())

    def state_dict(self) -> dict[str, Array]:
        """Copy all parameters and buffers into {official name: array}."""
        return {name: array.copy() for name, array in self.named_arrays().items()}

    def load_state_dict(self, mapping: Mapping[str, Array]) -> None:
        """Copy arrays into parameters and buffers, cast to their dtype; on an error none changes.

        Raises
        ------
        ValueError
            If a name is missing or unknown, a shape differs, or a value is not a finite real number
            of the model's dtype.
        """
        own = self.named_arrays()
        missing = [name for name in own if name not in mapping]
        unexpected = [name for name in mapping if name not in own]
        if missing or unexpected:
            raise ValueError(
                f"load_state_dict: {_listed('missing', missing)}{_listed('unexpected', unexpected)}"
                + _advice([*missing, *unexpected])
            )
        differing = [
            f"{name} is {shape} in the checkpoint, {array.shape} in the model"
            for name, array in own.items()
            if (shape := np.shape(mapping[name])) != array.shape
        ]
        if differing:
            raise ValueError(f"load_state_dict: {_first_three(differing, '; ')}")
        for name, array in own.items():
            _check_value(name, np.asarray(mapping[name]), array.dtype)
        for name, array in own.items():
            array[...] = mapping[name]


def _check_value(name: str, value: Array, dtype: np.dtype[Any]) -> None:
    """Raise ValueError if a value does not fit into an array of the model."""
    if value.dtype.kind not in "fiub":
        raise ValueError(
            f"load_state_dict: {name} holds {value.dtype} values, expected real numbers"
        )
    # The extremes need no array of their own; of values with a NaN both are NaN.
    largest = max(abs(float(value.min())), abs(float(value.max()))) if value.size else 0.0
    if not math.isfinite(largest):
        raise ValueError(f"load_state_dict: {name} holds NaN or infinite values")
    if largest > float(np.finfo(dtype).max):
        raise ValueError(f"load_state_dict: {name} holds values beyond the range of {dtype}")


def _advice(names: list[str]) -> str:
    """Say why parameters may be missing or unexpected."""
    if all("_quant." in name for name in names):
        return (
            "only what quantizers learn or remember differs: quantize the model by the plan of the "
            "checkpoint, or load latent weights before tv.quantize"
        )
    return "is this checkpoint of another architecture?"


def _listed(word: str, names: list[str]) -> str:
    return f"{word} {_first_three(names, ', ')}; " if names else ""


def _first_three(items: list[str], separator: str) -> str:
    more = f" and {len(items) - 3} more" if len(items) > 3 else ""
    return separator.join(items[:3]) + more
