"""The same training step in PyTorch, the baseline of train_step.py.

Attention is either explicit (two products and a softmax) or scaled_dot_product_attention. In a
ternary model, the linear layers of blocks quantize weights and inputs, with straight-through
gradients.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from tervit_np.bench.torch_models import TorchDeiT


class TernaryLinear(nn.Linear):
    """Ternary weights per output channel, 8-bit inputs per token, straight-through gradients."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., I) -> (..., O)."""
        w = self.weight
        with torch.no_grad():
            magnitude = w.abs()
            support = magnitude > 0.7 * magnitude.mean(dim=1, keepdim=True)
            total = (magnitude * support).sum(dim=1, keepdim=True)
            scale = total / support.sum(dim=1, keepdim=True)
            dw = scale * w.sign() * support - w
            step = x.abs().amax(dim=-1, keepdim=True) / 127
            dx = (x / step).round() * step - x
        return F.linear(x + dx, w + dw, self.bias)


class TorchStep:
    """One training step: forward, loss, backward, clipping, AdamW.

    `kind` is "torch" (explicit attention), "sdpa" (fused) or "torch ternary" (fused as well).
    """

    def __init__(self, config: Any, images: Any, labels: Any, kind: str) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        linear = TernaryLinear if kind == "torch ternary" else nn.Linear
        self.model = TorchDeiT(config, kind != "torch", linear)
        decayed = [p for p in self.model.parameters() if p.ndim >= 2]
        not_decayed = [p for p in self.model.parameters() if p.ndim < 2]
        groups = [
            {"params": decayed, "weight_decay": 0.05},
            {"params": not_decayed, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))
        self.images, self.labels = torch.from_numpy(images), torch.from_numpy(labels)

    def __call__(self) -> float:
        """Take the step; return the loss."""
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(self.images), self.labels, label_smoothing=0.1)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return float(loss.detach())
