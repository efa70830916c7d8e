"""Make the golden files: `python tests/golden/make_golden.py`, with PyTorch installed.

    tervit_np/analysis/golden.npz    small models, every gradient in full; shipped with the package
    tests/golden/deit_tiny.npz       full-size DeiT-Tiny, plain and distilled, as fingerprints
    tests/golden/training.npz        losses, clipping and five AdamW steps
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]

from reference import fingerprint, torch_results  # noqa: E402
from torch_deit import TorchDeiT  # noqa: E402

from tervit_np.analysis.golden import CASES, inputs, uniform  # noqa: E402
from tervit_np.models import CONFIGS  # noqa: E402

FULL_SIZE = ("deit_tiny_patch16_224", "deit_tiny_distilled_patch16_224")


def small():
    """Every case in full."""
    arrays = {}
    for case, config in CASES.items():
        for name, value in torch_results(TorchDeiT(config), *inputs(config)).items():
            arrays[f"{case}/{name}"] = value
    return arrays


def full_size():
    """DeiT-Tiny on two images."""
    arrays = {}
    for model in FULL_SIZE:
        config = CONFIGS[model]
        results = torch_results(TorchDeiT(config), *inputs(config, 2))
        for name, value in fingerprint(results, uniform).items():
            arrays[f"{model}/{name}"] = value
    return arrays


def training():
    """Losses with gradients, clipping, AdamW on a matrix, a bias and a token."""
    arrays = {}
    z = torch.from_numpy(4 * uniform("student", (6, 7))).requires_grad_()
    teacher = torch.from_numpy(4 * uniform("teacher", (6, 7)))
    soft = torch.from_numpy(uniform("soft", (6, 7))).softmax(dim=1)
    labels = torch.arange(6)
    t = 3.0
    losses = {
        "plain": F.cross_entropy(z, labels),
        "smooth": F.cross_entropy(z, labels, label_smoothing=0.2),
        "soft": F.cross_entropy(z, soft),
        "hard": F.cross_entropy(z, teacher.argmax(dim=1)),
        "distilled": t * t * F.kl_div(
            (z / t).log_softmax(1),
            (teacher / t).log_softmax(1),
            reduction="batchmean",
            log_target=True,
        ),
    }
    for name, loss in losses.items():
        arrays[f"{name}/loss"] = np.array(loss.item())
        arrays[f"{name}/gradient"] = torch.autograd.grad(loss, z, retain_graph=True)[0].numpy()

    shapes = {"layer.weight": (4, 3), "layer.bias": (4,), "cls_token": (1, 1, 3)}
    params = {n: torch.nn.Parameter(torch.from_numpy(uniform(n, s))) for n, s in shapes.items()}
    groups = [
        {"params": [params["layer.weight"]], "weight_decay": 0.3},
        {"params": [params["layer.bias"], params["cls_token"]], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.98), eps=1e-8)
    for step in range(5):
        for name, p in params.items():
            p.grad = torch.from_numpy(2 * uniform(f"{name} {step}", shapes[name]))
        norm = torch.nn.utils.clip_grad_norm_(params.values(), 1.0)
        arrays[f"adamw/{step}/norm"] = np.array(norm.item())
        optimizer.step()
        for name, p in params.items():
            arrays[f"adamw/{step}/{name}"] = p.detach().numpy().copy()
    return arrays


if __name__ == "__main__":
    package = HERE.parents[1] / "tervit_np" / "analysis"
    np.savez_compressed(package / "golden.npz", **small())
    np.savez_compressed(HERE / "deit_tiny.npz", **full_size())
    np.savez_compressed(HERE / "training.npz", **training())
    for file in (package / "golden.npz", HERE / "deit_tiny.npz", HERE / "training.npz"):
        print(f"{file.name}: {file.stat().st_size} bytes, PyTorch {torch.__version__}")
