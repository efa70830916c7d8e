"""The whole model at once: <dy, J v> = <J^T dy, v> for every parameter by name.

J v is a central difference along one random direction v of one tensor, J^T dy what backward added
into its gradient. Two forwards a tensor, however many elements it has.
"""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.models import Classifier, SwinConfig
from tervit_np.verify.gradcheck import Difference, directional_derivative

LIMIT = 1e-6
_MORE = 3  # further directions along a tensor that failed: is the ratio constant?


def adjoint_checks(
    model: Classifier,
    images: Array,
    rng: np.random.Generator,
    only: Collection[str] | None = None,
) -> Iterator[Difference]:
    """Check every parameter and the images of a float64 model, in training mode.

    Drop path draws the same masks in every forward. The upstream is random. `only` restricts the
    check to some names. Results come in the order of the forward pass, the images first.

    Raises
    ------
    ValueError
        If the model is not float64, in which differences have digits to spare.
    """
    if model.dtype != np.float64:
        raise ValueError(f"adjoint check: the model is {model.dtype}; build it with dtype=float64")
    seed = int(rng.integers(2**31))

    def forward() -> tuple[Any, Any]:
        return model.forward(images, train=True, rng=np.random.default_rng(seed))

    logits, cache = forward()
    upstream = tuple(rng.normal(size=z.shape) for z in _heads(logits))

    def along_upstream() -> float:
        heads = _heads(forward()[0])
        return float(sum((dy * z).sum() for dy, z in zip(upstream, heads, strict=True)))

    def slopes(data: Array, gradient: Array) -> tuple[float, float]:
        direction = rng.normal(size=data.shape)
        numeric = directional_derivative(along_upstream, data, direction)
        return float((gradient * direction).sum()), numeric

    model.zero_grad()
    dimages = model.backward(upstream if isinstance(logits, tuple) else upstream[0], cache)
    params = [(name, p.data, p.grad) for name, p in model.named_params()]
    for name, data, gradient in [("images", images, dimages), *params]:
        if only is not None and name not in only:
            continue
        # Relative to the gradient's length, since along one direction it may nearly cancel.
        floor = float(np.linalg.norm(gradient) + 1e-12 * np.linalg.norm(upstream[0]))
        pairs = [slopes(data, gradient)]
        if not _difference(name, pairs, floor).error <= LIMIT:
            pairs += [slopes(data, gradient) for _ in range(_MORE)]
        yield _difference(name, pairs, floor)


def lengths(config: Any, batch: int) -> dict[str, float]:
    """Name the lengths of a model that a wrong backward could forget as a factor."""
    if isinstance(config, SwinConfig):
        heads, tokens = config.heads[0], min(config.window, config.sides[0]) ** 2
    else:
        heads, tokens = config.heads, config.extra_tokens + config.patches
    return {"K": config.dim // heads, "batch": batch, "tokens": tokens}


def first_wrong(found: list[Difference]) -> tuple[Difference, str] | None:
    """Return the wrong gradient nearest to the logits and where the mistake may lie, if any.

    The backward pass runs from the logits down, so whatever is wrong there spoils all below it.
    """
    wrong = [i for i, difference in enumerate(found) if not difference.error <= LIMIT]
    if not wrong:
        return None
    last = wrong[-1]
    if last + 1 == len(found):
        return found[last], "wrong from the logits on"
    return found[last], f"right from the logits down to {found[last + 1].name}, wrong from here"


def _heads(logits: Any) -> tuple[Array, ...]:
    return logits if isinstance(logits, tuple) else (logits,)


def _difference(name: str, pairs: list[tuple[float, float]], floor: float) -> Difference:
    analytic, numeric = np.array(pairs).T
    return Difference(name, analytic, numeric, floor)
