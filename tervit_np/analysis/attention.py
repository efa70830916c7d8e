"""Where a model looks: the attention of its last block, drawn over the picture."""

import copy

import numpy as np

from tervit_np import ops
from tervit_np.arrays import Array
from tervit_np.models import Classifier, Swin

LEAST_STRONG = 4.0  # times uniform attention: nearly uniform maps must not look strong
_TINT = np.array([230, 140, 0])  # where attention is strongest
_STRONGEST = 0.8  # opacity of the tint there
_LEAST_SIDE = 96  # pixels of a drawn map, so that the edges of its cells are sharp


def attention_map(model: Classifier, images: Array) -> Array:
    """Return how much attention each patch receives in the last block.  -> (B, side, side).

    The mean of `attention_heads` over the heads.
    """
    mean: Array = attention_heads(model, images).mean(axis=1)
    return mean


def attention_heads(model: Classifier, images: Array) -> Array:
    """Return how much attention each patch receives by each head.  -> (B, heads, side, side).

    With a class token this is its row of the attention matrix, else the mean over all rows (of a
    window, in Swin). Uniform attention gives 1 everywhere.

    Raises
    ------
    ValueError
        If the model is packed.
    """
    model.require_latent_weights()
    model = copy.copy(model)  # of the same layers
    model.recompute = False  # which would leave the probabilities out of the cache
    _, cache = model.forward(images)
    if isinstance(model, Swin):
        block, probs = model.layers[-1].blocks[-1], cache.layers[-1][0][-1].attn.products[0].probs
        side, heads = model.config.sides[-1], probs.shape[1]
        received = probs.mean(axis=2).transpose(0, 2, 1)  # (windows, tokens, heads)
        received = ops.window_reverse(received, (len(images), side, side, heads))
        received = ops.cyclic_shift(received, -block.shift_size).transpose(0, 3, 1, 2)
    else:
        probs = cache.blocks[-1].attn.products[0].probs  # (B, H, T, T)
        extra = model.config.extra_tokens
        queries = probs[:, :, :1] if extra else probs
        received = queries.mean(axis=2)[..., extra:]
        side = round(received.shape[-1] ** 0.5)
        received = received.reshape(*received.shape[:2], side, side)
    relative: Array = received / received.mean(axis=(2, 3), keepdims=True)
    return relative


def overlay(picture: Array, attention: Array, strongest: float) -> Array:
    """Tint a grey picture by attention.  uint8 (S, S, 3), (side, side) -> uint8 (M, M, 3).

    The tint follows the square root of attention / `strongest`: linear, one strong cell would hide
    all others.
    """
    times = -(-_LEAST_SIDE // len(picture))
    grey = _stretched(picture.mean(axis=2)).repeat(times, axis=0).repeat(times, axis=1)[..., None]
    cell = np.arange(len(grey)) * len(attention) // len(grey)
    opacity = _STRONGEST * np.sqrt(np.clip(attention / strongest, 0, 1))[cell][:, cell, None]
    tinted: Array = ((1 - opacity) * grey + opacity * _TINT).round().astype(np.uint8)
    return tinted


def _stretched(grey: Array) -> Array:
    """Spread brightness over 0 to 255, so that dark pictures can be seen, too."""
    low, high = np.percentile(grey, (1, 99))
    spread: Array = np.clip((grey - low) / max(high - low, 1.0), 0, 1) * 255
    return spread
