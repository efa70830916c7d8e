"""The PyTorch side of a golden case: fill, run, return arrays under our names."""

import numpy as np
import torch
from torch.nn import functional as F

from tervit_np.analysis.golden import SMOOTHING, parameter


def torch_results(model, images, labels):
    """Run a PyTorch model in float64.  -> {"logits", "loss", "grad.images", "grad.<name>"}."""
    model.double()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.from_numpy(parameter(name, tuple(p.shape))))
    x = torch.from_numpy(np.asarray(images, np.float64)).requires_grad_()
    logits = model(x)
    heads = logits if isinstance(logits, tuple) else (logits,)
    target = torch.from_numpy(labels)
    losses = [F.cross_entropy(head, target, label_smoothing=SMOOTHING) for head in heads]
    loss = sum(losses) / len(heads)
    loss.backward()
    gradients = {f"grad.{n}": p.grad.numpy() for n, p in model.named_parameters()}
    stacked = np.stack([head.detach().numpy() for head in heads])
    return {
        "logits": stacked,
        "loss": np.array(loss.item()),
        "grad.images": x.grad.numpy(),
        **gradients,
    }


def fingerprint(results, directions):
    """Condense each gradient to its norm and its product with a direction filled from its name.

    -> {"logits", "loss", "names": (n,) text, "gradients": (n, 2)}
    """
    gradients = {name: value for name, value in results.items() if name.startswith("grad.")}
    condensed = []
    for name, value in gradients.items():
        flat = np.asarray(value, np.float64).ravel()
        along = flat @ directions(f"direction of {name}", flat.shape)
        condensed.append((np.linalg.norm(flat), along))
    return {
        "logits": results["logits"],
        "loss": results["loss"],
        "names": np.array(list(gradients)),
        "gradients": np.array(condensed),
    }
