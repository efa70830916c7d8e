"""Downloads that a classroom's network can carry: mirrors, resume, checksum, time left.

A file grows as NAME.part, continues after an interruption where the server can (HTTP Range), is
compared with its SHA-256 and only then gets its name.
"""

import hashlib
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from data_tools.imageset import DataError

_CHUNK = 1 << 18
_TIMEOUT = 30  # seconds without a byte


def download(urls: tuple[str, ...], target: Path, sha256: str) -> Path:
    """Fetch a file from the first mirror that delivers it whole; return `target`.

    Raises
    ------
    DataError
        If no mirror delivers a file with the right checksum; says why for each.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for url in urls:
        try:
            return _from_mirror(url, target, sha256)
        except (urllib.error.URLError, OSError, DataError) as error:
            failures.append(f"{url}: {_reason(error)}")
    raise DataError(
        f"{target.name} could not be downloaded ({'; '.join(failures)}); get the file another way "
        "and pass it with --from FILE"
    )


def _from_mirror(url: str, target: Path, sha256: str) -> Path:
    part = target.with_name(f"{target.name}.part")
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # the part is the whole file already, or longer than it
            raise
        return _accept(part, target, sha256)
    with response:
        if response.status != 206:
            have = 0  # the server starts again from the beginning
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with open(part, "ab" if have else "wb") as file:
            _copy(response, file, have, total, target.name)
    if total is not None and part.stat().st_size < total:
        raise DataError("the connection broke off; call again to continue")
    return _accept(part, target, sha256)


def _copy(response: object, file: object, have: int, total: int | None, name: str) -> None:
    """Copy in chunks, showing speed and time left once a second."""
    began = shown = time.monotonic()
    done = have
    while chunk := response.read(_CHUNK):  # type: ignore[attr-defined]
        file.write(chunk)  # type: ignore[attr-defined]
        done += len(chunk)
        now = time.monotonic()
        if now - shown > 1:
            shown = now
            rate = (done - have) / (now - began)
            left = (
                ""
                if total is None
                else f" of {total / 1e6:.0f} MB, {(total - done) / rate:.0f} s left"
            )
            start, end = ("\r\x1b[K", "") if sys.stderr.isatty() else ("", "\n")
            sys.stderr.write(f"{start}{name}: {done / 1e6:.0f}{left}, {rate / 1e6:.1f} MB/s{end}")
            sys.stderr.flush()
    if sys.stderr.isatty() and shown > began:
        sys.stderr.write("\r\x1b[K")


def _accept(part: Path, target: Path, sha256: str) -> Path:
    """Give a file its name if its checksum is right; remove it if not."""
    found = file_hash(part)
    if found != sha256:
        part.unlink()
        raise DataError(f"its SHA-256 is {found[:12]}..., expected {sha256[:12]}...")
    os.replace(part, target)
    return target


def file_hash(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return str(error)
    text = str(getattr(error, "reason", error))
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "no certificates; on macOS run 'Install Certificates.command' of this Python"
    return text
