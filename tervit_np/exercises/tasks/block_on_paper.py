"""A block whose parts multiply by numbers, and what a wrong dx says: for `block_backward`."""

from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import not_an_array, wrong_array
from tervit_np.nn.block import BlockCache

_FACTORS = {"norm1": 2.0, "attn": 3.0, "norm2": 5.0, "mlp": 7.0}
_ORDER = ("mlp", "norm2", "attn", "norm1")
_SKIP = "the skip hands its gradient on unchanged"


class PaperPart:
    """Stands in for a part of the block on paper: multiplies by a number, notes its calls."""

    def __init__(self, name: str, calls: list[tuple[str, Any]]) -> None:
        self.name, self.calls = name, calls

    def backward(self, d: Array, cache: Any) -> Array:
        """Undo the multiplication."""
        self.calls.append((self.name, cache))
        return _FACTORS[self.name] * d


def paper_fault(module: ModuleType) -> str:
    """Run with parts that multiply; empty if dx and the calls are right."""
    block = module.Block(2, 1, 2, 0.0)
    calls: list[tuple[str, Any]] = []
    for name in _FACTORS:
        setattr(block, name, PaperPart(name, calls))
    own = {name: f"cache.{name}" for name in _FACTORS}
    cache = BlockCache(drop1=None, drop2=None, **own)  # type: ignore[arg-type]
    dx = block.backward(read_only(np.ones((1, 1, 1))), cache)
    for name, given in calls:
        if given != own[name]:
            found = given if given in own.values() else "another cache"
            return f"{name}.backward gets {found}; each part needs its own, {own[name]}"
    if fault := not_an_array(dx, "dx"):
        return fault
    norm1, attn, norm2, mlp = _FACTORS.values()
    below, above = norm1 * attn, norm2 * mlp
    dx_mid = 1 + above
    known = {
        f"both skips are missing: {_SKIP}": above * below,
        f"the skip around the MLP is missing: {_SKIP}": above * (1 + below),
        f"the skip around attention is missing: {_SKIP}": dx_mid * below,
        "the skip around attention hands on dy; its gradient is dx', that of x'": (
            1 + dx_mid * below
        ),
        "dy is in it twice: dx' has it already": 1 + dx_mid + dx_mid * below,
        "attention begins with dy; y depends on x' twice, so it begins with dx'": dx_mid + below,
        "attention begins with the gradient from the MLP alone; x' is in both terms of y": (
            dx_mid + above * below
        ),
        "dx' is in it twice": dx_mid * (2 + below),
    }
    arrays = {sentence: np.full((1, 1, 1), number) for sentence, number in known.items()}
    true = np.full((1, 1, 1), dx_mid * (1 + below))
    return _calls_fault([name for name, _ in calls]) or wrong_array(dx, true, "dx", arrays)


def _calls_fault(names: list[str]) -> str:
    """Look for a part whose backward pass is not called once, or too early."""
    for name in _ORDER:
        count = names.count(name)
        other = {"norm1": "norm2", "norm2": "norm1"}.get(name, "")
        if count == 0 and names.count(other) == 2:
            return f"{other}.backward is called for {name}: each branch has a norm and a cache"
        if count == 0:
            return f"{name}.backward is never called: it belongs to its branch"
        if count > 1:
            return f"{name}.backward is called {count} times and adds to its gradients each time"
    if names != list(_ORDER):
        order = ", ".join(_ORDER)
        return f"the parts are called in the order {', '.join(names)}; backwards it is {order}"
    return ""
