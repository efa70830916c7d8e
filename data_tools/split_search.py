"""Find the folder that holds the splits, wherever it is; refuse what has two readings."""

from collections.abc import Iterator
from pathlib import Path

from data_tools.imageset import DataError
from data_tools.split_names import is_container, prefixed_split_of, split_of
from data_tools.tree import Tree


def split_roots(tree: Tree) -> list[Tree]:
    """Return the topmost folders that have splits in them.

    A folder called "train" is a split if it has class folders. If it has pictures only, it is a
    split where the folders next to it are splits too, and else a class: "bus", "car", "train".
    """
    return list(_roots(tree))


def _roots(tree: Tree) -> Iterator[Tree]:
    if _is_root(tree):
        yield tree
    else:
        for folder in tree.folders.values():
            yield from _roots(folder)


def _is_root(tree: Tree) -> bool:
    named = _named_splits(tree)
    if any(has_classes(folder, split) for split, folder in named):
        return True
    return bool(named) and len(named) == len(tree.folders) and not tree.pictures


def _named_splits(tree: Tree) -> list[tuple[str, Tree]]:
    """Return the folders that are named like splits."""
    named = [(split_of(name), folder) for name, folder in tree.folders.items()]
    plain = [(split, folder) for split, folder in named if split is not None]
    return plain or _prefixed_splits(tree)


def _prefixed_splits(tree: Tree) -> list[tuple[str, Tree]]:
    """Return folders as "alphabet_train" and "alphabet_test": several, with one prefix."""
    named = [(prefixed_split_of(name), folder) for name, folder in tree.folders.items()]
    found = [(name[0], name[1], folder) for name, folder in named if name is not None]
    if len({split for split, _, _ in found}) < 2 or len({prefix for _, prefix, _ in found}) > 1:
        return []
    return [(split, folder) for split, _, folder in found]


def has_classes(folder: Tree, split: str) -> bool:
    """Return whether a split has class folders."""
    return not class_root(folder, split).is_flat


def class_root(folder: Tree, split: str) -> Tree:
    """Return the folder that holds a split's class folders: train/, train/train/, train/images/."""
    while not folder.pictures and len(folder.folders) == 1:
        ((name, only),) = folder.folders.items()
        prefixed = prefixed_split_of(name)
        is_repeated = split_of(name) == split or (prefixed is not None and prefixed[0] == split)
        if not is_repeated and not (is_container(name) and only.folders):
            break
        folder = only
    return folder


def splits_at(root: Tree, tree: Tree, path: Path) -> dict[str, Tree]:
    """Return the folder of each split in `root`.

    Raises
    ------
    DataError
        If two folders are the same split, or if there is one split with classes next to other
        folders of pictures, so that it may be a class.
    """
    named = _named_splits(root)
    splits = dict(named)
    for split, folder in named:
        if splits[split] is not folder:
            raise DataError(
                f"{path}: {folder.path} and {splits[split].path} both look like the {split} split; "
                "remove or rename one of them"
            )
    certain = sum(has_classes(folder, split) for split, folder in named)
    rest = tree.count() - sum(folder.count() for folder in splits.values()) - len(root.pictures)
    if certain < 2 and rest:
        raise DataError(_two_readings(root, tree, named, path))
    return splits


def _two_readings(root: Tree, tree: Tree, named: list[tuple[str, Tree]], path: Path) -> str:
    split, folder = named[0]
    folders = [folder for _, folder in named]
    elsewhere = [f.path for f in root.folders.values() if f not in folders]
    elsewhere = elsewhere or [
        f.path for f in tree.folders.values() if not root.path.startswith(f.path)
    ]
    others = ", ".join(elsewhere[:3]) or "other folders"
    return (
        f"{path}: {folder.path} looks like the {split} split, but there are pictures in {others} "
        f"too, so that it may be a class; put all classes into train/, or name the folder that "
        f"holds the splits alone, as folder:{path / root.path}"
    )


def splits_in_classes(roots: list[Tree], tree: Tree, path: Path) -> dict[str, dict[str, str]]:
    """Return the pictures of <class>/train/... and <class>/test/...  -> {split: {file: class}}.

    Raises
    ------
    DataError
        If the folders do not form this layout, so that they may be several data sets.
    """
    above = _only_folder(tree)
    if list(above.folders.values()) != roots or any(map(_has_nested_classes, roots)):
        found = ", ".join(root.path or "/" for root in roots[:3])
        raise DataError(
            f"{path}: {len(roots)} folders have splits: {found}{', ...' * (len(roots) > 3)}; name "
            f"one of them, as folder:{path / roots[0].path}"
        )
    splits: dict[str, dict[str, str]] = {}
    for name, root in above.folders.items():
        for split, folder in splits_at(root, root, path).items():
            class_of = splits.setdefault(split, {})
            class_of.update((file, name) for file in folder.all_pictures())
    return splits


def _only_folder(tree: Tree) -> Tree:
    """Follow folders that are alone, down to one that is not."""
    while len(tree.folders) == 1:
        (tree,) = tree.folders.values()
    return tree


def _has_nested_classes(root: Tree) -> bool:
    return any(has_classes(folder, split) for split, folder in _named_splits(root))
