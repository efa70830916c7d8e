"""One batch on several cores, to the same bits on any number of them.

    g = sum over parts p of (n_p / B) g_p        in the order of the parts

A gradient of a mean over B images is a weighted sum of the parts' own means. How a batch is cut
depends on its size alone. Each part runs on a replica that shares the weights' memory. The first
one's gradients are the model's; those of the others are added to them in the order of the parts,
whichever thread is ready first. NumPy and the compiled kernels leave Python's lock while they
compute.

Only parts in progress need memory. All parts share the quantized weights, computed once.
"""

import copy
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any

import numpy as np

from data_tools.plain_numbers import whole_number
from tervit_np.arrays import Array
from tervit_np.models import Classifier, Logits
from tervit_np.models.classifier import require_model
from tervit_np.nn.quantized_layer import QuantizedLayer
from tervit_np.param import Param
from tervit_np.quant import IDENTITY
from tervit_np.train.parts import part_count, split_range
from tervit_np.train.ranks import ONE, Ranks
from tervit_np.train.turns import Turns, TurnsEnded

# (logits, part of the batch) -> loss, dlogits
Loss = Callable[[Logits, slice], tuple[float, Logits]]


class Replica:
    """A copy of a model that shares its weights and buffers, and has gradients of its own.

    These lie in one array: setting many small arrays to zero would take the time of a small part.
    With `owns_gradients` False the gradients are those of the model, too.
    """

    def __init__(self, model: Classifier, owns_gradients: bool = True) -> None:
        shared = list(model.named_arrays().values())
        params = [param for _, param in model.named_params()]
        if not owns_gradients:
            shared += [param.grad for param in params]
        self.model = copy.deepcopy(model, {id(array): array for array in shared})
        self.params = [param for _, param in self.model.named_params()]
        if owns_gradients:
            self._gradients = [join_gradients(self.params)]
        else:
            self._gradients = [param.grad for param in params]

    def zero_grad(self) -> None:
        """Set the gradients to zero."""
        for array in self._gradients:
            array.fill(0)


class ParallelModel:
    """A model and its replicas; `gradients` fills `model`'s gradients from a whole batch.

    It uses `threads` threads and serves one caller at a time. Different models may be trained in
    several threads at once; one model may not, since they would add into the same gradients.

    `accumulate` cuts a batch into so many times more parts, for less memory. Several `ranks`, each
    with the whole batch, share its parts.

    Raises
    ------
    ValueError
        If `model` is not one, or `threads` or `accumulate` is not a whole number of at least 1.
    """

    def __init__(
        self, model: Classifier, threads: int, accumulate: int = 1, ranks: Ranks = ONE
    ) -> None:
        require_model(model)
        threads = whole_number("ParallelModel: threads", threads, 1)
        # With 0, a batch would have no parts, and so no gradients.
        self.accumulate = whole_number("ParallelModel: accumulate", accumulate, 1)
        self.model, self.ranks = model, ranks
        self.named_params = model.named_params()
        self.threads = threads
        self.replicas = [Replica(model, owns_gradients=i > 0) for i in range(threads + 1)]
        replica_layers = [layers_with_weights(replica.model) for replica in self.replicas]
        self._layers = list(zip(layers_with_weights(model), *replica_layers, strict=True))
        self._quantizers = [
            (module, kind, getattr(module, kind))
            for _, module in model.named_modules()
            for kind in ("weight_quant", "act_quant", "gamma_quant")
            if hasattr(module, kind)
        ]
        self._pool = ThreadPoolExecutor(max(threads - 1, 1), thread_name_prefix="tervit")

    def gradients(self, images: Array, loss: Loss, rng: np.random.Generator | None = None) -> float:
        """Run forward and backward on a batch (B, 3, S, S); return the mean loss.

        Drop path draws from a child of `rng` for each part.

        Raises
        ------
        ValueError
            If there are no images, which have no mean, or the model has got other quantizers
            than its replicas.
        """
        if len(images) == 0:
            raise ValueError("ParallelModel.gradients: found 0 images, expected at least 1")
        if any(getattr(module, kind) is not own for module, kind, own in self._quantizers):
            raise ValueError(
                "ParallelModel.gradients: the model has been quantized since its replicas were "
                "made; make another ParallelModel"
            )
        parts = split_range(len(images), self.accumulate * part_count(self.model, len(images)))
        rngs = [None] * len(parts) if rng is None else rng.spawn(len(parts))
        self._share_weights()
        first, *idle = self.replicas
        turns = Turns()
        own = range(len(parts))[self.ranks.rank :: self.ranks.size]
        total = self.ranks.gradient_sum([p for _, p in self.named_params])

        def compute(turn: int) -> None:
            """Compute the gradients of a part, and add them after those of the parts before."""
            replica, number = first if turn == 0 else idle.pop(), own[turn]
            replica.zero_grad()
            value = _backward(replica.model, images, parts[number], loss, rngs[number])
            with suppress(TurnsEnded), turns.take(turn):
                total.add(replica.params, value)
            if turn > 0:
                idle.append(replica)

        try:
            self.each(compute, range(len(own)), turns.end)
        except BaseException:
            total.fail()
            raise
        return total.finish(len(parts))

    def each(
        self,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        on_error: Callable[[], None] = lambda: None,
    ) -> list[Any]:
        """Call a function for every item, on all threads.  -> results in the order of the items.

        The calling thread is one of them. The first error of any is raised when all have ended;
        `on_error` is called before, and lets threads end that wait for the one that has failed.
        """
        results: list[Any] = [None] * len(items)
        errors: list[BaseException] = []
        # Whichever thread is ready takes the next one. Without Python's lock a deque still serves
        # several threads, and an iterator does not.
        todo = deque(enumerate(items))

        def fail(error: BaseException) -> None:
            errors.append(error)
            todo.clear()  # nothing more is begun, also by the threads that now end their wait
            on_error()

        def work() -> None:
            try:
                while (taken := _take(todo)) is not None:
                    i, item = taken
                    results[i] = function(item)
            except BaseException as error:
                fail(error)

        tasks: list[Future[None]] = []
        try:
            for _ in range(1, self.threads):
                tasks.append(self._pool.submit(work))
            work()
            wait(tasks)
        except BaseException as error:  # Ctrl-C: no thread may go on to write into the gradients
            fail(error)
            wait(tasks)
        if errors:
            raise errors[0]
        return results

    def _share_weights(self) -> None:
        """Quantize each layer's weight once, on all threads, for all replicas."""
        layers = [layer for layer, *_ in self._layers]
        # Threads take longer to begin than a few layers without a quantizer take.
        is_float = all(layer.weight_quant is IDENTITY for layer in layers)
        each = map if is_float else self.each
        weights = each(QuantizedLayer.quantized_weight, layers)
        for (_, *copies), weight in zip(self._layers, weights, strict=True):
            for layer in copies:
                layer.shared = weight

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


def layers_with_weights(model: Classifier) -> list[QuantizedLayer]:
    """Return the layers that have a weight to quantize."""
    return [layer for _, layer in model.quantizable() if isinstance(layer, QuantizedLayer)]


def join_gradients(params: Sequence[Param]) -> Array:
    """Lay the gradients of new parameters, still zero, into one array.  -> that array (N,)."""
    ends = np.cumsum([param.size for param in params])
    joined = np.zeros(ends[-1], params[0].grad.dtype)
    for param, end in zip(params, ends, strict=True):
        param.grad = joined[end - param.size : end].reshape(param.shape)
    return joined


def _take(todo: deque[tuple[int, Any]]) -> tuple[int, Any] | None:
    """Take the next item, with its number; None if there is none."""
    try:
        return todo.popleft()
    except IndexError:
        return None


def _backward(
    model: Classifier, images: Array, part: slice, loss: Loss, rng: np.random.Generator | None
) -> float:
    """Add the gradients of a part of a batch into a model's; return its share of the loss."""
    logits, cache = model.forward(images[part], train=True, rng=rng)
    value, dlogits = loss(logits, part)
    weight: float = (part.stop - part.start) / len(images)
    dlogits = tuple(d * weight for d in dlogits) if isinstance(dlogits, tuple) else dlogits * weight
    model.backward(dlogits, cache, input_grad=False)
    return value * weight
