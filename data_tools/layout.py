"""Which pictures of a folder or archive belong to which split and class.

    train/<class>/...  val/<class>/...  test/<class>/...   splits, under any of their usual names
    <class>/...                                            no splits: everything is train
    <class>/train/...  <class>/test/...                    splits within the classes
    val/... without class folders, and a list of labels    as in ImageNet (see label_lists.py)

Any of these may be some folders further down, among other files. What has two readings is refused.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from data_tools.class_folders import (
    EXPECTED,
    check_no_class_is_lost,
    classes_below,
    unsplit_root,
)
from data_tools.class_names import class_order, clean_names, first_few
from data_tools.counted import counted
from data_tools.files import Files
from data_tools.imageset import DataError, NoSuchSplit
from data_tools.label_lists import listed_classes
from data_tools.picture_formats import is_picture, is_unread
from data_tools.split_names import SPLITS
from data_tools.split_search import class_root, split_roots, splits_at, splits_in_classes
from data_tools.tree import Tree, picture_tree


class Split(NamedTuple):
    """The labelled pictures of a split."""

    folder: str  # in which they are, "valid/"
    class_of: dict[str, str]  # file: class
    lists: tuple[str, ...] = ()  # files that have the labels, if no folders do


@dataclass(frozen=True)
class Layout:
    """What was understood of a folder or archive."""

    path: Path
    kind: str  # in words
    splits: dict[str, Split]
    classes: tuple[str, ...]
    unlabelled: dict[str, str]  # split: the folder whose pictures have no labels
    val_is_test: bool  # the validation split serves as test, as there is no other

    def split(self, name: str) -> Split:
        """Return a split.

        Raises
        ------
        NoSuchSplit
            If there is none of this name.
        DataError
            If it has a class that the training split lacks.
        """
        if name not in self.splits:
            raise NoSuchSplit(f"{self.path} has no split {name!r}; {self._what_there_is(name)}")
        split = self.splits[name]
        unknown = sorted(set(split.class_of.values()) - set(self.classes))
        if unknown:
            raise DataError(
                f"{self.path}: class {unknown[0]!r} of {name} does not occur in train; its classes "
                f"are {first_few(self.classes)}"
            )
        return split

    def _what_there_is(self, name: str) -> str:
        if name in self.unlabelled:
            return (
                f"the pictures in {self.unlabelled[name]} have no class folders and no labels; a "
                f"list such as LOC_{name}_solution.csv is read if it is in {self.path}"
            )
        found = " and ".join(
            split if folder.strip("/") in (split, "") else f"{split} (in {folder})"
            for split, (folder, *_) in self.splits.items()
        )
        aside = ", or ,test=0.2 after the name of the set, which sets a fifth of each class aside"
        expected = f"expected pictures in {self.path}/{name}/<class>/"
        return f"it has {found}; {expected}{aside if name == 'test' else ''}"


def find_layout(files: Files) -> Layout:
    """Find the splits and classes.

    Raises
    ------
    DataError
        If there are no labelled pictures, or what is there has two readings.
    """
    kind, found = _find_splits(files)
    splits = {
        name: split._replace(class_of=clean_names(split.class_of, files.path))
        for name, split in found.items()
        if split.class_of
    }
    unlabelled = {name: split.folder for name, split in found.items() if not split.class_of}
    if not splits:
        folders = " and ".join(unlabelled.values())
        raise DataError(f"{files.path}: the pictures in {folders} have no labels; {EXPECTED}")
    if val_is_test := "test" not in splits and "val" in splits:
        splits["test"] = splits.pop("val")
    naming = [splits["train"]] if "train" in splits else splits.values()
    names = {name for split in naming for name in split.class_of.values()}
    classes = class_order(names, files.path)
    splits = {name: splits[name] for name in SPLITS if name in splits}
    return Layout(files.path, kind, splits, classes, unlabelled, val_is_test)


def _find_splits(files: Files) -> tuple[str, dict[str, Split]]:
    """Return the kind of layout and the splits; one without labels has no files."""
    tree = picture_tree(filter(is_picture, files.names()))
    if not tree.folders and not tree.pictures:
        raise DataError(f"{files.path}: no pictures{_kinds_of(files)}; {EXPECTED}")
    roots = split_roots(tree)
    if not roots:
        root = unsplit_root(tree, files.path)
        return "class folders alone", {"train": Split(root.path, _classes_below(root, files))}
    if len(roots) > 1:
        in_classes = splits_in_classes(roots, tree, files.path)
        splits = {split: Split(f"<class>/{split}/", c) for split, c in in_classes.items()}
        return "splits in each class folder", splits
    folders = splits_at(roots[0], tree, files.path)
    return f"splits in {roots[0].path or './'}", _labelled(files, folders)


def _kinds_of(files: Files) -> str:
    """Say which files are there instead of pictures."""
    endings = Counter(PurePosixPath(name).suffix.lower() or "other" for name in files.names())
    seen = [counted(count, f"{ending} file") for ending, count in endings.most_common(3)]
    return f", but {', '.join(seen)}" if seen else ""


def _labelled(files: Files, folders: dict[str, Tree]) -> dict[str, Split]:
    """Label the pictures of each split by its class folders, the others by their lists."""
    splits = {}
    for name, folder in folders.items():
        root = class_root(folder, name)
        class_of = {} if root.is_flat else _classes_below(root, files)
        splits[name] = Split(folder.path, class_of)
    classes = {name for split in splits.values() for name in split.class_of.values()}
    for name, split in splits.items():
        if not split.class_of:
            splits[name] = Split(split.folder, *listed_classes(files, folders[name], name, classes))
    return splits


def _classes_below(root: Tree, files: Files) -> dict[str, str]:
    check_no_class_is_lost(root, filter(is_unread, files.names()), files.path)
    return classes_below(root, files.path)
