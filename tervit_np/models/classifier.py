"""The base of DeiT and Swin: checks of shapes, prediction in batches."""

from contextlib import suppress
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from data_tools.plain_numbers import whole_number
from tervit_np.arrays import Array
from tervit_np.nn import Module

Logits: TypeAlias = Array | tuple[Array, ...]  # (B, C), or the pair of a distilled model


def require_model(model: Any) -> None:
    """Raise ValueError if an argument is not a model, but for example the pair of `load_model`."""
    if not isinstance(model, Classifier):
        raise ValueError(
            f"model is a {type(model).__name__}; expected a model, as tv.create_model returns it; "
            "tv.load_model and tv.pretrained return a pair, of which it is the first"
        )


class Classifier(Module):
    """An image classifier; DeiT and Swin define `forward` and `backward`."""

    config: Any
    dtype: np.dtype[Any]  # of all parameters
    recompute = False  # in training, cache the inputs of blocks alone and run them again (Blocks)
    packed = False  # True if layers are packed (deploy/) and have no latent weights

    def check_images(self, images: Array) -> None:
        """Raise ValueError unless the images are (B, 3, S, S), in floating-point numbers."""
        if not isinstance(images, np.ndarray):
            raise ValueError(f"images are a {type(images).__name__}, expected an array")
        size = self.config.image_size
        if images.ndim != 4 or images.shape[1:] != (3, size, size):
            raise ValueError(
                f"images are {images.shape}; this model expects (B, 3, {size}, {size}), "
                "normalised, channels first"
            )
        if images.dtype.kind != "f":  # pixels that nobody has normalised
            raise ValueError(
                f"images are {images.dtype}, expected floating-point numbers: data_tools.normalise "
                "makes them of uint8 (B, S, S, 3)"
            )

    def dlogits_per_head(self, dlogits: Logits, batch: int, heads: int) -> list[Array]:
        """Return the gradient of each head's logits, in the model's dtype.

        A gradient of float64, which labels as rows of `np.eye` make, would make all others float64.

        Raises
        ------
        ValueError
            If shapes or their number differ.
        """
        per_head = list(dlogits) if isinstance(dlogits, tuple | list) else [dlogits]
        shapes = [np.shape(d) for d in per_head]
        expected = [(batch, self.config.num_classes)] * heads
        if shapes != expected:
            raise ValueError(f"backward: dlogits have shapes {shapes}, the logits {expected}")
        return [np.asarray(d, self.dtype) for d in per_head]

    def require_latent_weights(self) -> None:
        """Raise ValueError if the model is packed."""
        if self.packed:
            raise ValueError(
                "the model is packed and has no latent weights; use the model that it was packed "
                "from"
            )

    def forward(
        self,
        images: Array,
        *,
        train: bool = False,
        rng: np.random.Generator | None = None,
        keep_cache: bool = True,
    ) -> tuple[Logits, Any]:
        """Classify.  (B, 3, S, S) -> logits, cache."""
        raise NotImplementedError

    def backward(self, dlogits: Logits, cache: Any, *, input_grad: bool = True) -> Array:
        """Add into every gradient; return dimages."""
        raise NotImplementedError

    def predict(self, images: Array, batch_size: int = 64, threads: int = 1) -> Array:
        """Classify in batches, keeping no caches.  (N, 3, S, S) -> logits (N, C).

        Threads take the batches in turn; their number changes no bit. A distilled model gives the
        mean of its two heads' logits. Several threads may call this at once, but not while another
        one changes the model (training, `tv.quantize`, `tv.calibrate`): give that a copy.

        Raises
        ------
        ValueError
            If the images have another shape or are no floating-point numbers, or `batch_size` or
            `threads` is not a whole number of at least 1.
        """
        from concurrent.futures import ThreadPoolExecutor  # takes long to import

        self.check_images(images)
        batch_size = whole_number("predict: batch_size", batch_size, 1)
        threads = whole_number("predict: threads", threads, 1)

        def classify(start: int) -> Array:
            logits = self.forward(images[start : start + batch_size], keep_cache=False)[0]
            return (logits[0] + logits[1]) / 2 if isinstance(logits, tuple) else logits

        starts = range(0, len(images), batch_size)
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(classify, starts) if threads > 1 else map(classify, starts))
        return np.concatenate([np.empty((0, self.config.num_classes), self.dtype), *parts])


def float_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return float32 or float64 as a dtype.

    Raises
    ------
    ValueError
        If it is another type or not a type.
    """
    if dtype is not None:
        for known in (np.float32, np.float64):
            with suppress(TypeError):  # NumPy raises it for a word that is not a type
                if np.dtype(dtype) == known:
                    return np.dtype(known)
    raise ValueError(f"dtype is {dtype!r}, expected float32 or float64")
