"""Images to patch vectors and back (Dosovitskiy et al. 2021, eq. 1).

A convolution whose stride is its kernel size is a linear layer on non-overlapping patches. A patch
vector runs over (channel, row, column), the order of the convolution's weight (D, C, P, P); tokens
run over the image row by row. The map is a permutation of elements, so its adjoint is its inverse.
"""

from tervit_np.arrays import Array


def patchify(images: Array, patch: int) -> Array:  # (B, C, H, W) -> (B, N, C P P)
    """Cut images into patch vectors.

    Raises
    ------
    ValueError
        If the height or width is not a multiple of `patch`.
    """
    batch, channels, height, width = images.shape
    if height % patch or width % patch:
        raise ValueError(
            f"patchify: {height} x {width} images do not split into patches of {patch}"
        )
    # exercise patchify: patch vectors (B, N, C P P) from the images
    grid_h, grid_w = height // patch, width // patch
    x = images.reshape(batch, channels, grid_h, patch, grid_w, patch)
    return x.transpose(0, 2, 4, 1, 3, 5).reshape(batch, grid_h * grid_w, channels * patch * patch)


def unpatchify(vectors: Array, shape: tuple[int, ...]) -> Array:  # (B, N, C P P) -> (B, C, H, W)
    """Put patch vectors back into images of `shape`; also patchify's backward."""
    batch, channels, height, width = shape
    patch = round((vectors.shape[-1] / channels) ** 0.5)
    grid_h, grid_w = height // patch, width // patch
    x = vectors.reshape(batch, grid_h, grid_w, channels, patch, patch)
    return x.transpose(0, 3, 1, 4, 2, 5).reshape(batch, channels, height, width)
