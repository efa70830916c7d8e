"""Saved activations: the memory that a training step holds between forward and backward.

A cache is a tuple of arrays and further caches. Arrays that are views of one memory are counted
once, views of parameters not at all.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tervit_np.arrays import Array
from tervit_np.models import Classifier


class SavedActivation(NamedTuple):
    """The arrays of one name in the caches of all blocks."""

    name: str  # blocks.*.attn.products.probs
    shape: tuple[int, ...]  # of the first array
    arrays: int
    bytes: int


def saved_activations(model: Classifier, batch: int) -> list[SavedActivation]:
    """List the arrays in the cache of a training step, largest first.

    They are extrapolated from batches of one and two images, whose difference is one image's part.

    Raises
    ------
    ValueError
        If the model is packed.
    """
    model.require_latent_weights()
    one, two = _saved_arrays(model, 1), _saved_arrays(model, 2)
    rows = []
    for name, arrays in one.items():
        small, large = (sum(_memory(a)[1] for a in saved[name]) for saved in (one, two))
        shape = tuple(
            batch * (n_two - n) if n_two != n else n
            for n, n_two in zip(arrays[0].shape, two[name][0].shape, strict=True)
        )
        rows.append(
            SavedActivation(name, shape, len(arrays), small + (batch - 1) * (large - small))
        )
    return sorted(rows, key=lambda row: -row.bytes)


def _saved_arrays(model: Classifier, batch: int) -> dict[str, list[Array]]:
    """Run a forward pass in training.  -> {name with * for block numbers: its arrays}."""
    size = model.config.image_size
    images = np.random.default_rng(0).normal(size=(batch, 3, size, size)).astype(model.dtype)
    _, cache = model.forward(images, train=True, rng=np.random.default_rng(0))
    counted = {_memory(param.data) for _, param in model.named_params()} | {_memory(images)}
    saved: dict[str, list[Array]] = {}
    for path, array in _arrays(cache, ""):
        if (memory := _memory(array)) not in counted:
            counted.add(memory)
            saved.setdefault(re.sub(r"\.\d+", ".*", path), []).append(array)
    return saved


def _arrays(cache: Any, path: str) -> Iterator[tuple[str, Array]]:
    """Walk a cache.  Yields (path, array)."""
    if isinstance(cache, np.ndarray):
        yield path, cache
    elif isinstance(cache, tuple | list):
        fields = getattr(cache, "_fields", range(len(cache)))
        for field, value in zip(fields, cache, strict=True):
            yield from _arrays(value, f"{path}.{field}" if path else str(field))


def _memory(array: Array) -> tuple[int, int]:
    """Return address and bytes of the memory that an array views."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.__array_interface__["data"][0], array.nbytes
