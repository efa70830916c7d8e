"""Which operator of a training step met NaN, infinity or huge numbers first.

A step that fails has not moved the weights. So it is taken again, part by part on one thread and
with the same random numbers, while every operator and quantizer is watched, forward and backward.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Lock, get_ident
from typing import Any

import numpy as np

from tervit_np import ops
from tervit_np.arrays import Array
from tervit_np.models import Classifier
from tervit_np.nn import Module
from tervit_np.train.parallel import Loss, ParallelModel

_HUGE = 1e30  # squares of such numbers are infinite in float32
_watching = Lock()  # one watch at a time replaces functions of the package, and restores them


def is_usable(x: Array) -> bool:
    """Whether all numbers are finite and not huge."""
    return x.size == 0 or bool(np.abs(x).max() < _HUGE)  # False for NaN


def overflowing_operator(
    model: Classifier,
    images: Array,
    loss: Loss,
    rng: np.random.Generator,
    accumulate: int = 1,
) -> str:
    """Repeat a step and name its first unusable number, as "the output of linear in head".

    "" if there is none. The gradients of the model are those of the repeated step.
    """
    parallel = ParallelModel(model, 1, accumulate)
    watch = _Watch()
    with ExitStack() as stack, np.errstate(all="ignore"), suppress(ValueError, FloatingPointError):
        stack.callback(parallel.close)
        stack.enter_context(_watching)
        for replica in parallel.replicas:
            stack.enter_context(watch.modules(replica.model))
        stack.enter_context(watch.operators())
        stack.enter_context(watch.quantizers(model))
        parallel.gradients(images, loss, _restarted(rng))
    return watch.found


def _restarted(rng: np.random.Generator) -> np.random.Generator:
    """Return a generator whose children are those that `rng` had first."""
    seed: Any = rng.bit_generator.seed_seq
    return np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key))


class _Watch:
    """Replaces functions by watched ones, and notes the first unusable array that passes.

    Only what the thread calls that made it is watched.
    """

    def __init__(self) -> None:
        self.found, self._thread = "", get_ident()
        self._running: list[str] = []  # names of the modules whose forward or backward runs

    @contextmanager
    def modules(self, model: Classifier) -> Iterator[None]:
        """Know which module runs."""
        layers = [(name, module) for name, module in model.named_modules() if name]
        for name, module in layers:
            for method in ("forward", "backward"):
                if hasattr(module, method):
                    setattr(module, method, self._named(name, getattr(module, method)))
        try:
            yield
        finally:
            for _, module in layers:
                _restore(module)

    @contextmanager
    def operators(self) -> Iterator[None]:
        """Watch the functions of `ops`, wherever they were imported."""
        functions = {name: vars(ops)[name] for name in ops.__all__}
        watched = {id(f): self._watched(name, f) for name, f in functions.items()}
        modules = [m for n, m in list(sys.modules.items()) if n.startswith("tervit_np.") and m]
        places = [
            (module, name, value)
            for module in modules
            for name, value in list(vars(module).items())
            if id(value) in watched
        ]
        for module, name, value in places:
            setattr(module, name, watched[id(value)])
        try:
            yield
        finally:
            for module, name, value in places:
                setattr(module, name, value)

    @contextmanager
    def quantizers(self, model: Classifier) -> Iterator[None]:
        """Watch the quantizers of a model."""
        layers = [layer for _, layer in model.quantizable()]
        kinds = {type(q) for layer in layers for q in (layer.weight_quant, layer.act_quant)}
        places = [(kind, method) for kind in kinds for method in ("forward", "backward")]
        originals = [vars(kind).get(method) for kind, method in places]  # None if inherited
        for kind, method in places:
            name = f"{kind.__name__}.{method}"
            setattr(kind, method, self._watched(name, getattr(kind, method)))
        try:
            yield
        finally:
            for (kind, method), original in zip(places, originals, strict=True):
                if original is None:
                    delattr(kind, method)
                else:
                    setattr(kind, method, original)

    def _named(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def named(*args: Any, **options: Any) -> Any:
            self._running.append(name)
            try:
                return method(*args, **options)
            finally:
                self._running.pop()

        return named

    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **options: Any) -> Any:
            if get_ident() != self._thread:  # another training
                return function(*args, **options)
            self._look(args, f"the input of {name}")
            try:
                result = function(*args, **options)
            except ValueError:  # refused, as by LayerNorm above 1e19
                self._note(f"the input of {name}")
                raise
            self._look(result if type(result) is tuple else (result,), f"the output of {name}")
            return result

        return watched

    def _look(self, values: tuple[Any, ...], what: str) -> None:
        if not self.found and not all(is_usable(x) for x in values if isinstance(x, np.ndarray)):
            self._note(what)

    def _note(self, what: str) -> None:
        if not self.found:
            self.found = f"{what} in {self._running[-1]}" if self._running else what


def _restore(module: Module) -> None:
    for method in ("forward", "backward"):
        vars(module).pop(method, None)
