"""Whole models, image to logits: packed, in NumPy, in PyTorch with floats and with 8-bit layers.

All have the same architecture and start from the same random weights, on which no time depends.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from tervit_np import blas
from tervit_np.analysis.macs import ternary_macs
from tervit_np.arrays import Array
from tervit_np.backends import BACKENDS, backend
from tervit_np.bench.baselines import dynamic_forms, fastest
from tervit_np.bench.peak import peak, scaled, share
from tervit_np.bench.timing import Times, interleaved
from tervit_np.deploy import Packed, export, load_packed
from tervit_np.models import Classifier, create_model, quantize

OURS = ("packed", "packed, attention int8")  # the default, and an option
ALONE = "one thread"  # the default on one thread, where others have more


class ModelComparison(NamedTuple):
    """One model and batch size, all candidates."""

    model: str
    batch: int
    threads: int
    times: dict[str, Times]  # of a batch

    def ratio(self, rival: str, ours: str = OURS[0]) -> float:
        """How many times faster the packed model is than a rival, in the rival's fastest form."""
        return fastest(self.times, rival).median / self.times[ours].median

    def share(self, ours: str = OURS[0]) -> float | None:
        """The share of the time that dot products of all ternary layers alone would take."""
        return share(self.times, ours)


def compare_models(
    name: str, batches: Sequence[int] = (1, 8), threads: int = 1, rounds: int = 15
) -> Iterator[ModelComparison]:
    """Time a model of the registry in every form, at every batch size."""
    model = create_model(name)
    here = BACKENDS if find_spec("numba") is not None else ("numpy",)
    packed, on_bytes = _packed(create_model(name), threads)
    products = ternary_macs(quantize(create_model(name), "ternary"))
    for batch in batches:
        images = np.random.default_rng(0).normal(size=(batch, 3, *[model.config.image_size] * 2))
        images = images.astype(np.float32)
        candidates: dict[str, Callable[[], Any]] = {
            OURS[0]: partial(packed.predict, images),
            OURS[1]: partial(on_bytes.predict, images),
            **{f"{name} float32": _in_floats(model, images, threads, name) for name in here},
            **_in_torch(model, images, threads),
        }
        if threads > 1:
            candidates[ALONE] = partial(_packed(create_model(name), 1)[0].predict, images)
        operations = 2.0 * batch * products
        least = peak(operations) if threads == 1 else {}
        times = interleaved(candidates | least, rounds)
        yield ModelComparison(name, batch, threads, scaled(times, operations))


def _packed(model: Classifier, threads: int) -> tuple[Packed, Packed]:
    """Write the ternary model to a file and read it back, with attention in floats and on bytes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "packed.safetensors"
        export(quantize(model, "ternary"), path)
        plain = load_packed(path, threads=threads)
        return plain, load_packed(path, threads=threads, attention="int8")


def _in_floats(model: Classifier, images: Array, threads: int, name: str) -> Callable[[], Array]:
    """Prepare the float model on a backend; its matrix products use as many threads as we do."""

    def call() -> Array:
        with backend(name), blas.threads(threads):
            return model.predict(images)

    return call


def _in_torch(model: Classifier, images: Array, threads: int) -> dict[str, Callable[[], Any]]:
    """Prepare PyTorch's forms of a float model, where it is installed."""
    if find_spec("torch") is None:
        return {}
    import torch

    from tervit_np.bench.torch_models import torch_twin

    torch.set_num_threads(threads)
    whole, x = torch_twin(model), torch.from_numpy(images)
    forms = {"torch float32": whole, **dynamic_forms(whole)}

    def run(form: Any) -> Callable[[], Any]:
        def call() -> Any:
            with torch.inference_mode():
                return form(x)

        return call

    return {name: run(form) for name, form in forms.items()}
