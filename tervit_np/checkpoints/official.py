"""Official weights by name: their addresses, and the copies in the data folder.

The names of DeiT's files end in the first digits of their SHA-256. Swin's files have no published
digest, so that their contents are checked instead: names, shapes, index tables and masks.
"""

import shutil
from contextlib import suppress
from pathlib import Path

from data_tools import data_root
from data_tools.download import download, file_hash
from data_tools.lock import locked
from data_tools.mirrors import Mirror
from data_tools.paths import removed_if_empty, writable_folder
from data_tools.spelling import did_you_mean
from tervit_np.checkpoints.reading import read_weights
from tervit_np.checkpoints.recognition import recognise
from tervit_np.files import atomic_write, require_file

_DEIT = "https://dl.fbaipublicfiles.com/deit/"
_SWIN = "https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
_DIGESTS = {
    "deit_tiny_patch16_224": "a1311bcf",
    "deit_small_patch16_224": "cd65a155",
    "deit_base_patch16_224": "b5f2ef4d",
    "deit_tiny_distilled_patch16_224": "b40b3cf7",
    "deit_small_distilled_patch16_224": "649709d9",
    "deit_base_distilled_patch16_224": "df68dfff",
}
_SWINS = [f"swin_{size}_patch4_window7_224" for size in ("tiny", "small", "base")]
OFFICIAL = {
    **{n: Mirror(f"{_DEIT}{n}-{d}.pth", None, "sha256", d) for n, d in _DIGESTS.items()},
    **{name: Mirror(f"{_SWIN}{name}.pth", None, "sha256", "") for name in _SWINS},
}


def find_weights(name: str, root: str | Path | None = None) -> Path:
    """Return the file of a model's official weights.

    Raises
    ------
    ValueError
        If the name is unknown, or the file is absent.
    """
    file = _local_path(name, root)
    if not file.exists():
        raise ValueError(
            f"the weights of {name} are not in {file.parent}: `tervit data get-weights {name}` "
            "downloads them; with --from FILE it copies a file that you have"
        )
    return file


def fetch_weights(
    name: str, root: str | Path | None = None, source: str | Path | None = None
) -> Path:
    """Download official weights into the data folder, or copy them from `source`, and check them.

    Raises
    ------
    ValueError
        If the name is unknown, the download fails, the file has other contents, or another process
        is fetching it.
    """
    target = _local_path(name, root)
    if target.exists() and source is None:
        return target
    with removed_if_empty(target.parent):
        if writable_folder(target.parent) is None:
            raise ValueError(
                f"{target.parent} cannot be written; set TERVIT_DATA to another folder"
            )
        if source is not None:
            _check_digest(Path(source), OFFICIAL[name].digest)
            _copy_checked(name, Path(source), target)
        else:
            with locked(target.parent, target.name):
                if not target.exists():  # else another process has fetched it just now
                    _download(name, target)
    return target


def _download(name: str, target: Path) -> None:
    """Download a file into a folder, copy it from there; all that may stay is a part to resume."""
    folder = target.parent / f".download-{name}"
    try:
        complete = download([OFFICIAL[name]], folder)
        try:
            _copy_checked(name, complete, target)
        except OSError:  # perhaps the disk is full; the next call need not download it again
            complete.rename(f"{complete}.part")
            raise
        finally:
            complete.unlink(missing_ok=True)
    finally:
        with suppress(OSError):  # it is not empty
            folder.rmdir()


def _copy_checked(name: str, source: Path, target: Path) -> None:
    """Copy a file to its place if it holds the weights of that name."""
    weights = read_weights(source, lenient=True)
    actual = recognise(weights.arrays, weights.maps)[0]
    if actual != name:
        raise ValueError(f"{source} holds the weights of {actual}, not of {name}")
    with atomic_write(target) as file, open(source, "rb") as source_file:
        shutil.copyfileobj(source_file, file)


def is_official(file: Path) -> bool:
    """Return whether a file is one of the official ones, by its name and, if known, its digest."""
    digests = [mirror.digest for mirror in OFFICIAL.values() if mirror.file == file.name]
    return bool(digests) and file_hash(file, "sha256").startswith(digests[0])


def _check_digest(file: Path, digest: str) -> None:
    """Check the digest of a .pth file; files in other formats have no known digest."""
    require_file(file)
    if file.suffix == ".pth" and not (actual := file_hash(file, "sha256")).startswith(digest):
        raise ValueError(
            f"{file}: its SHA-256 begins with {actual[:8]}, that of the official file with {digest}"
        )


def _local_path(name: str, root: str | Path | None) -> Path:
    if name not in OFFICIAL:
        near = did_you_mean(name, OFFICIAL) or f"; there are {', '.join(OFFICIAL)}"
        raise ValueError(f"no official weights of {name!r}{near}")
    return data_root(root) / "weights" / OFFICIAL[name].file
