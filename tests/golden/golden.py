"""Read the golden files in this folder."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tervit_np.models import SwinConfig
from tervit_np.verify.golden import uniform_from_name
from tests.golden import edge_cases

FULL_SIZE = (
    "deit_tiny_patch16_224",
    "deit_tiny_distilled_patch16_224",
    "deit_small_patch16_224",
    "swin_tiny_patch4_window7_224",
)
_SWIN = {"patch_size": 2, "num_classes": 5, "dim": 6}
SWIN_CASES = {
    "window 2": SwinConfig(8, **_SWIN, depths=(2, 1), heads=(2, 3), window=2, mlp_ratio=2.5),
    "window 4": SwinConfig(16, **_SWIN, depths=(2, 2), heads=(2, 3), window=4, mlp_ratio=2.0),
    "window 7": SwinConfig(28, **_SWIN, depths=(2, 1), heads=(3, 6), window=7, mlp_ratio=1.0),
    "window 8, shrinking": SwinConfig(
        32, **_SWIN, depths=(2, 1, 1), heads=(1, 2, 3), window=8, mlp_ratio=1.0
    ),
    "four stages": SwinConfig(
        32, **_SWIN, depths=(1, 1, 1, 1), heads=(1, 2, 3, 6), window=4, mlp_ratio=1.0
    ),
}
RESIZED = ((14, 10), (14, 20), (13, 15), (7, 12), (1, 3), (5, 5))  # sides of tables
TRAINED = "distilled"  # the small case of training.npz


class Training(NamedTuple):
    """Hyperparameters of training.npz."""

    steps: int = 5
    lr: float = 0.003
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.1
    max_norm: float = 1.0


TRAINING = Training()


@cache
def stored(name):
    """Return {key: array} of `<name>.npz`, with the inputs that it was computed from."""
    with np.load(Path(__file__).with_name(f"{name}.npz")) as file:
        arrays = {key: file[key] for key in file.files}
    return arrays | operator_inputs() if name == "operators" else arrays


def operator_inputs():
    """Return the inputs of operators.npz, under the names of its results."""
    arrays = {}
    for case, values in edge_cases.layernorm_cases().items():
        for key, value in zip(("x", "gamma", "beta", "dy"), values, strict=True):
            arrays[f"layernorm/{case}/{key}"] = value
    for case, (x, dy) in edge_cases.softmax_cases().items():
        arrays |= {f"softmax/{case}/x": x, f"softmax/{case}/dy": dy}
    for form in ("erf", "tanh"):
        x, dy = edge_cases.gelu_values()
        arrays |= {f"gelu/{form}/x": x, f"gelu/{form}/dy": dy}
    names = ("student", "teacher", "soft", "labels")
    for key, value in zip(names, edge_cases.loss_cases(), strict=True):
        arrays[f"losses/{key}"] = value
    return arrays


def fingerprint(results, count=2):
    """Condense each gradient to its norm and its products with fixed directions.

    -> {"logits", "loss", "names": (n,) text, "gradients": (n, 1 + count)}
    """
    gradients = {name: value for name, value in results.items() if name.startswith("grad.")}
    condensed = []
    for name, value in gradients.items():
        flat = np.asarray(value, np.float64).ravel()
        names = [f"direction {i} of {name}" for i in range(count)]
        products = [flat @ uniform_from_name(direction, flat.shape) for direction in names]
        condensed.append((np.linalg.norm(flat), *products))
    return {
        "logits": results["logits"],
        "loss": results["loss"],
        "names": np.array(list(gradients)),
        "gradients": np.array(condensed),
    }
