"""A training step of this package, the models for which it is timed, and turns of candidates."""

import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

import tervit_np as tv
from tervit_np.losses import cross_entropy
from tervit_np.models.quantization import set_precision
from tervit_np.train import ParallelModel
from tervit_np.train.muon import Muon

SHAPES: dict[str, tuple[str, dict[str, Any], int]] = {
    "p8 d96 L4": ("deit_cifar", {"stem": "linear"}, 64),
    "p8 d96 L4, conv stem": ("deit_cifar", {}, 64),
    "CIFAR-10 preset": ("deit_cifar_conv", {}, 128),
    "CIFAR-10 long preset": ("deit_cifar_conv_d128", {}, 128),
    "CIFAR-10 wide preset": ("deit_cifar_conv_d192", {}, 128),
    "p4 d192 L6": ("deit_cifar_p4", {}, 64),
    "DeiT-Tiny 224": ("deit_tiny_patch16_224", {}, 8),
    "DeiT-Small 224": ("deit_small_patch16_224", {}, 32),
}
OPTIMIZERS = {"adamw": tv.AdamW, "muon": Muon}


class NumPyStep:
    """One training step under a quantization plan."""

    def __init__(
        self,
        name: str,
        config: dict[str, Any],
        batch: int,
        plan: str,
        threads: int = 1,
        recompute: bool = False,
        precision: str = "float32",
        optimizer: str = "adamw",
    ):
        self.model = tv.quantize(tv.create_model(name, **config), plan)
        self.model.recompute = recompute
        set_precision(self.model, precision)
        self.images, self.labels = batch_of(self.model.config, batch)
        self.parallel = ParallelModel(self.model, threads)
        self.params = self.model.named_params()
        self.optimizer = OPTIMIZERS[optimizer](self.params, 1e-3, (0.9, 0.98))
        self.rng = np.random.default_rng(0)

    def __call__(self) -> float:
        """Take the step; return the loss."""
        labels = self.labels
        loss = self.parallel.gradients(
            self.images, lambda z, part: cross_entropy(z, labels[part], 0.1), self.rng
        )
        tv.clip_grad_norm(self.params, 1.0)
        self.optimizer.step(self.parallel.each)
        return loss


def batch_of(config: Any, batch: int) -> tuple[Any, Any]:
    """Return a batch of random images and labels."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(batch, 3, config.image_size, config.image_size)).astype(np.float32)
    return images, rng.integers(0, config.num_classes, batch)


def interleave(
    steps: dict[str, Callable[[], Any]],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Time all steps in turn.  -> median seconds of each."""
    times: dict[str, list[float]] = defaultdict(list)
    for step in steps.values():
        for _ in range(3):
            step()
    for _ in range(rounds):
        for name, step in steps.items():
            start = clock()
            step()
            times[name].append(clock() - start)
    return {name: median(values) for name, values in times.items()}
