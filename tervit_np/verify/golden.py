"""Golden values: logits and gradients that another framework computed.

A wrong forward with a backward that fits it passes every check by finite differences. So golden.npz
stores the results of small models written independently in PyTorch, in float64
(tests/golden/make_golden.py). Parameters and inputs are not stored: both frameworks fill them from
integers, to the same bits.
"""

import math
import zlib
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.losses import cross_entropy
from tervit_np.models import Classifier, DeiTConfig, SwinConfig, build
from tervit_np.models.registry import Config

SMOOTHING = 0.1
_SMALL: dict[str, Any] = {
    "image_size": 12,
    "patch_size": 4,
    "num_classes": 5,
    "dim": 12,
    "depth": 2,
    "heads": 3,
}
CASES: dict[str, Config] = {
    "plain": DeiTConfig(**_SMALL, mlp_ratio=2.5),
    "distilled": DeiTConfig(**_SMALL | {"depth": 1}, distilled=True),
    "conv-mean": DeiTConfig(**_SMALL | {"image_size": 16, "depth": 1}, stem="conv", pool="mean"),
    "tanh": DeiTConfig(**_SMALL | {"image_size": 15, "patch_size": 5, "depth": 1}, gelu="tanh"),
    "swin": SwinConfig(16, 2, 5, 4, depths=(2, 1), heads=(1, 2), window=4, mlp_ratio=2.0),
}
BATCH = 3


class ValueCheck(NamedTuple):
    """One quantity as this package computes it, and its known value."""

    name: str
    actual: Array
    expected: Array

    @property
    def error(self) -> float:
        """Largest difference over the largest expected value; infinite of NaN or another shape."""
        if np.shape(self.actual) != np.shape(self.expected):
            return math.inf
        scale = max(float(np.abs(self.expected).max()), 1e-300)
        error = float(np.abs(self.actual - self.expected).max()) / scale
        return math.inf if math.isnan(error) else error


def uniform_from_name(name: str, shape: tuple[int, ...]) -> Array:
    """Fill an array from its name alone, uniform in [-1, 1).  -> float64 of `shape`.

    The integers i + crc32(name) 2^32 go through SplitMix64 (Steele et al. 2014): integer
    arithmetic, the same on every machine.
    """
    size = int(np.prod(shape))
    z = np.arange(1, size + 1, dtype=np.uint64) + np.uint64(zlib.crc32(name.encode()) << 32)
    z = z * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(11)) * 2.0**-52 - 1).reshape(shape)


def parameter_from_name(name: str, shape: tuple[int, ...]) -> Array:
    """Fill a parameter: gamma around 1, weights so that no layer shrinks its activations."""
    u = uniform_from_name(name, shape)
    if len(shape) == 1:
        return 1 + 0.3 * u if ".norm" in name or name == "norm.weight" else 0.3 * u
    if shape[0] == 1:
        return u
    return 1.7 * u / math.sqrt(math.prod(shape[1:]))


def inputs(config: Config, batch: int = BATCH) -> tuple[Array, Array]:
    """Return images (B, 3, S, S) and labels (B,) of a case."""
    size, classes = config.image_size, config.num_classes
    return 1.5 * uniform_from_name("images", (batch, 3, size, size)), np.arange(batch) * 2 % classes


def filled_model(config: Config, dtype: str = "float64") -> Classifier:
    """Build a model whose parameters are filled from their names."""
    model = build(config, np.random.default_rng(0), dtype)
    model.load_state_dict({n: parameter_from_name(n, p.shape) for n, p in model.named_params()})
    return model


def forward_backward(model: Classifier, images: Array, labels: Array) -> dict[str, Array]:
    """Run forward and backward.  -> {"logits", "loss", "grad.images", "grad.<name>"}."""
    model.zero_grad()
    logits, cache = model.forward(images.astype(model.dtype))
    heads = logits if isinstance(logits, tuple) else (logits,)
    losses = [cross_entropy(head, labels, SMOOTHING) for head in heads]
    dlogits = tuple(gradient / len(heads) for _, gradient in losses)
    dimages = model.backward(dlogits if len(heads) > 1 else dlogits[0], cache)
    gradients = {f"grad.{name}": p.grad.copy() for name, p in model.named_params()}
    loss = np.array(sum(value for value, _ in losses) / len(heads))
    return {"logits": np.stack(heads), "loss": loss, "grad.images": dimages, **gradients}


def golden_checks(case: str, dtype: str = "float64") -> list[ValueCheck]:
    """Run one case and compare every result with its golden value."""
    config = CASES[case]
    actual = forward_backward(filled_model(config, dtype), *inputs(config))
    return [ValueCheck(name, actual[name], golden) for name, golden in _golden_values(case).items()]


@cache
def _golden_values(case: str) -> dict[str, Array]:
    with resources.files("tervit_np.verify").joinpath("golden.npz").open("rb") as file:
        with np.load(file) as arrays:
            prefix = f"{case}/"
            return {n.removeprefix(prefix): arrays[n] for n in arrays.files if n.startswith(prefix)}
