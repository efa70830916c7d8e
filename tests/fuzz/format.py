"""What a format of files is to the fuzz command: how it is made, read and damaged with sense."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz import mutations as m

SMALL = {
    "patch_size": 4,
    "dim": 16,
    "depth": 1,
    "heads": 2,
    "image_size": 8,
    "num_classes": 3,
}  # a model


@dataclass(frozen=True)
class Format:
    """Files are made in an empty folder, one that fits `pattern` is damaged, all are read.

    `read` returns a description of what was read in the folder or, if `single`, in one file. With
    `checked`, a file whose bytes are damaged at random is refused or read as it was. `repair`
    makes a checksum right after a structured mutation.
    """

    make: Callable[[Path], None]
    read: Callable[[Path], str]
    structured: tuple[m.Mutation, ...] = ()
    pattern: str = "*"
    single: bool = False
    checked: bool = False
    repair: Callable[[Path], None] | None = None


def digest(*values: Any) -> str:
    """Describe arrays and other values."""
    parts = [v.tobytes() if isinstance(v, np.ndarray) else repr(v).encode() for v in values]
    return hashlib.sha256(b"|".join(parts)).hexdigest()
