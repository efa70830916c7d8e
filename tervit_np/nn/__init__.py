"""Modules: they own parameters and call operators."""

from tervit_np.nn.attention import Attention, Products
from tervit_np.nn.block import Block
from tervit_np.nn.blocks import Blocks
from tervit_np.nn.conv_stem import Conv3Stem, ConvStem
from tervit_np.nn.layernorm import LayerNorm
from tervit_np.nn.linear import Conv2d, Linear
from tervit_np.nn.mlp import MLP
from tervit_np.nn.module import Module
from tervit_np.nn.patch_embed import PatchEmbed, PatchProjection
from tervit_np.nn.patch_merging import PatchMerging
from tervit_np.nn.swin_block import SwinBlock, WindowAttention

__all__ = [
    "PatchMerging",
    "SwinBlock",
    "WindowAttention",
    "MLP",
    "Attention",
    "Block",
    "Blocks",
    "Conv2d",
    "Conv3Stem",
    "ConvStem",
    "LayerNorm",
    "Linear",
    "Module",
    "PatchEmbed",
    "PatchProjection",
    "Products",
]
