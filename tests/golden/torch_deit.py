"""DeiT in PyTorch, written from its description without lines of tervit_np.

Parameter names are the official ones, so that both models can be filled by name.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        batch, tokens, dim = x.shape
        width = dim // self.heads
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        mixed = []
        for h in range(self.heads):  # one head at a time, without reshapes to get wrong
            columns = slice(h * width, (h + 1) * width)
            scores = q[..., columns] @ k[..., columns].transpose(1, 2) / width**0.5
            mixed.append(scores.softmax(dim=-1) @ v[..., columns])
        return self.proj(torch.cat(mixed, dim=-1))


class Mlp(nn.Module):
    def __init__(self, dim, hidden, gelu):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)
        self.approximate = "tanh" if gelu == "tanh" else "none"

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x), approximate=self.approximate))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm1 = nn.LayerNorm(c.dim, eps=1e-6)
        self.attn = Attention(c.dim, c.heads)
        self.norm2 = nn.LayerNorm(c.dim, eps=1e-6)
        self.mlp = Mlp(c.dim, int(c.dim * c.mlp_ratio), c.gelu)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv_stem = c.stem != "linear"
        self.approximate = "tanh" if c.gelu == "tanh" else "none"
        if c.stem == "conv3":
            self.conv1 = nn.Conv2d(3, 32, 3, stride=2, padding=1)
            self.conv2 = nn.Conv2d(32, 64, 3, stride=1, padding=1)
            self.proj = nn.Conv2d(64, c.dim, 3, stride=2, padding=1)
        elif self.conv_stem:
            self.conv1 = nn.Conv2d(3, c.dim // 4, 3, stride=2, padding=1)
            self.conv2 = nn.Conv2d(c.dim // 4, c.dim // 2, 3, stride=2, padding=1)
            side = c.patch_size // 4
            self.proj = nn.Conv2d(c.dim // 2, c.dim, side, stride=side)
        else:
            self.proj = nn.Conv2d(3, c.dim, c.patch_size, stride=c.patch_size)

    def forward(self, x):
        if self.conv_stem:
            x = F.gelu(self.conv1(x), approximate=self.approximate)
            x = F.gelu(self.conv2(x), approximate=self.approximate)
        return self.proj(x).flatten(2).transpose(1, 2)


class TorchDeiT(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        patches = (c.image_size // c.patch_size) ** 2
        extra = 0 if c.pool == "mean" else 2 if c.distilled else 1
        if c.pool == "cls":
            self.cls_token = nn.Parameter(torch.zeros(1, 1, c.dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, patches + extra, c.dim))
        if c.distilled:
            self.dist_token = nn.Parameter(torch.zeros(1, 1, c.dim))
        self.patch_embed = PatchEmbed(c)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.depth))
        self.norm = nn.LayerNorm(c.dim, eps=1e-6)
        self.head = nn.Linear(c.dim, c.num_classes)
        if c.distilled:
            self.head_dist = nn.Linear(c.dim, c.num_classes)

    def forward(self, images):
        x = self.patch_embed(images)
        tokens = []
        if self.c.pool == "cls":
            tokens.append(self.cls_token.expand(len(x), -1, -1))
        if self.c.distilled:
            tokens.append(self.dist_token.expand(len(x), -1, -1))
        x = torch.cat([*tokens, x], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        if self.c.pool == "mean":
            return self.head(x.mean(dim=1))
        if self.c.distilled:
            return self.head(x[:, 0]), self.head_dist(x[:, 1])
        return self.head(x[:, 0])
