"""AdamW (Loshchilov, Hutter 2019) in PyTorch's order of operations.

    p = p (1 - lr wd)                               decay, decoupled from the gradient
    m = b1 m + (1 - b1) g      v = b2 v + (1 - b2) g^2
    p = p - lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)

Only tensors of two or more axes decay, except tokens, positions and relative position bias tables.
So it is in DeiT and Swin, but that DeiT's own code decays the distillation token; timm does not.
Each parameter is updated by itself, so several threads may share them.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np

from data_tools import elementary
from tervit_np.arrays import Array
from tervit_np.dispatch import compiled
from tervit_np.param import Param, copy_state, distinctly_named

LEAST_ON_THREADS = 2**20  # fewer parameters take less time than threads take to begin
NOT_DECAYED = ("cls_token", "dist_token", "pos_embed", "relative_position_bias_table")


class AdamW:
    """Updates parameters from their gradients; `lr` may be assigned between steps.

    Raises
    ------
    ValueError
        If two parameters have the same name, or `betas` are not two numbers of at least 0 and
        below 1.
    """

    def __init__(
        self,
        named_params: Iterable[tuple[str, Param]],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.05,
    ) -> None:
        check_betas(betas)
        self.named_params = distinctly_named(named_params)
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.steps = 0
        self._size = sum(param.size for _, param in self.named_params)
        self._decayed = {name for name, param in self.named_params if decays(name, param)}
        self.first = {name: np.zeros_like(p.data) for name, p in self.named_params}
        self.second = {name: np.zeros_like(p.data) for name, p in self.named_params}

    def step(self, each: Callable[..., Any] = map) -> None:
        """Update every parameter in place; `each` calls a function for all, perhaps on threads."""
        self.steps += 1
        corrections = [1 - elementary.power(beta, self.steps) for beta in self.betas]
        each = each if self._size >= LEAST_ON_THREADS else map
        list(each(lambda named: self._update(*named, *corrections), self.named_params))

    def _update(self, name: str, param: Param, m_scale: float, v_scale: float) -> None:
        """Take step t with one parameter; `m_scale` is 1 - b1^t, `v_scale` 1 - b2^t."""
        p, g, m, v = param.data, param.grad, self.first[name], self.second[name]
        b1, b2 = self.betas
        decay = self.weight_decay if name in self._decayed else 0.0
        if (compiled_ops := compiled(p, g, m, v)) is not None:
            flat = (a.reshape(-1) for a in (p, g, m, v))
            compiled_ops.adamw_(*flat, self.lr, b1, b2, self.eps, decay, m_scale, v_scale)
            return
        # exercise adamw: p, m and v after one step, written into their arrays
        p *= 1 - self.lr * decay
        m *= b1
        m += (1 - b1) * g
        v *= b2
        v += (1 - b2) * g * g
        p -= self.lr / m_scale * m / (np.sqrt(v) / math.sqrt(v_scale) + self.eps)

    def named_arrays(self) -> dict[str, Array]:
        """Return all moments as {"first.<name>", "second.<name>": array}."""
        moments = {"first": self.first, "second": self.second}
        return {f"{k}.{n}": a for k, state in moments.items() for n, a in state.items()}

    def state_dict(self) -> dict[str, Array]:
        """Return copies of all moments, by name."""
        return {name: array.copy() for name, array in self.named_arrays().items()}

    def load_state_dict(self, state: Mapping[str, Array], steps: int) -> None:
        """Continue from saved moments after `steps` steps; on an error none changes.

        Raises
        ------
        ValueError
            If they are not of these parameters.
        """
        copy_state(state, self.named_arrays())
        self.steps = steps


def check_betas(betas: tuple[float, float]) -> None:
    """Raise ValueError unless both averages forget: with a beta of 1, 1 - b^t is 0."""
    pair = isinstance(betas, tuple | list) and len(betas) == 2
    if not pair or not all(isinstance(b, Real) for b in betas):
        raise ValueError(f"betas are {betas!r}; expected two numbers of at least 0 and below 1")
    if not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"betas are {betas}; expected two numbers of at least 0 and below 1")


def decays(name: str, param: Param) -> bool:
    """Tell whether weight decay applies to a parameter."""
    return param.data.ndim >= 2 and name.rpartition(".")[2] not in NOT_DECAYED
