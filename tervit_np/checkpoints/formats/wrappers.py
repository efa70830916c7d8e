"""Find the model in a file whose tensors have a common prefix, or are next to other tensors.

    module.blocks.0...            DistributedDataParallel
    model.blocks.0...             Lightning, and files with an item "model"
    state_dict.module.blocks.0    both
    blocks.0._orig_mod.attn...    torch.compile and FSDP, also inside a name
    backbone.blocks.0... and head.weight

Every DeiT and Swin has a patch embedding, so the prefix is what stands before its name.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any, NamedTuple

_PATCHES = re.compile(
    r"(|.*?\.)(patch_embed\.proj|embeddings\.patch_embeddings\.projection)\.weight"
)
_HEAD = re.compile(
    r"(head|head_dist|head\.fc|fc|classifier|cls_classifier|distillation_classifier)\.(weight|bias)"
)
# Words that a wrapper puts into the names of what it wraps, wherever it stands.
_INNER = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module")
# Of several models in a file the first one here is read: the one that its authors evaluate.
_PREFERRED = ("", "model", "state_dict", "model_state_dict", "model_state", "module", "net",
              "network", "encoder", "base_encoder", "encoder_q", "backbone", "teacher",
              "target_encoder", "model_ema", "state_dict_ema", "ema", "student",
              "momentum_encoder", "encoder_k")  # fmt: skip
_USUAL = ("", "vit.", "deit.", "swin.")  # Hugging Face's own prefixes, which need no note
_MAX_DEPTH = 4  # of dictionaries in dictionaries
_MAX_MODELS = 16
_MAX_NAMES = 8_000_000  # characters of all names together


class FoundModel(NamedTuple):
    """The tensors of one model in a file."""

    names: dict[str, str]  # {name in the file: name in the model}
    notes: list[str]  # what was stripped and left out, in words


def flatten(tree: Mapping[Any, Any], depth: int = _MAX_DEPTH) -> dict[str, Any]:
    """Join the keys of nested dictionaries with dots; every dictionary is visited once.

    Raises
    ------
    ValueError
        If the names together are far longer than those of any model.
    """
    found: dict[str, Any] = {}
    remaining = _MAX_NAMES
    for name, value in _items(tree, "", depth, set()):
        remaining -= len(name)
        if remaining < 0:
            raise ValueError(f"its names have more than {_MAX_NAMES} characters")
        found[name] = value
    return found


def _items(
    tree: Mapping[Any, Any], prefix: str, depth: int, visited: set[int]
) -> Iterator[tuple[str, Any]]:
    if id(tree) in visited:
        return
    visited.add(id(tree))
    for key, value in tree.items():
        if not isinstance(key, str):
            continue
        if not isinstance(value, Mapping):
            yield prefix + key, value
        elif depth > 1:
            yield from _items(value, f"{prefix}{key}.", depth - 1, visited)


def find_model(names: Iterable[str]) -> FoundModel:
    """Find the model among the tensors of a file, by their names.

    Raises
    ------
    ValueError
        If there are several models and none of them is the usual one to evaluate, or two tensors
        get one name.
    """
    plain = {name: _without_inner(name) for name in names}
    prefixes = sorted({m[1] for name in plain.values() if (m := _PATCHES.fullmatch(name))})
    prefix = _choose(prefixes) if prefixes else _wrapper_of_all(list(plain.values()))
    inner_models = tuple(p for p in prefixes if p != prefix and p.startswith(prefix))
    found: dict[str, str] = {}
    left_out = []
    for name, stripped in plain.items():
        if stripped.startswith(prefix) and not stripped.startswith(inner_models):
            found[name] = stripped.removeprefix(prefix)
        elif prefixes and (head := _head_beside(prefix, stripped)):
            found[name] = head
        else:
            left_out.append(stripped)
    found = _without_outer_twins(found, plain, prefix, left_out)
    return FoundModel(found, _notes(prefix, prefixes, plain, left_out))


def _without_inner(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _INNER)


def _choose(prefixes: list[str]) -> str:
    """Choose one of several models by the first word in which their prefixes differ."""
    if len(prefixes) == 1:
        return prefixes[0]
    common = _count_common_words(prefixes)
    ranks = [_rank(prefix.split(".")[common : common + 1]) for prefix in prefixes]
    best = min(ranks)
    if best == len(_PREFERRED) or ranks.count(best) > 1 or len(prefixes) > _MAX_MODELS:
        raise ValueError(
            f"it holds several models, whose names begin with {_listed(prefixes)}; save the one "
            "that you want in a file of its own"
        )
    return prefixes[ranks.index(best)]


def _count_common_words(prefixes: list[str]) -> int:
    """Return how many words, split at dots, all prefixes begin with."""
    words = [prefix.split(".") for prefix in prefixes]
    pairs = enumerate(zip_longest(min(words), max(words)))
    return next(i for i, (a, b) in pairs if a != b)


def _rank(word: list[str]) -> int:
    """Return the position of a word, if there is one, among the preferred ones."""
    return _PREFERRED.index(word[0]) if word and word[0] in _PREFERRED else len(_PREFERRED)


def _wrapper_of_all(names: list[str]) -> str:
    """Return the words of wrappers that all names begin with, in a file without a known model."""
    prefix = ""
    while names and "." in names[0][len(prefix) :]:
        word = names[0][len(prefix) :].split(".")[0]
        if word not in _PREFERRED or not all(n.startswith(f"{prefix}{word}.") for n in names):
            break
        prefix += f"{word}."
    return prefix


def _head_beside(prefix: str, name: str) -> str | None:
    """Return the name of a classifier that stands outside of the prefix, None if it is not one."""
    words = prefix.split(".")[:-1]
    for count in range(len(words) - 1, -1, -1):
        outer = "".join(f"{word}." for word in words[:count])
        if name.startswith(outer) and _HEAD.fullmatch(rest := name.removeprefix(outer)):
            return rest
    return None


def _without_outer_twins(
    found: dict[str, str], plain: dict[str, str], prefix: str, left_out: list[str]
) -> dict[str, str]:
    """Leave out a head outside of the prefix if the model has one of that name inside."""
    inside = {model for name, model in found.items() if plain[name] == prefix + model}
    kept: dict[str, str] = {}
    for name, model in found.items():
        if plain[name] != prefix + model and model in inside:
            left_out.append(plain[name])
        else:
            kept[name] = model
    twice, count = Counter(kept.values()).most_common(1)[0] if kept else ("", 0)
    if count > 1:
        raise ValueError(f"two tensors are named {twice}")
    return kept


def _notes(
    prefix: str, prefixes: list[str], plain: dict[str, str], left_out: list[str]
) -> list[str]:
    notes = []
    if prefix not in _USUAL:
        notes.append(f"read the tensors whose names begin with {prefix!r}")
    if any(name != stripped for name, stripped in plain.items()):
        words = [word for word in _INNER if any(word in name.split(".") for name in plain)]
        notes.append(f"removed {', '.join(map(repr, words))} from the names of tensors")
    if others := [p for p in prefixes if p != prefix]:
        notes.append(f"the file also holds models under {_listed(others)}, which are not read")
    if rest := [name for name in left_out if not name.startswith(tuple(filter(None, others)))]:
        notes.append(f"left out {_listed(rest)}")
    return notes


def _listed(names: list[str]) -> str:
    """List three names as they are quoted in a message."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(repr(name or "(none)") for name in names[:3]) + more
