"""Swin in PyTorch, written from its description without lines of tervit_np.

Explicit loops visit the windows and their positions, so that no result depends on the order of a
reshape. Parameter names are the official ones.
"""

import torch
from torch import nn
from torch.nn import functional as F


class WindowAttention(nn.Module):
    def __init__(self, dim, heads, window):
        super().__init__()
        self.heads, self.window = heads, window
        rows = (2 * window - 1) ** 2
        self.relative_position_bias_table = nn.Parameter(torch.zeros(rows, heads))
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def bias(self):
        w, positions = self.window, [(y, x) for y in range(self.window) for x in range(self.window)]
        rows = [
            [(a - c + w - 1) * (2 * w - 1) + (b - d + w - 1) for c, d in positions]
            for a, b in positions
        ]
        return self.relative_position_bias_table[torch.tensor(rows)].permute(2, 0, 1)

    def forward(self, x, mask):
        """Attend in one window.  tokens (B, T, D), mask (T, T), 1 for masked pairs."""
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        width = x.shape[-1] // self.heads
        bias, mixed = self.bias(), []
        for h in range(self.heads):
            columns = slice(h * width, (h + 1) * width)
            scores = q[..., columns] @ k[..., columns].transpose(1, 2) / width**0.5
            scores = scores + bias[h] - 100.0 * mask
            mixed.append(scores.softmax(dim=-1) @ v[..., columns])
        return self.proj(torch.cat(mixed, dim=-1))


class Block(nn.Module):
    def __init__(self, dim, heads, side, window, shifted, hidden):
        super().__init__()
        self.side, self.window = side, min(window, side)
        self.shift_size = window // 2 if shifted and side > window else 0
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, heads, self.window)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(dim, hidden), "fc2": nn.Linear(hidden, dim)})

    def region(self, position):
        """Return the band, of three, of a position on a rolled axis."""
        if self.shift_size == 0 or position < self.side - self.window:
            return 0
        return 1 if position < self.side - self.shift_size else 2

    def forward(self, x):
        """(B, H, W, D) -> (B, H, W, D)."""
        normed, n, w = self.norm1(x), self.side, self.window
        out = torch.zeros_like(x)
        for top in range(0, n, w):
            for left in range(0, n, w):
                positions = [(top + i, left + j) for i in range(w) for j in range(w)]
                s = self.shift_size
                original = [((y + s) % n, (z + s) % n) for y, z in positions]
                rows, columns = (torch.tensor(axis) for axis in zip(*original, strict=True))
                regions = torch.tensor([3 * self.region(y) + self.region(z) for y, z in positions])
                mask = (regions[:, None] != regions[None, :]).to(x.dtype)
                out[:, rows, columns] = self.attn(normed[:, rows, columns], mask)
        x = x + out
        hidden = F.gelu(self.mlp["fc1"](self.norm2(x)))
        return x + self.mlp["fc2"](hidden)


class Merging(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = nn.LayerNorm(4 * dim)

    def forward(self, x):
        neighbours = [x[:, r::2, c::2] for c in (0, 1) for r in (0, 1)]
        return self.reduction(self.norm(torch.cat(neighbours, dim=-1)))


class Stage(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        dim, side = c.dim * 2**i, c.image_size // c.patch_size // 2**i
        hidden = int(dim * c.mlp_ratio)
        self.blocks = nn.ModuleList(
            Block(dim, c.heads[i], side, c.window, j % 2 == 1, hidden) for j in range(c.depths[i])
        )
        if i < len(c.depths) - 1:
            self.downsample = Merging(dim)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.downsample(x) if hasattr(self, "downsample") else x


class TorchSwin(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gelu = nn.GELU("tanh" if c.gelu == "tanh" else "none")
        if c.stem == "conv3":
            self.patch_embed = nn.ModuleDict(
                {
                    "conv1": nn.Conv2d(3, 32, 3, stride=2, padding=1),
                    "conv2": nn.Conv2d(32, 64, 3, stride=1, padding=1),
                    "proj": nn.Conv2d(64, c.dim, 3, stride=2, padding=1),
                }
            )
        else:
            projection = nn.Conv2d(3, c.dim, c.patch_size, c.patch_size)
            self.patch_embed = nn.ModuleDict({"proj": projection})
        self.patch_embed["norm"] = nn.LayerNorm(c.dim)
        self.layers = nn.ModuleList(Stage(c, i) for i in range(len(c.depths)))
        width = c.dim * 2 ** (len(c.depths) - 1)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, c.num_classes)

    def forward(self, images):
        for name in ("conv1", "conv2"):
            if name in self.patch_embed:
                images = self.gelu(self.patch_embed[name](images))
        x = self.patch_embed["proj"](images).permute(0, 2, 3, 1)
        x = self.patch_embed["norm"](x)
        for stage in self.layers:
            x = stage(x)
        return self.head(self.norm(x).mean(dim=(1, 2)))
