"""What a training step keeps between forward and backward, read off the caches themselves.

A cache is a tuple of arrays and further caches. Arrays that are views of one another, or a layer's
own parameters, are counted once or not at all.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.models import Classifier


class Kept(NamedTuple):
    """Arrays that the caches hold under one name, all blocks together."""

    name: str  # blocks.*.attn.products.probs
    shape: tuple[int, ...]  # of the first
    arrays: int
    bytes: int


def kept(model: Classifier, batch: int) -> list[Kept]:
    """List what the cache of a training step holds, largest first.

    Two small batches are run: what grows between them belongs to an image, the rest to the model.
    """
    one, two = _held(model, 1), _held(model, 2)
    rows = []
    for name, arrays in one.items():
        small, large = (sum(_memory(a)[1] for a in held[name]) for held in (one, two))
        shape = tuple(
            batch * (after - n) if after != n else n
            for n, after in zip(arrays[0].shape, two[name][0].shape, strict=True)
        )
        rows.append(Kept(name, shape, len(arrays), small + (batch - 1) * (large - small)))
    return sorted(rows, key=lambda row: -row.bytes)


def _held(model: Classifier, batch: int) -> dict[str, list[Array]]:
    """Run a forward pass in training.  -> name, blocks numbered alike: its arrays."""
    size = model.config.image_size
    images = np.random.default_rng(0).normal(size=(batch, 3, size, size)).astype(model.dtype)
    _, cache = model.forward(images, train=True, rng=np.random.default_rng(0))
    own = {_memory(param.data) for _, param in model.named_params()} | {_memory(images)}
    found: dict[str, list[Array]] = {}
    for path, array in _arrays(cache, ""):
        if (memory := _memory(array)) not in own:
            own.add(memory)
            found.setdefault(re.sub(r"\.\d+", ".*", path), []).append(array)
    return found


def _arrays(cache: Any, path: str) -> Iterator[tuple[str, Array]]:
    """Walk a cache.  Yields path and array."""
    if isinstance(cache, np.ndarray):
        yield path, cache
    elif isinstance(cache, tuple | list):
        fields = getattr(cache, "_fields", range(len(cache)))
        for field, value in zip(fields, cache, strict=True):
            yield from _arrays(value, f"{path}.{field}" if path else str(field))


def _memory(array: Array) -> tuple[int, int]:
    """Return address and bytes of the memory that an array is a view of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.__array_interface__["data"][0], array.nbytes
