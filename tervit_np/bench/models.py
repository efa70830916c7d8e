"""Whole models, image to logits: packed, and as baselines in NumPy, Numba and PyTorch.

All have the same architecture and the same random weights; times do not depend on the weights.
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
from tervit_np.bench.baselines import dynamic_forms, fastest, inference
from tervit_np.bench.peak import fraction_of_peak, peak_candidate, scale_peak
from tervit_np.bench.timing import Times, interleaved
from tervit_np.deploy import PackedModel, export, load_packed
from tervit_np.models import Classifier, create_model, quantize

PACKED = "packed"
ATTENTION = {  # of the packed models that are timed; bfloat16 where there is a matrix unit
    PACKED: "float32",
    "packed, attention bfloat16": "bfloat16",
    "packed, attention int8": "int8",
}
ONE_THREAD = "one thread"  # PACKED on one thread, when the others use several


class ModelComparison(NamedTuple):
    """The times of all candidates for one model and batch size."""

    model: str
    batch: int
    threads: int
    times: dict[str, Times]  # of a batch

    def ratio(self, baseline: str, packed: str = PACKED) -> float:
        """How many times faster the packed model is than a baseline (see `fastest`)."""
        return fastest(self.times, baseline).median / self.times[packed].median

    def fraction_of_peak(self, packed: str = PACKED) -> float | None:
        """The fraction of the time that the dot products of all ternary layers alone would take."""
        return fraction_of_peak(self.times, packed)


def compare_models(
    name: str, batches: Sequence[int] = (1, 8), threads: int = 1, rounds: int = 15
) -> Iterator[ModelComparison]:
    """Time a model of the registry and its baselines, for each batch size."""
    model = create_model(name)
    backends = BACKENDS if find_spec("numba") is not None else ("numpy",)
    packed = _packed(create_model(name), threads)
    macs = ternary_macs(quantize(create_model(name), "ternary"))
    for batch in batches:
        images = np.random.default_rng(0).normal(size=(batch, 3, *[model.config.image_size] * 2))
        images = images.astype(np.float32)
        candidates: dict[str, Callable[[], Any]] = {
            **{kind: partial(loaded.predict, images) for kind, loaded in packed.items()},
            **{f"{name} float32": _float_model(model, images, threads, name) for name in backends},
            **_torch_models(model, images, threads),
        }
        if threads > 1:
            alone = _packed(create_model(name), 1)[PACKED]
            candidates[ONE_THREAD] = partial(alone.predict, images)
        operations = 2.0 * batch * macs
        peak = peak_candidate(operations) if threads == 1 else {}
        times = interleaved(candidates | peak, rounds)
        yield ModelComparison(name, batch, threads, scale_peak(times, operations))


def _packed(model: Classifier, threads: int) -> dict[str, PackedModel]:
    """Export the ternary model and load it, once for each kind of attention."""
    from tervit_np.compiled.amx import AMX
    from tervit_np.compiled.bf16_matmul import bf16_tile

    with TemporaryDirectory() as folder:
        path = Path(folder) / "packed.safetensors"
        export(quantize(model, "ternary"), path)
        return {
            kind: load_packed(path, threads=threads, attention=attention)
            for kind, attention in ATTENTION.items()
            if attention != "bfloat16" or bf16_tile() is AMX
        }


def _float_model(model: Classifier, images: Array, threads: int, name: str) -> Callable[[], Array]:
    """Prepare the float model on a backend, its BLAS with as many threads as the packed model."""

    def call() -> Array:
        with backend(name), blas.threads(threads):
            return model.predict(images)

    return call


def _torch_models(model: Classifier, images: Array, threads: int) -> dict[str, Callable[[], Any]]:
    """Prepare the model in PyTorch, in float32 and with 8-bit layers, if it is installed."""
    if find_spec("torch") is None:
        return {}
    import torch

    from tervit_np.bench.torch_models import to_torch

    torch.set_num_threads(threads)
    torch_model, x = to_torch(model), torch.from_numpy(images)
    forms = {"torch float32": torch_model, **dynamic_forms(torch_model)}
    return {name: inference(form, x) for name, form in forms.items()}
