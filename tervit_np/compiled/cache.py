"""The cache of compiled kernels, with a checksum in front of every file.

Numba's cache files are pickles and machine code, which it loads as they are: one flipped bit ends
the process, and an empty file, as a power cut leaves it, ends every later command. Here a file
whose SHA-256 does not match counts as absent: its kernel is compiled and written anew. The checksum
finds damage; it does not make the cache of somebody else safe, see docs/security.md.

Numba numbers the files of a function. Two processes that compile it at the same time for different
types may take the same number, and one then finds the other's machine code under its own types.
Here a file is named after a hash of the types; at worst, one entry of the index is lost.
"""

import hashlib
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile

from data_tools.terminal import note

_SIZE = hashlib.sha256().digest_size


class CheckedCache(FunctionCache):
    """A dispatcher's cache in checked files."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._cache_file = _CheckedFiles(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=self._impl.locator.get_source_stamp(),
        )


class _CheckedFiles(IndexDataCacheFile):
    """Numba's index and data files, each behind its checksum."""

    said = False  # that kernels cannot be saved: once in a process

    def save(self, key: Any, data: Any) -> None:
        """Save an entry; a full disk costs the entry, not the work."""
        try:
            overloads = self._load_index()
            if key not in overloads:
                digest = hashlib.sha256(self._dump(key)).digest()
                overloads[key] = self._data_name(int.from_bytes(digest[:8], "big"))
            self._save_data(overloads[key], data)
            self._save_index(overloads)
        except OSError as error:
            if not _CheckedFiles.said:
                _CheckedFiles.said = True
                note(f"compiled kernels could not be saved in {self._cache_path} ({error})")

    def _load_index(self) -> dict[Any, str]:
        content = _read(Path(self._index_path))
        if content is None:
            return {}
        version, stamp, overloads = pickle.loads(content)
        current = version == self._version and stamp == self._source_stamp
        return dict(overloads) if current else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, (self._version, self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        content = _read(Path(self._data_path(name)))
        if content is None:
            raise FileNotFoundError(name)  # `load` takes it for a missing entry
        return pickle.loads(content)

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _write(self, path: str, value: Any) -> None:
        content = self._dump(value)
        with self._open_for_write(path) as file:
            file.write(hashlib.sha256(content).digest() + content)


def _read(path: Path) -> bytes | None:
    """Return what a file holds behind its checksum; None if it is absent or damaged."""
    try:
        sealed = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        note(f"the kernel cache {path} cannot be read ({error.strerror}); compiling anew")
        return None
    content = sealed[_SIZE:]
    if hashlib.sha256(content).digest() != sealed[:_SIZE]:
        note(f"the kernel cache {path} was damaged; it is removed and compiled anew")
        with suppress(OSError):
            path.unlink()
        return None
    return content
