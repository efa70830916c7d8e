"""Suggestions for misspelt names: of commands, options, models, plans, data sets, exercises."""

from collections.abc import Iterable

_SIMILAR, _SIMILAR_BEGINNING = 0.6, 0.8  # difflib's ratios from which a name is suggested


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?", or "" if no known word and no beginning of one is similar."""
    near = max(((_similarity(word, name), name) for name in known), default=(0.0, ""))
    return f"; did you mean {near[1]}?" if near[0] >= _SIMILAR else ""


def _similarity(word: str, name: str) -> float:
    """Return how similar a word is to a name or, a little less, to the beginning of the name."""
    import difflib

    whole = difflib.SequenceMatcher(None, name, word).ratio()
    beginning = difflib.SequenceMatcher(None, name[: len(word)], word).ratio()
    return max(whole, beginning - 0.01) if beginning >= _SIMILAR_BEGINNING else whole
