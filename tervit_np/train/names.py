"""Names that become files: of stages, plans and runs."""

import itertools
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tervit_np.files import make_folder

_PATTERN = re.compile(r"\w[\w.-]*(?<!\.)")
_LONGEST = 100  # bytes; most file systems allow 255 with the ending
# Names of devices on Windows, with any ending: opening nul.npz there opens no file.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


def check_file_name(what: str, name: str) -> None:
    """Check that a name is one component of a path, on every system.

    Raises
    ------
    ValueError
        If it is empty, too long, a path, hidden, a device of Windows, or has other characters than
        letters, digits, and ``_ . -``.
    """
    if (size := len(name.encode(errors="replace"))) > _LONGEST:
        raise ValueError(f"{what} has {size} bytes; expected at most {_LONGEST}")
    if not _PATTERN.fullmatch(name) or _DEVICES.fullmatch(name):
        raise ValueError(
            f"{what} {name!r} cannot name a file; use letters, digits, and _ . - between them"
        )


def file_name_from(data: str, longest: int = _LONGEST // 4) -> str:
    """Make a file name of a data set's: folder:~/my photos@64,test=0.2 becomes my-photos.

    It has at most `longest` characters, each of at most four bytes.
    """
    without_options = re.sub(r"(@\d+)?(,\w+=[^,/\\]*)*$", "", data)
    last = re.split(r"[:/\\]", without_options.rstrip("/\\"))[-1].removesuffix(".tar")
    name = re.sub(r"[^\w.-]+", "-", last)[:longest].strip(".-") or "run"
    return f"run-{name}" if _DEVICES.fullmatch(name) else name


def new_folder(parent: Path, name: str) -> Path:
    """Make and return the first of parent/name, parent/name-2 ... that does not exist.

    Two processes that ask at once get two folders.
    """
    make_folder(parent)
    for path in (parent / n for n in itertools.chain([name], _numbered(name))):
        with suppress(FileExistsError):
            path.mkdir()
            return path
    raise AssertionError("unreachable: there are more numbers than folders")


def _numbered(name: str) -> Iterator[str]:
    return (f"{name}-{i}" for i in itertools.count(2))
