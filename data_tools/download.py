"""Downloads over slow or unreliable networks: mirrors, resume, checksum, time left.

A file is written to NAME.part, resumed after an interruption if the server supports HTTP ranges,
compared with its size and checksum, and only then renamed to NAME.
"""

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from data_tools.imageset import DataError
from data_tools.mirrors import Mirror
from data_tools.paths import FULL_DISK
from data_tools.progress import Progress

_CHUNK = 1 << 18
_TIMEOUT = 30  # seconds without data
_ATTEMPTS = 5  # connections to each mirror, while each of them delivers some data
_ERRORS = (OSError, http.client.HTTPException)  # URLError and HTTPError are OSErrors


def download(mirrors: Sequence[Mirror], folder: Path) -> Path:
    """Download a file from the first mirror that delivers it completely.  -> its path.

    Raises
    ------
    DataError
        If no mirror delivers a file with the right checksum, with the reason for each, or the disk
        is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failures = []
    for mirror in mirrors:
        try:
            return _download_from(mirror, folder)
        except (*_ERRORS, DataError) as error:
            if isinstance(error, OSError) and error.errno in FULL_DISK:  # so with any mirror
                raise DataError(
                    f"{folder} has no space for {mirror.file} ({error.strerror}); free some, and "
                    "run the same command again to continue"
                ) from None
            failures.append(f"{mirror.url}: {_reason(error)}")
    raise DataError(
        f"the download failed ({'; '.join(failures)}); try again, or import a copy with --from FILE"
    )


def _download_from(mirror: Mirror, folder: Path) -> Path:
    """Download a file from one mirror; continue where an earlier call stopped."""
    partial, target = folder / f"{mirror.file}.part", folder / mirror.file
    size = _remote_size(mirror.url) if mirror.size is None else mirror.size
    resumed = 0 < _size(partial) <= size
    if not resumed:
        partial.unlink(missing_ok=True)
    cause = ""
    for _ in range(_ATTEMPTS):
        before = _size(partial)
        if before == size:
            break
        cause = _append(mirror.url, size, partial)
        if _size(partial) <= before:
            break
    if _size(partial) < size:
        raise DataError(
            f"the connection broke after {_size(partial)} of {size} bytes{cause}; "
            "run the same command again to continue"
        )
    digest = file_hash(partial, mirror.algorithm)
    if not digest.startswith(mirror.digest):
        partial.unlink()
        if resumed:  # perhaps the part from the earlier call was damaged
            return _download_from(mirror, folder)
        raise DataError(f"its {mirror.algorithm} is {digest}, expected {mirror.digest}")
    os.replace(partial, target)
    return target


def _remote_size(url: str) -> int:
    """Ask the server for the size of a file."""
    with urllib.request.urlopen(
        urllib.request.Request(url, method="HEAD"), timeout=_TIMEOUT
    ) as response:
        length = _content_length(response)
    if not length:
        raise DataError("the server does not say how large the file is")
    return length


def _content_length(response: http.client.HTTPResponse) -> int | None:
    """Return how many bytes the server announces; None if it does not say, or no number."""
    length = response.headers.get("Content-Length", "").strip()
    return int(length) if re.fullmatch("[0-9]{1,18}", length) else None


def _append(url: str, size: int, partial: Path) -> str:
    """Append what the server sends to the partial file.  -> why it stopped early, "" if unknown."""
    offset = _size(partial)
    request = urllib.request.Request(url)
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
        if response.status != 206:
            offset = 0  # the server ignores ranges and sends the file from its beginning
        length = _content_length(response)
        if length is not None and offset + length != size:
            raise DataError(f"the server offers {offset + length} bytes, expected {size}")
        try:
            with _open_partial(partial, append=offset > 0) as file:
                try:
                    _copy(response, file, partial.stem, size, offset)
                except http.client.IncompleteRead as error:
                    file.write(error.partial)
                except OSError as error:
                    if error.errno in FULL_DISK:
                        raise
                    return f" ({_reason(error)})"
        finally:
            if _size(partial) == 0:  # nothing to resume
                partial.unlink(missing_ok=True)
    return ""


def _copy(
    response: http.client.HTTPResponse, file: IO[bytes], name: str, size: int, offset: int
) -> None:
    """Copy in chunks, up to the size of the file, and show speed and time left."""
    progress, done = Progress(size, offset), offset
    while chunk := response.read(min(_CHUNK, size - done)):
        file.write(chunk)
        done += len(chunk)
        if progress.due(done):
            amount = f"{done / 1e6:.0f} of {size / 1e6:.0f} MB"
            speed = f"{progress.rate(done) / 1e6:.2g} MB/s"
            progress.show(f"{name}: {amount}, {speed}, {progress.time_left(done)}")
    progress.end()


def _open_partial(partial: Path, append: bool) -> IO[bytes]:
    """Open a partial file, which earlier calls know by its name, but not through a link."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC)
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return open(os.open(partial, flags, 0o666), "ab" if append else "wb")


def _size(file: Path) -> int:
    """Return the size of a plain file, 0 if it is absent or a link."""
    return file.stat().st_size if file.is_file() and not file.is_symlink() else 0


def file_hash(path: Path, algorithm: str) -> str:
    """Return a file's checksum in hexadecimal."""
    with open(path, "rb") as file:
        new = hashlib.new(algorithm, usedforsecurity=False)
        return hashlib.file_digest(file, lambda: new).hexdigest()


def _reason(error: Exception) -> str:
    text = str(getattr(error, "reason", error)) or type(error).__name__
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {text}"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "Python found no certificates; on macOS run its 'Install Certificates.command'"
    return text
