"""One batch on several cores: each thread takes a part of it, on a model of its own.

The replicas share the weights' memory and own their gradients. A gradient of a mean over B images
is the sum over parts of (n_i / B) times the part's own mean, added in the order of the parts: the
result depends on the number of threads in its last bits, and on nothing else. NumPy and the
compiled kernels leave Python's lock while they compute, and BLAS gets one thread for each part.
"""

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.models import Classifier

Loss = Callable[[Any, slice], tuple[float, Any]]  # (logits, part of the batch) -> loss, dlogits


class ParallelModel:
    """A model and its replicas; `gradients` fills `model`'s gradients from a whole batch."""

    def __init__(self, model: Classifier, threads: int) -> None:
        self.model = model
        self.replicas = [model, *(replica(model) for _ in range(threads - 1))]
        self._params = [[p for _, p in r.named_params()] for r in self.replicas]
        self._pool = ThreadPoolExecutor(max(threads - 1, 1), thread_name_prefix="tervit")

    def gradients(self, images: Array, loss: Loss, rngs: list[np.random.Generator]) -> float:
        """Run forward and backward on a batch (B, 3, S, S); return the mean loss.

        `rngs` holds one generator for each part, for drop path.
        """
        parts = split(len(images), len(self.replicas))

        def work(i: int) -> float:
            return _part(self.replicas[i], images[parts[i]], parts[i], len(images), loss, rngs[i])

        others = [self._pool.submit(work, i) for i in range(1, len(parts))]
        total = work(0) + sum(other.result() for other in others)
        for params in self._params[1 : len(parts)]:
            for mine, theirs in zip(self._params[0], params, strict=True):
                mine.grad += theirs.grad
        return total

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


def replica(model: Classifier) -> Classifier:
    """Copy a model that shares the weights' memory and owns its gradients."""
    shared = {id(p.data): p.data for _, p in model.named_params()}
    return copy.deepcopy(model, shared)


def split(count: int, parts: int) -> list[slice]:
    """Cut `count` items into at most `parts` runs of nearly equal length, none empty."""
    bounds = np.linspace(0, count, min(parts, count) + 1).round().astype(int)
    return [slice(int(a), int(b)) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]


def _part(
    model: Classifier,
    images: Array,
    part: slice,
    batch: int,
    loss: Loss,
    rng: np.random.Generator,
) -> float:
    model.zero_grad()
    logits, cache = model.forward(images, train=True, rng=rng)
    value, dlogits = loss(logits, part)
    share = len(images) / batch
    scaled = tuple(d * share for d in dlogits) if isinstance(dlogits, tuple) else dlogits * share
    model.backward(scaled, cache, input_grad=False)
    return value * share
