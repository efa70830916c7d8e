"""Adjoint check of a whole model: <dy, J v> = <J^T dy, v> for every parameter by name.

v is one random direction in one tensor. J v is a central difference of the logits along v, J^T dy
the gradient that the backward pass adds up. Two forward passes check a tensor, however many
elements it has.
"""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.models import Classifier, SwinConfig
from tervit_np.models.registry import Config
from tervit_np.verify.gradcheck import GradientCheck, directional_derivative
from tervit_np.verify.operators import as_tuple

LIMIT = 1e-6
_EXTRA_DIRECTIONS = 3  # along a tensor that failed, to see whether the ratio is constant


def adjoint_checks(
    model: Classifier,
    images: Array,
    rng: np.random.Generator,
    only: Collection[str] | None = None,
) -> Iterator[GradientCheck]:
    """Check every parameter and the images of a float64 model, in training mode.

    Drop path draws the same masks in every forward pass. The upstream dy is random. `only`
    restricts the check to some names. Results come in the order of the forward pass, images first.
    The gradients that the model had are lost.

    Raises
    ------
    ValueError
        If the model is not float64: differences in float32 have too few digits.
    """
    if model.dtype != np.float64:
        raise ValueError(f"adjoint check: the model is {model.dtype}; build it with dtype=float64")
    images = np.array(images, np.float64)  # a copy, which differences change for a while
    seed = int(rng.integers(2**31))

    def forward() -> tuple[Any, Any]:
        return model.forward(images, train=True, rng=np.random.default_rng(seed))

    logits, cache = forward()
    dlogits = tuple(rng.normal(size=z.shape) for z in as_tuple(logits))

    def product_with_upstream() -> float:
        heads = as_tuple(forward()[0])
        return float(sum((dy * z).sum() for dy, z in zip(dlogits, heads, strict=True)))

    def slopes(data: Array, gradient: Array) -> tuple[float, float]:
        """Return the slope along one random direction, analytic and numeric."""
        direction = rng.normal(size=data.shape)
        numeric = directional_derivative(product_with_upstream, data, direction)
        return float((gradient * direction).sum()), numeric

    model.zero_grad()
    dimages = model.backward(dlogits if isinstance(logits, tuple) else dlogits[0], cache)
    params = [(name, p.data, p.grad.copy()) for name, p in model.named_params()]
    for name, data, gradient in [("images", images, dimages), *params]:
        if only is not None and name not in only:
            continue
        # Relative to the gradient's length, since along one direction it may nearly cancel.
        floor = float(np.linalg.norm(gradient) + 1e-12 * np.linalg.norm(dlogits[0]))
        pairs = [slopes(data, gradient)]
        if not _to_check(name, pairs, floor).error <= LIMIT:
            pairs += [slopes(data, gradient) for _ in range(_EXTRA_DIRECTIONS)]
        yield _to_check(name, pairs, floor)


def model_factors(config: Config, batch: int) -> dict[str, float]:
    """Name the lengths of a model by which a wrong backward may be off as a factor."""
    if isinstance(config, SwinConfig):
        heads, tokens = config.heads[0], min(config.window, config.sides[0]) ** 2
    else:
        heads, tokens = config.heads, config.extra_tokens + config.patches
    return {"K": config.dim // heads, "batch": batch, "tokens": tokens}


def locate_mistake(checks: list[GradientCheck]) -> tuple[GradientCheck, str] | None:
    """Return the wrong gradient nearest to the logits and a sentence on where the mistake is.

    The backward pass runs from the logits down, so a mistake spoils every gradient below it.
    `checks` are in the order of the forward pass; None if all are right.
    """
    wrong = [i for i, check in enumerate(checks) if not check.error <= LIMIT]
    if not wrong:
        return None
    last = wrong[-1]
    if last + 1 == len(checks):
        return checks[last], "wrong from the logits on"
    return checks[last], f"right from the logits down to {checks[last + 1].name}, wrong from here"


def _to_check(name: str, pairs: list[tuple[float, float]], floor: float) -> GradientCheck:
    analytic, numeric = np.array(pairs).T
    return GradientCheck(name, analytic, numeric, floor)
