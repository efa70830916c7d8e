"""One batch on several cores, to the same bits on any number of them.

    g = sum over parts p of (n_p / B) g_p        in the order of the parts

A gradient of a mean over B images is a weighted sum of the parts' own means. How a batch is cut
depends on its size alone. Each part runs on a replica that shares the weights' memory and owns its
gradients; these are added in the order of the parts, whichever thread is ready first. NumPy and the
compiled kernels leave Python's lock while they compute.

Parts of about a thousand tokens fit the caches better than a batch, and only those in progress
need memory. All parts share the quantized weights, computed once.
"""

import copy
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Condition
from typing import Any

import numpy as np

from tervit_np.arrays import Array
from tervit_np.models import Classifier, Logits
from tervit_np.nn.quantized_layer import QuantizedLayer
from tervit_np.param import zero_grad
from tervit_np.train.ranks import ONE, Ranks

# (logits, part of the batch) -> loss, dlogits
Loss = Callable[[Logits, slice], tuple[float, Logits]]
PART_TOKENS = 1024
LEAST_PARTS = 2  # more and smaller parts of a small batch would spend their time in Python


class Turns:
    """Threads do something one after another, in the order of their numbers 0, 1, 2, ..."""

    def __init__(self) -> None:
        self._next, self._changed = 0, Condition()

    @contextmanager
    def take(self, number: int) -> Iterator[None]:
        """Wait for the turn of a number; afterwards it is that of the next."""
        with self._changed:
            self._changed.wait_for(lambda: self._next == number)
            try:
                yield
            finally:
                self._next += 1
                self._changed.notify_all()

    def skip(self, number: int) -> None:
        """Let the next number follow the one before."""
        with self.take(number):
            pass


class ParallelModel:
    """A model and its replicas; `gradients` fills `model`'s gradients from a whole batch.

    `accumulate` cuts a batch into so many times more parts, for less memory. Several `ranks`, each
    with the whole batch, share its parts.
    """

    def __init__(
        self, model: Classifier, threads: int, accumulate: int = 1, ranks: Ranks = ONE
    ) -> None:
        self.model, self.accumulate, self.ranks = model, accumulate, ranks
        self.named_params = model.named_params()
        self.replicas = [replica(model) for _ in range(threads)]
        self._replica_params = [[p for _, p in r.named_params()] for r in self.replicas]
        replica_layers = [layers_with_weights(r) for r in self.replicas]
        self._layers = list(zip(layers_with_weights(model), *replica_layers, strict=True))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tervit")

    def gradients(self, images: Array, loss: Loss, rng: np.random.Generator | None = None) -> float:
        """Run forward and backward on a batch (B, 3, S, S); return the mean loss.

        Drop path draws from a child of `rng` for each part.
        """
        parts = split_range(len(images), self.accumulate * part_count(self.model, len(images)))
        rngs = [None] * len(parts) if rng is None else rng.spawn(len(parts))
        zero_grad(p for _, p in self.named_params)
        self._share_weights()
        turns, idle = Turns(), list(zip(self.replicas, self._replica_params, strict=True))
        own = range(len(parts))[self.ranks.rank :: self.ranks.size]
        total = self.ranks.gradient_sum([p for _, p in self.named_params])

        def compute(turn: int) -> None:
            """Compute the gradients of a part, and add them after those of the parts before."""
            model, params = idle.pop()
            number = own[turn]
            zero_grad(params)
            try:
                value = _backward(model, images, parts[number], loss, rngs[number])
            except BaseException:
                turns.skip(turn)
                raise
            with turns.take(turn):
                total.add(params, value)
            idle.append((model, params))

        try:
            self.each(compute, range(len(own)))
        except BaseException:
            total.fail()
            raise
        return total.finish(len(parts))

    def each(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """Call a function for every item, on all threads.  -> results in the order of the items."""
        if len(self.replicas) == 1:
            return [function(item) for item in items]
        results: list[Any] = [None] * len(items)
        todo = enumerate(items)  # whichever thread is ready takes the next one

        def work() -> None:
            try:
                for i, item in todo:
                    results[i] = function(item)
            finally:
                deque(todo, maxlen=0)  # after an error nothing more is begun

        tasks = [self._pool.submit(work) for _ in self.replicas]
        try:
            wait(tasks)
        finally:  # after Ctrl-C, too, no thread may go on to write into the gradients
            deque(todo, maxlen=0)
            wait(tasks)
        for task in tasks:
            task.result()
        return results

    def _share_weights(self) -> None:
        """Quantize each layer's weight once, on all threads, for all replicas."""
        layers = [layer for layer, *_ in self._layers]
        weights = self.each(QuantizedLayer.quantized_weight, layers)
        for (_, *copies), weight in zip(self._layers, weights, strict=True):
            for layer in copies:
                layer.shared = weight

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


def part_count(model: Classifier, images: int) -> int:
    """Return into how many parts a batch is cut: an even number, of about 1,024 tokens each."""
    return part_count_of(images * (model.config.image_size // model.config.patch_size) ** 2)


def part_count_of(tokens: int) -> int:
    """Return the number of parts of a batch with so many tokens."""
    return LEAST_PARTS * max(round(tokens / (LEAST_PARTS * PART_TOKENS)), 1)


def layers_with_weights(model: Classifier) -> list[QuantizedLayer]:
    """Return the layers that have a weight to quantize."""
    return [layer for _, layer in model.quantizable() if isinstance(layer, QuantizedLayer)]


def replica(model: Classifier) -> Classifier:
    """Copy a model; the copy shares the memory of weights and buffers, not that of gradients."""
    shared = {id(array): array for array in model.named_arrays().values()}
    return copy.deepcopy(model, shared)


def split_range(count: int, parts: int) -> list[slice]:
    """Split 0..count into at most `parts` non-empty ranges of nearly equal length."""
    bounds = np.linspace(0, count, min(parts, count) + 1).round().astype(int)
    return [slice(int(a), int(b)) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]


def _backward(
    model: Classifier, images: Array, part: slice, loss: Loss, rng: np.random.Generator | None
) -> float:
    """Add the gradients of a part of a batch into a model's; return its share of the loss."""
    logits, cache = model.forward(images[part], train=True, rng=rng)
    value, dlogits = loss(logits, part)
    weight: float = (part.stop - part.start) / len(images)
    model.backward(_scale(dlogits, weight), cache, input_grad=False)
    return value * weight


def _scale(dlogits: Any, weight: float) -> Any:
    return tuple(d * weight for d in dlogits) if isinstance(dlogits, tuple) else dlogits * weight
