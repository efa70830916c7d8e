"""Where pictures are on the disk: whole files, or members of tar archives.

The places of 1.3 million pictures are a few arrays, not as many Python objects.
"""

import os
from pathlib import Path
from typing import NamedTuple

from data_tools.imageset import Array

_WHOLE = -1


class Source(NamedTuple):
    """The bytes of one picture."""

    file: str  # relative to the folder of the data set
    offset: int = 0
    size: int = _WHOLE

    def __str__(self) -> str:
        return self.file if self.size == _WHOLE else f"{self.file} at byte {self.offset}"

    def read(self, folder: str | Path) -> bytes:
        """Read the bytes.

        Raises
        ------
        OSError
            If the file cannot be read, or ends before the last byte.
        """
        with open(os.path.join(folder, self.file), "rb") as file:
            file.seek(self.offset)
            content = file.read(self.size)
        if len(content) < self.size:
            raise OSError(f"{os.path.join(folder, str(self))}: the file ends within the picture")
        return content


class FileNames(NamedTuple):
    """Pictures that are files."""

    text: Array  # uint8: all names, one after another
    offsets: Array  # int64 (N + 1,): of each name in `text`

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def source(self, k: int) -> Source:
        """Return the place of picture k."""
        name = self.text[self.offsets[k] : self.offsets[k + 1]]
        return Source(os.fsdecode(name.tobytes()))


class TarMembers(NamedTuple):
    """Pictures in tar archives."""

    archives: tuple[str, ...]
    archive: Array  # int32 (N,): which of them
    offsets: Array  # int64 (N,): of the picture in its archive
    sizes: Array  # int32 (N,): bytes

    def __len__(self) -> int:
        return len(self.archive)

    def source(self, k: int) -> Source:
        """Return the place of picture k."""
        archive = self.archives[self.archive[k]]
        return Source(archive, int(self.offsets[k]), int(self.sizes[k]))
