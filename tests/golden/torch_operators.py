"""Operators, losses, clipping and AdamW in PyTorch, float64."""

import torch
from torch.nn import functional as F

from tervit_np.verify.golden import uniform_from_name
from tests.golden import edge_cases
from tests.golden.golden import RESIZED, TRAINING
from tests.golden.reference import loss_and_gradients


def leaf(array):
    return torch.from_numpy(array.copy()).requires_grad_()


def operators():
    """Compute outputs and gradients on the edge cases."""
    arrays = {}
    for case, values in edge_cases.layernorm_cases().items():
        x, gamma, beta = (leaf(a) for a in values[:3])
        y = F.layer_norm(x, x.shape[-1:], gamma, beta, eps=1e-6)
        y.backward(torch.from_numpy(values[3]))
        results = {"y": y.detach(), "dx": x.grad, "dgamma": gamma.grad, "dbeta": beta.grad}
        arrays |= {f"layernorm/{case}/{k}": v.numpy() for k, v in results.items()}
    for case, (x, dy) in edge_cases.softmax_cases().items():
        arrays |= pair(f"softmax/{case}", lambda x: x.softmax(dim=-1), x, dy)
    for form, approximate in (("erf", "none"), ("tanh", "tanh")):
        x, dy = edge_cases.gelu_values()
        gelu = torch.nn.GELU(approximate=approximate)
        arrays |= pair(f"gelu/{form}", gelu, x, dy)
    for case in RESIZED:
        table = torch.from_numpy(uniform_from_name(f"table {case}", (case[0], case[0], 3)))
        channels_first = table.permute(2, 0, 1)[None]
        size = (case[1], case[1])
        large = F.interpolate(channels_first, size=size, mode="bicubic", align_corners=False)
        arrays[f"resized/{case}"] = large[0].permute(1, 2, 0).numpy()
    return arrays | losses()


def pair(name, function, x, dy):
    x = leaf(x)
    y = function(x)
    y.backward(torch.from_numpy(dy))
    return {f"{name}/y": y.detach().numpy(), f"{name}/dx": x.grad.numpy()}


def losses():
    """Compute each loss and its gradient."""
    values = edge_cases.loss_cases()
    z, labels = leaf(values[0]), torch.from_numpy(values[3])
    teacher, soft = torch.from_numpy(values[1]), torch.from_numpy(values[2])
    t = 3.0
    kl = F.kl_div(
        (z / t).log_softmax(1), (teacher / t).log_softmax(1), reduction="batchmean", log_target=True
    )
    losses_by_name = {
        "plain": F.cross_entropy(z, labels),
        "smooth": F.cross_entropy(z, labels, label_smoothing=0.2),
        "soft": F.cross_entropy(z, soft),
        "soft-smooth": F.cross_entropy(z, soft, label_smoothing=0.1),
        "hard": F.cross_entropy(z, teacher.argmax(dim=1)),
        "distilled": t * t * kl,
    }
    arrays = {}
    for name, loss in losses_by_name.items():
        arrays[f"losses/{name}/loss"] = loss.detach().numpy()
        (gradient,) = torch.autograd.grad(loss, z, retain_graph=True)
        arrays[f"losses/{name}/gradient"] = gradient.numpy()
    return arrays


NO_DECAY = ("cls_token", "dist_token", "pos_embed")


def training(model, images, labels):
    """Take a few clipped AdamW steps.  -> norms before clipping, losses, final parameters."""
    named = list(model.named_parameters())
    decayed = [p for n, p in named if p.ndim > 1 and n not in NO_DECAY]
    rest = [p for n, p in named if p.ndim == 1 or n in NO_DECAY]
    decay = TRAINING.weight_decay
    groups = [{"params": decayed, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=TRAINING.lr, betas=TRAINING.betas, eps=1e-8)
    norms, values = [], []
    for _ in range(TRAINING.steps):
        model.zero_grad()
        values.append(loss_and_gradients(model, images, labels)[0])
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), TRAINING.max_norm).item())
        optimizer.step()
    arrays = {f"param.{n}": p.detach().numpy() for n, p in named}
    return arrays | {"norms": norms, "losses": values}
