"""How a batch is cut into parts: by its size alone, so that sums have one order everywhere.

Parts of about a thousand tokens fit the caches better than a batch.
"""

from functools import cache

import numpy as np

from tervit_np.models import Classifier

PART_TOKENS = 1024
LEAST_PARTS = 2  # more and smaller parts of a small batch would spend their time in Python


def part_count(model: Classifier, images: int) -> int:
    """Return into how many parts a batch is cut."""
    return part_count_of(images * (model.config.image_size // model.config.patch_size) ** 2)


def part_count_of(tokens: int) -> int:
    """Return the number of parts of a batch with so many tokens, an even one."""
    return LEAST_PARTS * max(round(tokens / (LEAST_PARTS * PART_TOKENS)), 1)


@cache
def split_range(count: int, parts: int) -> tuple[slice, ...]:
    """Split 0..count into at most `parts` non-empty ranges of nearly equal length."""
    bounds = np.linspace(0, count, min(parts, count) + 1).round().astype(int)
    return tuple(slice(int(a), int(b)) for a, b in zip(bounds[:-1], bounds[1:], strict=True))
