"""The folders that contain pictures, as a tree."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from data_tools.files import DEEPEST
from data_tools.imageset import DataError
from data_tools.split_names import is_container


@dataclass(eq=False)
class Tree:
    """A folder that has pictures in it or below it."""

    path: str  # "" at the top, else with a slash at the end
    folders: dict[str, "Tree"] = field(default_factory=dict)
    pictures: list[str] = field(default_factory=list)  # names of those directly in it

    @property
    def is_flat(self) -> bool:
        """Whether its pictures are in no folders but, perhaps, one called "images"."""
        if len(self.folders) != 1:
            return not self.folders
        ((name, only),) = self.folders.items()
        return is_container(name) and not only.folders

    def all_pictures(self) -> Iterator[str]:
        """Yield the names of the pictures in and below it."""
        for name in self.pictures:
            yield self.path + name
        for folder in self.folders.values():
            yield from folder.all_pictures()

    def count(self) -> int:
        """Return the number of pictures in and below it."""
        return len(self.pictures) + sum(folder.count() for folder in self.folders.values())


def picture_tree(pictures: Iterable[str]) -> Tree:
    """Return the tree of file names with forward slashes.

    Raises
    ------
    DataError
        If folders are nested without end, as a hostile archive may have them.
    """
    top = Tree("")
    known = {"": top}
    for file in pictures:
        folder, slash, name = file.rpartition("/")
        if folder.count("/") > DEEPEST:
            raise DataError(f"{file[:80]}...: more than {DEEPEST} folders in each other")
        _folder(folder + slash, known).pictures.append(name)
    return top


def _folder(path: str, known: dict[str, Tree]) -> Tree:
    """Return the folder with this path; create it and those above it."""
    if path not in known:
        above, slash, name = path[:-1].rpartition("/")
        known[path] = Tree(path)
        _folder(above + slash, known).folders[name] = known[path]
    return known[path]
