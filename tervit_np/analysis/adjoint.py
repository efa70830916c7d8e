"""The whole model at once: <dy, J v> = <J^T dy, v> for every parameter by name.

J v is a central difference along one random direction v of one tensor, J^T dy what backward added
into its gradient. Two forwards a tensor, however many elements it has.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tervit_np.analysis.gradcheck import Difference, directional_derivative
from tervit_np.arrays import Array
from tervit_np.models import Classifier

LIMIT = 1e-6


def adjoint_checks(
    model: Classifier,
    images: Array,
    rng: np.random.Generator,
    seen: Callable[[], object] = lambda: None,
) -> Iterator[Difference]:
    """Check every parameter and the images of a float64 model, in training mode.

    Drop path draws the same masks in every forward. The upstream is random; `seen` is called after
    each tensor.

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

    model.zero_grad()
    dimages = model.backward(upstream if isinstance(logits, tuple) else upstream[0], cache)
    tensors = [(name, p.data, p.grad) for name, p in model.named_params()]
    for name, data, gradient in [*tensors, ("images", images, dimages)]:
        direction = rng.normal(size=data.shape)
        by_differences = directional_derivative(along_upstream, data, direction)
        scale = np.linalg.norm(gradient) + 1e-12 * np.linalg.norm(upstream[0])
        by_hand = float((gradient * direction).sum())
        yield _relative(name, by_hand, by_differences, float(scale))
        seen()


def _heads(logits: Any) -> tuple[Array, ...]:
    return logits if isinstance(logits, tuple) else (logits,)


def _relative(name: str, by_hand: float, by_differences: float, scale: float) -> Difference:
    """Measure against the gradient's length: along v it may nearly cancel."""
    return Difference(
        name, np.array([by_hand / scale, 1.0]), np.array([by_differences / scale, 1.0])
    )
