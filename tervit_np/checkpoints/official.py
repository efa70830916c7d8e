"""Official weights by name: where they are published, and the copies in the data folder.

The names of DeiT's files end in the first digits of their SHA-256. Swin's come without one, so what
arrives is held to its structure: names, shapes, index tables and masks.
"""

import shutil
from pathlib import Path

from data_tools import data_root
from data_tools.download import download, file_hash
from data_tools.mirrors import Mirror
from data_tools.paths import writable_folder
from tervit_np.checkpoints.reading import load_checkpoint
from tervit_np.checkpoints.recognition import recognise
from tervit_np.files import atomic_write

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
        If there are none of that name, or they are not here.
    """
    file = _place(name, root)
    if not file.exists():
        raise ValueError(
            f"the weights of {name} are not in {file.parent}: `tervit data get-weights {name}` "
            "downloads them, with --from FILE it takes a copy you have"
        )
    return file


def get_weights(
    name: str, root: str | Path | None = None, source: str | Path | None = None
) -> Path:
    """Bring official weights into the data folder, downloaded or taken from `source`; check them.

    Raises
    ------
    ValueError
        If the name is unknown, the download fails, or the file is not what it should be.
    """
    target = _place(name, root)
    if target.exists() and source is None:
        return target
    folder = writable_folder(target.parent)
    if folder is None:
        raise ValueError(f"{target.parent} cannot be written; set TERVIT_DATA to another folder")
    if source is None:
        arrived = download([OFFICIAL[name]], folder / ".arriving")
    else:
        arrived = Path(source)
        _check_digest(arrived, OFFICIAL[name].digest)
    found = recognise(load_checkpoint(arrived, lenient=True))[0]
    if found != name:
        raise ValueError(f"{arrived} holds the weights of {found}, not of {name}")
    with atomic_write(target) as partial:
        shutil.copyfile(arrived, partial)
    if source is None:
        shutil.rmtree(folder / ".arriving", ignore_errors=True)
    return target


def _check_digest(file: Path, digest: str) -> None:
    """Refuse a copy of other bytes; files in other forms, as .safetensors, have no known digest."""
    if not file.is_file():
        raise ValueError(f"{file}: no such file")
    if file.suffix == ".pth" and not (found := file_hash(file, "sha256")).startswith(digest):
        raise ValueError(
            f"{file}: its SHA-256 begins {found[:8]}, that of the official file {digest}"
        )


def _place(name: str, root: str | Path | None) -> Path:
    if name not in OFFICIAL:
        raise ValueError(f"no official weights of {name!r}; there are {', '.join(OFFICIAL)}")
    return data_root(root) / "weights" / OFFICIAL[name].file
