"""The order in which chapters run: the longest first, so that processes end at the same time."""

import json
from functools import cache

from tervit_book.repository import read


def longest_first(file: str) -> float:
    """Return the key by which sphinx-gallery sorts the files that it runs; a new chapter is first.

    The pages have the order of tutorials/README.md whatever this says.
    """
    return -_seconds().get(file.removesuffix(".py"), float("inf"))


@cache
def _seconds() -> dict[str, float]:
    """Return the measured time of each chapter."""
    stored = json.loads(read("docs/tutorials.json"))["chapters"]
    return {chapter: entry["processor_seconds"] for chapter, entry in stored.items()}
