"""The same models in PyTorch, as a practitioner would write them: the rival of train_step.py.

Attention is either explicit (two products and a softmax) or scaled_dot_product_attention. Where the
model is ternary, the linear layers of its blocks round weights and inputs, straight through.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


class TernaryLinear(nn.Linear):
    """Ternary weights by output channel, inputs of 8 bits by token, straight-through gradients."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., I) -> (..., O)."""
        w = self.weight
        with torch.no_grad():
            size = w.abs()
            kept = size > 0.7 * size.mean(dim=1, keepdim=True)
            scale = (size * kept).sum(dim=1, keepdim=True) / kept.sum(dim=1, keepdim=True)
            dw = scale * w.sign() * kept - w
            step = x.abs().amax(dim=-1, keepdim=True) / 127
            dx = (x / step).round() * step - x
        return F.linear(x + dx, w + dw, self.bias)


class Attention(nn.Module):
    """Fused projection, heads by reshape."""

    def __init__(self, dim: int, heads: int, fused: bool, linear: type[nn.Linear]) -> None:
        super().__init__()
        self.heads, self.fused = heads, fused
        self.qkv, self.proj = linear(dim, 3 * dim), linear(dim, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, D) -> (B, T, D)."""
        batch, tokens, dim = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        if self.fused:
            out = F.scaled_dot_product_attention(q, k, v)
        else:
            scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
            out = scores.softmax(dim=-1) @ v
        return self.proj(out.transpose(1, 2).reshape(batch, tokens, dim))


class Block(nn.Module):
    """A transformer block."""

    def __init__(
        self, dim: int, heads: int, hidden: int, fused: bool, linear: type[nn.Linear]
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads, fused, linear)
        self.mlp = nn.Sequential(linear(dim, hidden), nn.GELU(), linear(hidden, dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, D) -> (B, T, D)."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TorchPeer(nn.Module):
    """DeiT from the same configuration as ours."""

    def __init__(self, c: Any, fused: bool, linear: type[nn.Linear]) -> None:
        super().__init__()
        self.pool = c.pool
        if c.stem == "conv":
            self.stem: nn.Module = nn.Sequential(
                nn.Conv2d(3, c.dim // 4, 3, 2, 1),
                nn.GELU(),
                nn.Conv2d(c.dim // 4, c.dim // 2, 3, 2, 1),
                nn.GELU(),
                nn.Conv2d(c.dim // 2, c.dim, c.patch_size // 4, c.patch_size // 4),
            )
        else:
            self.stem = nn.Conv2d(3, c.dim, c.patch_size, c.patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, c.dim)) if c.pool == "cls" else None
        self.pos_embed = nn.Parameter(torch.zeros(1, c.patches + c.extra_tokens, c.dim))
        hidden = int(c.dim * c.mlp_ratio)
        blocks = (Block(c.dim, c.heads, hidden, fused, linear) for _ in range(c.depth))
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(c.dim, eps=1e-6)
        self.head = nn.Linear(c.dim, c.num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) -> (B, C)."""
        x = self.stem(images).flatten(2).transpose(1, 2)
        if self.cls_token is not None:
            x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
        x = self.norm(self.blocks(x + self.pos_embed))
        return self.head(x.mean(dim=1) if self.pool == "mean" else x[:, 0])


class TorchStep:
    """One training step: forward, loss, backward, clipping, AdamW.

    `kind` is "torch" (explicit attention), "sdpa" (fused) or "torch ternary" (fused as well).
    """

    def __init__(self, config: Any, images: Any, labels: Any, kind: str) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        linear = TernaryLinear if kind == "torch ternary" else nn.Linear
        self.model = TorchPeer(config, kind != "torch", linear)
        decayed = [p for p in self.model.parameters() if p.ndim >= 2]
        plain = [p for p in self.model.parameters() if p.ndim < 2]
        groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
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
