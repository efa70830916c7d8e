"""Muon (Jordan et al. 2024): momentum, made orthogonal before each step.

A matrix multiplies vectors, and a step that is large in a few directions alone spends itself there.
The momentum of a gradient is such a matrix: a few of its singular values are far larger than the
others. Muon keeps its singular vectors and brings all singular values near 1:

    m = b m + g         u = g + b m  (Nesterov)         u = U S V^T  ->  X near U V^T
    p = p (1 - lr wd) - lr 0.2 sqrt(max(rows, columns)) X

The factor and the decay are those of Liu et al. (2025), "Muon is scalable for LLM training": they
give the step about the root mean square of AdamW's, so that its decay and its range of rates carry
over. Jordan's factor is sqrt(max(1, rows / columns)).

A singular value decomposition would be slow. An odd polynomial of a matrix acts on its singular
values alone: with u = U S V^T, (u u^T) u = U S^3 V^T. Newton and Schulz iterate such a polynomial:

    X = u / |u|_F           A = X X^T           X <- a X + (b A + c A A) X,  five times

With a, b, c = 3.4445, -4.7750, 2.0315 a value s in [0, 1] becomes a s + b s^3 + c s^5. Small values
grow by 3.4 a step, and five steps bring all above 0.01 into 0.68 to 1.14. The polynomial does not
converge to 1: a steep start is worth more than an exact end.

Only matrices inside the model are trained so: q, k and v each by itself, the others of a block, and
kernels of convolutions as (outputs, inputs). AdamW trains the head, whose rows are classes, and all
vectors and tables. Jordan et al. leave the first layer to AdamW, too; here Muon trains the patch
embedding or the first convolution as any other.

Cost of a matrix (m, n) with m <= n: 5 (4 m^2 n + 2 m^3) operations a step, whatever the batch.
That is 2 % of a step of the preset cifar10 and 4 % of cifar10-long (benchmarks/step_profile.py).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.dispatch import compiled
from tervit_np.param import Param, copy_state, distinctly_named
from tervit_np.train.adamw import NOT_DECAYED, AdamW

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5
HEADS = ("head", "head_dist")


class Muon:
    """Trains matrices by Muon and everything else by AdamW; `lr` is AdamW's rate.

    `ratio` is Muon's rate divided by AdamW's.

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
        betas: tuple[float, float] = (0.9, 0.98),
        weight_decay: float = 0.05,
        momentum: float = 0.95,
        ratio: float = 2.5,
    ) -> None:
        listed = distinctly_named(named_params)
        self.matrices = [(name, p) for name, p in listed if is_matrix(name, p)]
        others = [(name, p) for name, p in listed if not is_matrix(name, p)]
        self.rest = AdamW(others, lr, betas, weight_decay=weight_decay)
        self.weight_decay, self.momentum, self.ratio = weight_decay, float(momentum), ratio
        self.momenta = {name: np.zeros_like(p.data) for name, p in self.matrices}

    @property
    def lr(self) -> float:
        """AdamW's learning rate."""
        return self.rest.lr

    @lr.setter
    def lr(self, value: float) -> None:
        self.rest.lr = value

    @property
    def steps(self) -> int:
        """Number of steps taken."""
        return self.rest.steps

    def step(self, each: Callable[..., Any] = map) -> None:
        """Update every parameter in place; `each` calls a function for all, perhaps on threads."""
        self.rest.step(each)
        list(each(self._update, self.matrices))

    def _update(self, named_param: tuple[str, Param]) -> None:
        """Take a step with one parameter."""
        (name, param), lr, b = named_param, self.ratio * self.lr, self.momentum
        m = self.momenta[name]
        m *= b
        m += param.grad
        direction = param.grad + b * m
        param.data *= 1 - lr * self.weight_decay
        for p, u in zip(parts(name, param.data), parts(name, direction), strict=True):
            p -= (lr * 0.2 * math.sqrt(max(p.shape))) * orthogonalize(u)

    def named_arrays(self) -> dict[str, Array]:
        """Return AdamW's moments, and {"momentum.<name>": array}."""
        momenta = {f"momentum.{name}": m for name, m in self.momenta.items()}
        return self.rest.named_arrays() | momenta

    def state_dict(self) -> dict[str, Array]:
        """Return copies of the state, by name."""
        return {name: array.copy() for name, array in self.named_arrays().items()}

    def load_state_dict(self, state: Mapping[str, Array], steps: int) -> None:
        """Continue from a saved state after `steps` steps; on an error nothing changes.

        Raises
        ------
        ValueError
            If it is not of these parameters.
        """
        copy_state(state, self.named_arrays())
        self.rest.steps = steps


def orthogonalize(u: Array) -> Array:
    """Bring the singular values of a matrix near 1.  (m, n) -> (m, n).

    A matrix of zeros stays as it is.
    """
    if u.shape[0] > u.shape[1]:
        return orthogonalize(u.T).T
    compiled_ops = compiled(u)
    if compiled_ops is not None:
        total = compiled_ops.square_sum(np.ascontiguousarray(u).reshape(-1))
    else:
        total = float(np.square(u, dtype=np.float64).sum())
    x: Array = u / (math.sqrt(total) + 1e-7)
    if compiled_ops is not None:
        x = compiled_ops.newton_schulz(x, STEPS, COEFFICIENTS)
        return x
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x


def is_matrix(name: str, param: Param) -> bool:
    """Tell whether Muon trains a parameter: a matrix between hidden layers, or a kernel."""
    *modules, kind = name.split(".")
    is_head = any(module in HEADS for module in modules)
    return len(param.shape) >= 2 and kind not in NOT_DECAYED and not is_head


def parts(name: str, x: Array) -> Iterator[Array]:
    """View a parameter as matrices; q, k and v are three.  (out, ...) -> each (rows, columns)."""
    matrix = x.reshape(len(x), -1)
    count = 3 if name.endswith("qkv.weight") else 1
    rows = len(x) // count
    for i in range(count):
        yield matrix[i * rows : (i + 1) * rows]
