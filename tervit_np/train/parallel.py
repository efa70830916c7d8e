"""Data parallelism: each thread runs a part of the batch on its own replica of the model.

The replicas share the weights' memory and have their own gradients. The gradient of a mean over B
images is the sum over the parts of (n_i / B) times the part's mean, added in the order of the
parts: the last bits of the result depend on the number of threads, and on nothing else. NumPy and
compiled code release Python's lock while they compute, and BLAS runs one thread per part. To save
memory, a thread splits its part into pieces and runs them in turn (gradient accumulation).
"""

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tervit_np.arrays import Array
from tervit_np.models import Classifier, Logits
from tervit_np.param import zero_grad

# (logits, part of the batch) -> loss, dlogits
Loss = Callable[[Logits, slice], tuple[float, Logits]]


class ParallelModel:
    """A model and its replicas; `gradients` computes the model's gradients of a whole batch."""

    def __init__(self, model: Classifier, threads: int, accumulate: int = 1) -> None:
        self.model, self.accumulate = model, accumulate
        self.replicas = [model, *(replica(model) for _ in range(threads - 1))]
        self.named_params = model.named_params()
        self._params = [[p for _, p in self.named_params]]
        self._params += [[p for _, p in r.named_params()] for r in self.replicas[1:]]
        self._pool = ThreadPoolExecutor(max(threads - 1, 1), thread_name_prefix="tervit")

    def gradients(self, images: Array, loss: Loss, rngs: list[np.random.Generator]) -> float:
        """Run forward and backward on a batch (B, 3, S, S); return the mean loss.

        `rngs` holds one generator for each part, for drop path.
        """
        parts = split_range(0, len(images), len(self.replicas))

        def work(i: int) -> float:
            zero_grad(self._params[i])
            pieces = split_range(parts[i].start, parts[i].stop, self.accumulate)
            return sum(_add_part(self.replicas[i], images, p, loss, rngs[i]) for p in pieces)

        others = [self._pool.submit(work, i) for i in range(1, len(parts))]
        total = work(0) + sum(other.result() for other in others)
        for params in self._params[1 : len(parts)]:
            for param, replicated in zip(self._params[0], params, strict=True):
                param.grad += replicated.grad
        return total

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


def replica(model: Classifier) -> Classifier:
    """Copy a model; the copy shares the weights' memory and has its own gradients."""
    shared = {id(p.data): p.data for _, p in model.named_params()}
    return copy.deepcopy(model, shared)


def split_range(start: int, stop: int, parts: int) -> list[slice]:
    """Split start..stop into at most `parts` non-empty ranges of nearly equal length."""
    bounds = np.linspace(start, stop, min(parts, stop - start) + 1).round().astype(int)
    return [slice(int(a), int(b)) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]


def _add_part(
    model: Classifier, images: Array, part: slice, loss: Loss, rng: np.random.Generator
) -> float:
    """Add the gradients of a part of the batch; return its weighted loss, value * n_i / B."""
    x = images[part]
    logits, cache = model.forward(x, train=True, rng=rng)
    value, dlogits = loss(logits, part)
    weight = len(x) / len(images)
    scaled = tuple(d * weight for d in dlogits) if isinstance(dlogits, tuple) else dlogits * weight
    model.backward(scaled, cache, input_grad=False)
    return value * weight
