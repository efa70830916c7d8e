"""Downloads that a classroom's network can carry: mirrors, resume, checksum, time left.

A file grows as NAME.part, continues after an interruption where the server can (HTTP Range), is
compared with its size and checksum and only then gets its name.
"""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from data_tools.imageset import DataError
from data_tools.mirrors import Origin
from data_tools.progress import Progress

_CHUNK = 1 << 18
_TIMEOUT = 30  # seconds without a byte
_ATTEMPTS = 5  # of each mirror, as long as it delivers something every time
_FAULTS = (OSError, http.client.HTTPException)  # URLError and HTTPError are OSErrors


def download(origins: Sequence[Origin], folder: Path) -> Path:
    """Fetch a file from the first mirror that delivers it whole.  -> its place in `folder`.

    Raises
    ------
    DataError
        If no mirror delivers a file with the right checksum; says why for each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failures = []
    for origin in origins:
        try:
            return _from_mirror(origin, folder)
        except (*_FAULTS, DataError) as error:
            failures.append(f"{origin.url}: {_reason(error)}")
    raise DataError(
        f"the download failed ({'; '.join(failures)}); try again, or get the file another way and "
        "pass it with --from FILE"
    )


def _from_mirror(origin: Origin, folder: Path) -> Path:
    """Fetch a file from one mirror, from where an earlier call stopped."""
    part, target = folder / f"{origin.file}.part", folder / origin.file
    size = _announced(origin.url) if origin.size is None else origin.size
    resumed = 0 < _size(part) <= size
    if not resumed:
        part.unlink(missing_ok=True)
    cause = ""
    for _ in range(_ATTEMPTS):
        before = _size(part)
        if before == size:
            break
        cause = _fetch_more(origin.url, size, part)
        if _size(part) <= before:
            break
    if _size(part) < size:
        arrived = f"after {_size(part)} of {size} bytes{cause}"
        raise DataError(f"the connection broke off {arrived}; call again to continue")
    found = file_hash(part, origin.algorithm)
    if not found.startswith(origin.digest):
        part.unlink()
        if resumed:  # the old part may be at fault
            return _from_mirror(origin, folder)
        raise DataError(f"its {origin.algorithm} is {found}, expected {origin.digest}")
    os.replace(part, target)
    return target


def _announced(url: str) -> int:
    """Ask the server for the size of a file."""
    with urllib.request.urlopen(
        urllib.request.Request(url, method="HEAD"), timeout=_TIMEOUT
    ) as response:
        length = response.headers.get("Content-Length")
    if length is None or int(length) < 1:
        raise DataError("the server does not say how large the file is")
    return int(length)


def _fetch_more(url: str, size: int, part: Path) -> str:
    """Append what the server sends until it stops; return why it stopped too early, if known."""
    have = _size(part)
    request = urllib.request.Request(url)
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
        if response.status != 206:
            have = 0  # the server starts again from the beginning
        length = response.headers.get("Content-Length")
        if length is not None and have + int(length) != size:
            offered = have + int(length)
            raise DataError(f"the server has another file: {offered} bytes, expected {size}")
        with open(part, "ab" if have else "wb") as file:
            try:
                _copy(response, file, part.stem, size, have)
            except http.client.IncompleteRead as error:
                file.write(error.partial)
            except OSError as error:
                return f" ({_reason(error)})"
    return ""


def _copy(
    response: http.client.HTTPResponse, file: IO[bytes], name: str, size: int, have: int
) -> None:
    """Copy at most the file's size in chunks, showing speed and time left."""
    progress, done = Progress(size, have), have
    while chunk := response.read(min(_CHUNK, size - done)):
        file.write(chunk)
        done += len(chunk)
        if progress.due():
            amount = f"{done / 1e6:.0f} of {size / 1e6:.0f} MB"
            speed = f"{progress.rate(done) / 1e6:.2g} MB/s"
            progress.show(f"{name}: {amount}, {speed}, {progress.left(done)}")
    progress.end()


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


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
        return "no certificates; on macOS run 'Install Certificates.command' of this Python"
    return text
