"""Run a golden case in PyTorch: fill the model, return arrays under official names."""

import numpy as np
import torch
from torch.nn import functional as F

from tervit_np.verify.golden import SMOOTHING, parameter_from_name


def filled(model):
    """Fill a PyTorch model from its parameters' names, in float64."""
    model.double()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.from_numpy(parameter_from_name(name, tuple(p.shape))))
    return model


def loss_and_gradients(model, images, labels):
    """Run forward and backward, leaving the gradients in place.  -> loss, logits, dimages."""
    x = torch.from_numpy(np.asarray(images, np.float64)).requires_grad_()
    logits = model(x)
    heads = logits if isinstance(logits, tuple) else (logits,)
    target = torch.from_numpy(labels)
    losses = [F.cross_entropy(head, target, label_smoothing=SMOOTHING) for head in heads]
    loss = sum(losses) / len(heads)
    loss.backward()
    return loss.item(), np.stack([head.detach().numpy() for head in heads]), x.grad.numpy()


def torch_results(model, images, labels):
    """Run a PyTorch model in float64.  -> {"logits", "loss", "grad.images", "grad.<name>"}."""
    loss, logits, dimages = loss_and_gradients(filled(model), images, labels)
    gradients = {f"grad.{n}": p.grad.numpy() for n, p in model.named_parameters()}
    return {"logits": logits, "loss": np.array(loss), "grad.images": dimages, **gradients}
