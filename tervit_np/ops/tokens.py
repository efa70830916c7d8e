"""Extra tokens and positions (Dosovitskiy et al. 2021, eq. 1; Touvron et al. 2021 for two tokens).

z = [cls, (dist), patches] + pos

First concatenate, then add: the class and distillation tokens have positions too.
"""

import numpy as np

from tervit_np.arrays import Array


def add_tokens(patches: Array, extra: list[Array], pos: Array) -> Array:
    """Prepend E extra tokens, add positions.  (B, N, D), (1, 1, D)..., (1, E+N, D) -> (B, E+N, D).

    Raises
    ------
    ValueError
        If `pos` does not have one row for every token.
    """
    batch, count, dim = patches.shape
    total = len(extra) + count
    if pos.shape != (1, total, dim):
        raise ValueError(f"add_tokens: positions are {pos.shape}, expected {(1, total, dim)}")
    z = np.empty((batch, total, dim), patches.dtype)
    for i, token in enumerate(extra):
        z[:, i] = token[0, 0] + pos[0, i]
    np.add(patches, pos[:, len(extra) :], out=z[:, len(extra) :])
    return z


def add_tokens_backward(dz: Array, extra: int) -> tuple[Array, list[Array], Array]:
    """Undo `z = [extra, patches] + pos`.  (B, E+N, D) -> dpatches, E of dtoken, dpos.

    All images share the tokens and positions, so their gradients are sums over the batch.
    """
    dpos = dz.sum(axis=0, keepdims=True)
    dextra = [dpos[:, i : i + 1] for i in range(extra)]
    return dz[:, extra:], dextra, dpos
