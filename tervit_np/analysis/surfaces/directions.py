"""The loss along random directions, normalised by filter so that models can be compared.

    d_row <- g_row * |w_row| / |g_row|,   g Gaussian          (Li et al. 2018, "filter-wise")

A row is one output channel of a weight, or one token of positions and class tokens. Tensors with
one axis (biases, LayerNorm) do not move. At x = 0.6 each row has moved by 60 % of its own length.

A quantized model has two surfaces: one moves its latent weights and then rounds them, which is the
surface that training descends; the other moves the rounded weights (`rounded(model)`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tervit_np.analysis.surfaces.affine_models import AffineModels, Direction
from tervit_np.analysis.surfaces.resampling import bootstrap_weights, standard_error
from tervit_np.analysis.surfaces.runner import Runner
from tervit_np.arrays import Array
from tervit_np.models import Classifier

_STREAM = 0xD12


class Curve(NamedTuple):
    """The mean loss along a line."""

    name: str
    x: Array  # (P,)
    loss: Array  # (P,)
    error: Array  # (P,), by resampling the images


class Grid2D(NamedTuple):
    """The mean loss over a rectangle of two directions."""

    name: str
    x: Array  # (X,)
    y: Array  # (Y,)
    loss: Array  # (X, Y)


def random_direction(model: Classifier, seed: int = 0) -> dict[str, Array]:
    """Draw a direction, filter-normalised by the model's weights.  -> {name: array}.

    One seed gives the same Gaussian numbers to every model of a shape.
    """
    rng = np.random.default_rng([_STREAM, seed])
    direction = {}
    for name, param in model.named_params():
        if param.data.ndim < 2:
            continue
        w = _rows(param.data)
        g = rng.normal(size=w.shape).astype(w.dtype)
        scale = np.linalg.norm(w, axis=1) / np.linalg.norm(g, axis=1)
        direction[name] = (g * scale[:, None]).reshape(param.shape)
    return direction


def line(
    model: Classifier,
    images: Array,
    labels: Array,
    direction: Direction,
    x: Sequence[float] | Array,
    *,
    name: str = "line",
    seed: int = 0,
    runner: Runner | None = None,
) -> Curve:
    """Measure the loss at w + x d for each x.  (N, 3, S, S), (N,) -> Curve."""
    along = np.asarray(x, float)
    points = [(float(each),) for each in along]
    models = AffineModels(model, (direction,))
    losses = (runner or Runner()).losses(name, models, images, labels, points)
    return Curve(name, along, *mean_and_error(losses, seed))


def grid2d(
    model: Classifier,
    images: Array,
    labels: Array,
    directions: tuple[Direction, Direction],
    x: Sequence[float] | Array,
    y: Sequence[float] | Array,
    *,
    name: str = "grid",
    runner: Runner | None = None,
) -> Grid2D:
    """Measure the loss at w + x d_1 + y d_2 for each pair.  (N, 3, S, S), (N,) -> Grid2D."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    points = [(float(a), float(b)) for a in xs for b in ys]
    models = AffineModels(model, directions)
    losses = (runner or Runner()).losses(name, models, images, labels, points)
    return Grid2D(name, xs, ys, losses.mean(axis=1, dtype=float).reshape(len(xs), len(ys)))


def mean_and_error(losses: Array, seed: int) -> tuple[Array, Array]:
    """Average over images.  (P, N) -> (P,), (P,)."""
    draws = bootstrap_weights(losses.shape[1], seed)
    return losses.mean(axis=1, dtype=float), standard_error(losses, draws)


def around_zero(reach: float, count: int) -> Array:
    """Return `count` evenly spaced numbers from -reach to reach, with an exact 0 if odd."""
    return np.linspace(-1, 1, count).round(12) * reach


def _rows(w: Array) -> Array:
    """View a weight as one row for each channel, (1, T, D) as one row for each token."""
    return w.reshape(-1, w.shape[-1]) if len(w) == 1 else w.reshape(len(w), -1)
