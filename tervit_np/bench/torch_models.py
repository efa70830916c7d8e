"""DeiT and Swin in PyTorch, in eager mode, as baselines.

Parameters have the official names, so that a state dict of this package loads. `linear` is the
class of the blocks' linear layers; `fused` selects scaled_dot_product_attention instead of two
products and a softmax.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from tervit_np.models import Classifier, DeiT
from tervit_np.ops import relative_position_index, shift_mask


def to_torch(model: Classifier, fused: bool = True) -> nn.Module:
    """Build the same model with the same weights, for inference."""
    kind = TorchDeiT if isinstance(model, DeiT) else TorchSwin
    torch_model = kind(model.config, fused)
    state = {name: torch.from_numpy(array) for name, array in model.state_dict().items()}
    torch_model.load_state_dict(state)
    return torch_model.eval()


class Attention(nn.Module):
    """Multi-head attention with one qkv projection; in windows, with a relative position bias."""

    def __init__(
        self, dim: int, heads: int, fused: bool, linear: type[nn.Linear], window: int = 0
    ) -> None:
        super().__init__()
        self.heads, self.fused, self.window = heads, fused, window
        if window:
            table = torch.zeros((2 * window - 1) ** 2, heads)
            self.relative_position_bias_table = nn.Parameter(table)
            self.index = torch.from_numpy(relative_position_index(window))
        self.qkv, self.proj = linear(dim, 3 * dim), linear(dim, dim)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """(B, T, D) -> (B, T, D)."""
        batch, tokens, dim = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        attn_bias = self._attn_bias(batch, mask) if self.window else None
        if self.fused:
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=attn_bias)
        else:
            scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
            out = (scores if attn_bias is None else scores + attn_bias).softmax(dim=-1) @ v
        return self.proj(out.transpose(1, 2).reshape(batch, tokens, dim))

    def _attn_bias(self, batch: int, mask: torch.Tensor | None) -> torch.Tensor:
        """Return the position bias (1, H, T, T), plus the mask if there is one (B nW, H, T, T)."""
        bias = self.relative_position_bias_table[self.index].permute(2, 0, 1)[None]
        if mask is None:
            return bias
        return (bias + mask[:, None]).repeat(batch // len(mask), 1, 1, 1)


class MLP(nn.Module):
    """fc1, GELU, fc2."""

    def __init__(self, dim: int, hidden: int, gelu: str, linear: type[nn.Linear]) -> None:
        super().__init__()
        self.fc1, self.fc2 = linear(dim, hidden), linear(hidden, dim)
        self.act = nn.GELU("none" if gelu == "erf" else gelu)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., D) -> (..., D)."""
        return self.fc2(self.act(self.fc1(x)))


class Block(nn.Module):
    """A transformer block."""

    def __init__(self, c: Any, fused: bool, linear: type[nn.Linear]) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(c.dim, eps=1e-6), nn.LayerNorm(c.dim, eps=1e-6)
        self.attn = Attention(c.dim, c.heads, fused, linear)
        self.mlp = MLP(c.dim, int(c.dim * c.mlp_ratio), c.gelu, linear)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, D) -> (B, T, D)."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    """Patch projection, or one of the two convolutional stems; a Swin's has a LayerNorm."""

    def __init__(self, c: Any) -> None:
        super().__init__()
        self.stem = c.stem != "linear"
        self.act = nn.GELU("none" if c.gelu == "erf" else c.gelu)
        if c.stem == "conv3":
            self.conv1 = nn.Conv2d(3, 32, 3, 2, 1)
            self.conv2 = nn.Conv2d(32, 64, 3, 1, 1)
            self.proj = nn.Conv2d(64, c.dim, 3, 2, 1)
        elif self.stem:
            self.conv1 = nn.Conv2d(3, c.dim // 4, 3, 2, 1)
            self.conv2 = nn.Conv2d(c.dim // 4, c.dim // 2, 3, 2, 1)
            self.proj = nn.Conv2d(c.dim // 2, c.dim, c.patch_size // 4, c.patch_size // 4)
        else:
            self.proj = nn.Conv2d(3, c.dim, c.patch_size, c.patch_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) -> (B, N, D)."""
        if self.stem:
            x = self.act(self.conv2(self.act(self.conv1(x))))
        return self.proj(x).flatten(2).transpose(1, 2)


class TorchDeiT(nn.Module):
    """DeiT of a DeiTConfig."""

    def __init__(self, c: Any, fused: bool = True, linear: type[nn.Linear] = nn.Linear) -> None:
        super().__init__()
        self.pool, self.distilled = c.pool, c.distilled
        if c.pool == "cls":
            self.cls_token = nn.Parameter(torch.zeros(1, 1, c.dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, c.patches + c.extra_tokens, c.dim))
        if c.distilled:
            self.dist_token = nn.Parameter(torch.zeros(1, 1, c.dim))
        self.patch_embed = PatchEmbed(c)
        self.blocks = nn.Sequential(*(Block(c, fused, linear) for _ in range(c.depth)))
        self.norm = nn.LayerNorm(c.dim, eps=1e-6)
        self.head = nn.Linear(c.dim, c.num_classes)
        if c.distilled:
            self.head_dist = nn.Linear(c.dim, c.num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) -> (B, C)."""
        x = self.patch_embed(images)
        names = ["cls_token", "dist_token"][: (self.pool == "cls") + self.distilled]
        tokens = [getattr(self, name).expand(len(x), -1, -1) for name in names]
        x = self.norm(self.blocks(torch.cat([*tokens, x], dim=1) + self.pos_embed))
        if self.distilled:
            return (self.head(x[:, 0]) + self.head_dist(x[:, 1])) / 2
        return self.head(x.mean(dim=1) if self.pool == "mean" else x[:, 0])


class SwinBlock(nn.Module):
    """Attention in windows, shifted or not, and MLP."""

    def __init__(self, c: Any, stage: int, shifted: bool, fused: bool) -> None:
        super().__init__()
        dim, side = c.dim * 2**stage, c.sides[stage]
        self.window = min(c.window, side)
        self.shift_size = c.window // 2 if shifted and side > c.window else 0
        shifted_mask = shift_mask(side, side, self.window, self.shift_size)
        mask = None if shifted_mask is None else torch.from_numpy(shifted_mask).float()
        self.register_buffer("mask", mask, persistent=False)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = Attention(dim, c.heads[stage], fused, nn.Linear, self.window)
        self.mlp = MLP(dim, int(dim * c.mlp_ratio), c.gelu, nn.Linear)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, S, S, D) -> (B, S, S, D)."""
        batch, side, _, dim = x.shape
        w, count, shift = self.window, side // self.window, self.shift_size
        y = self.norm1(x)
        y = torch.roll(y, (-shift, -shift), (1, 2)) if shift else y
        windows = y.view(batch, count, w, count, w, dim).transpose(2, 3).reshape(-1, w * w, dim)
        windows = self.attn(windows, self.mask).view(batch, count, count, w, w, dim)
        y = windows.transpose(2, 3).reshape(x.shape)
        x = x + (torch.roll(y, (shift, shift), (1, 2)) if shift else y)
        return x + self.mlp(self.norm2(x))


class PatchMerging(nn.Module):
    """Merge 2 x 2 tokens into one of twice the width."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.reduction, self.norm = nn.Linear(4 * dim, 2 * dim, bias=False), nn.LayerNorm(4 * dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, S, S, D) -> (B, S/2, S/2, 2 D)."""
        parts = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(parts, dim=-1)))


class Stage(nn.Module):
    """Blocks on maps of one size, then patch merging except in the last stage."""

    def __init__(self, c: Any, index: int, fused: bool) -> None:
        super().__init__()
        blocks = (SwinBlock(c, index, j % 2 == 1, fused) for j in range(c.depths[index]))
        self.blocks = nn.Sequential(*blocks)
        last = index == len(c.depths) - 1
        self.downsample = None if last else PatchMerging(c.dim * 2**index)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, S, S, D) -> (B, S, S, D) or (B, S/2, S/2, 2 D)."""
        x = self.blocks(x)
        return x if self.downsample is None else self.downsample(x)


class TorchSwin(nn.Module):
    """Swin of a SwinConfig."""

    def __init__(self, c: Any, fused: bool = True) -> None:
        super().__init__()
        self.side, self.patch_embed = c.sides[0], PatchEmbed(c)
        self.patch_embed.norm = nn.LayerNorm(c.dim)
        self.layers = nn.Sequential(*(Stage(c, i, fused) for i in range(len(c.depths))))
        width = c.dim * 2 ** (len(c.depths) - 1)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, c.num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) -> (B, C)."""
        x = self.patch_embed.norm(self.patch_embed(images))
        x = self.layers(x.unflatten(1, (self.side, self.side)))
        return self.head(self.norm(x).mean(dim=(1, 2)))
