"""Label pictures by the folders that they are in; refuse what has two readings."""

from collections.abc import Iterable
from pathlib import Path

from data_tools.counted import counted
from data_tools.imageset import DataError
from data_tools.split_names import is_container, split_of
from data_tools.tree import Tree

EXPECTED = (
    "expected pictures in train/<class>/ and in test/<class>/ or val/<class>/, or in <class>/"
)


def classes_below(root: Tree, path: Path) -> dict[str, str]:
    """Return the class of each picture in the class folders of `root`.  -> {file: class}.

    A class may have folders of its own. Pictures in `root` itself have no class.

    Raises
    ------
    DataError
        If a folder called "images" has pictures, as in sets of pictures and masks.
    """
    for name, folder in root.folders.items():
        if is_container(name) and folder.is_flat:
            raise DataError(
                f"{path}: the pictures in {folder.path} are in no class folders; move them into "
                "one folder for each class"
            )
    return {file: name for name, folder in root.folders.items() for file in folder.all_pictures()}


def check_no_class_is_lost(root: Tree, unread: Iterable[str], path: Path) -> None:
    """Refuse a class folder whose pictures are all of formats that cannot be read.

    `unread` are the names of all such pictures. Without its class, the others get other labels.

    Raises
    ------
    DataError
        If there is such a folder.
    """
    for name in unread:
        folder, slash, _ = name.removeprefix(root.path).partition("/")
        if name.startswith(root.path) and slash and folder not in root.folders:
            raise DataError(
                f"{path}: {root.path}{folder}/ has no picture that can be read here, but {name}; "
                "convert its pictures to JPEG or PNG, or remove the folder"
            )


def unsplit_root(tree: Tree, path: Path) -> Tree:
    """Return the folder whose folders are the classes, in a set without splits.

    Raises
    ------
    DataError
        If no picture is in a folder, or the classes may be at either of two levels.
    """
    while len(tree.folders) == 1:
        (only,) = tree.folders.values()
        if only.is_flat or only.pictures:
            break
        tree = only
    if not tree.folders:
        raise DataError(
            f"{path}: {counted(len(tree.pictures), 'picture')} in no class folder; {EXPECTED}"
        )
    _check_level(tree, path)
    _check_names(tree, path)
    return tree


def _check_level(root: Tree, path: Path) -> None:
    """Refuse folders of folders: animals/cat/ and animals/dog/ may be one class or two."""
    nested = [f for f in root.folders.values() if not f.pictures and len(f.folders) > 1]
    if nested:
        folder = nested[0]
        inner = ", ".join(f"{folder.path}{name}/" for name in list(folder.folders)[:3])
        raise DataError(
            f"{path}: is {folder.path} one class, or are {inner} classes? Name the folder that "
            f"holds the classes, as folder:{path / folder.path}, or put the classes into train/"
        )


def _check_names(root: Tree, path: Path) -> None:
    """Refuse two classes that are called like splits: they may be splits without class folders."""
    alike = [folder.path for name, folder in root.folders.items() if split_of(name)]
    if len(alike) > 1:
        raise DataError(
            f"{path}: {' and '.join(alike)} look like splits, but their pictures are in no class "
            "folders; if they are classes, put all classes into train/"
        )
