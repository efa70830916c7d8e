"""Large image folders: indexing of many names, and decoding compared with Pillow alone.

    python benchmarks/pictures.py --names 130000              time and memory of the index, twice
    python benchmarks/pictures.py --names 1300000 --shards    the same of tar shards
    taskset -c 0 python benchmarks/pictures.py ~/imagenet     pictures a second on one core

The folder has ImageNet's structure. Ratios are of medians over rounds; in each round all candidates
run in turn, in one process.
"""

import os

os.environ.pop("OPENBLAS_CORETYPE", None)

import argparse  # noqa: E402
import io  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tarfile  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

import data_tools  # noqa: E402
from data_tools import Augment, normalise  # noqa: E402
from data_tools.listing import list_pictures  # noqa: E402
from data_tools.shards import list_shards  # noqa: E402
from data_tools.workers import Prefetcher  # noqa: E402
from tervit_np.bench import interleaved  # noqa: E402
from tervit_np.train.memory import keep_freed_memory  # noqa: E402

CLASSES = 1000
SHARD = 10_000  # pictures


def make_folders(folder: Path, names: int) -> None:
    """Make class folders of empty files."""
    for c in range(CLASSES):
        class_folder = folder / "train" / f"n{c:08}"
        class_folder.mkdir(parents=True)
        for i in range(names // CLASSES):
            (class_folder / f"n{c:08}_{i}.JPEG").touch()


def make_shards(folder: Path, names: int) -> None:
    """Make tar shards, which are one file under many names."""
    first = folder / "train-000000.tar"
    with tarfile.open(first, "w") as archive:
        for i in range(SHARD):
            for ending, content in (("jpg", b"no picture"), ("cls", b"%d" % (i % CLASSES))):
                member = tarfile.TarInfo(f"{i:08}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    for number in range(1, names // SHARD):
        os.link(first, folder / f"train-{number:06}.tar")


def list_made(make: Callable[[Path, int], None], names: int) -> None:
    """List a made data set in two processes; the second reads the index from the cache."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        make(Path(folder), names)
        environment = os.environ | {"TERVIT_DATA": cache}
        for when in ("first", "again"):
            print(f"{when}: ", end="", flush=True)
            subprocess.run(
                [sys.executable, __file__, "--list", folder], check=True, env=environment
            )


def list_folder(folder: Path) -> None:
    """List a folder; print time and growth of resident memory."""
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before, start = _status("VmRSS"), time.perf_counter()
    is_sharded = any(folder.glob("*.tar"))
    listing = (list_shards if is_sharded else list_pictures)(folder, "train")
    seconds = time.perf_counter() - start
    growth, peak = (1e-3 * (_status(key) - before) for key in ("VmRSS", "VmHWM"))
    print(f"{len(listing)} names in {seconds:.2f} s, {growth:.1f} MB more, {peak:.1f} MB at most")


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])


def time_decoding(folder: Path, rounds: int) -> None:
    """Decode and preprocess a test split, with Pillow alone and with data_tools."""
    images = data_tools.load(f"imagenet:{folder}", "test")
    files = [images.listing.path / images.listing.name(i) for i in range(len(images))]

    def with_data_tools() -> None:
        for start in range(0, len(images), 16):
            pixels, _ = images.pixels(np.arange(start, min(start + 16, len(images))))
            normalise(pixels, images.mean, images.std)

    candidates = {
        "Pillow alone": lambda: [with_pillow(file) for file in files],
        "data_tools, normalised": with_data_tools,
    }
    times = interleaved(candidates, rounds)
    speed = {name: len(files) / value.median for name, value in times.items()}
    text = "  ".join(f"{name} {value:.0f}" for name, value in speed.items())
    ratio = speed["data_tools, normalised"] / speed["Pillow alone"]
    print(f"{len(files)} pictures to 224 x 224, in a second: {text}  ratio {ratio:.2f}")


def with_pillow(file: Path) -> np.ndarray:
    """Resize the short side to 256 and crop the center."""
    picture = Image.open(file).convert("RGB")
    width, height = picture.size
    short = min(width, height)
    picture = picture.resize(
        (int(256 * width / short), int(256 * height / short)), Image.Resampling.BICUBIC
    )
    left, top = round((picture.width - 224) / 2), round((picture.height - 224) / 2)
    return np.asarray(picture.crop((left, top, left + 224, top + 224)))


def time_prefetching(folder: Path, workers: int) -> None:
    """Decode and augment with DeiT's recipe in worker processes."""
    images = data_tools.load(f"imagenet:{folder}", "test")
    recipe = Augment(randaugment_ops=2, randaugment_magnitude=9, randaugment_magnitude_std=0.5,
                     randaugment_prob=0.5)  # fmt: skip
    prefetcher = Prefetcher(images, recipe, 32, workers)
    batch, steps = np.arange(32) % len(images), 12
    for step in range(steps + 3):
        if step == 3:
            start = time.perf_counter()
        for ahead in range(prefetcher.slots):
            prefetcher.request((0, step + ahead), batch, (0, 0, 0))
        prefetcher.get((0, step))
    speed = steps * len(batch) / (time.perf_counter() - start)
    prefetcher.close()
    print(f"{workers} decoding processes, DeiT's augmentation: {speed:.0f} pictures a second")


def main() -> None:
    """Run the measurement that the options select."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="images in ImageNet's structure")
    parser.add_argument("--names", type=int, help="list so many empty files")
    parser.add_argument("--shards", action="store_true", help="in tar shards")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--list", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.list:
        list_folder(args.list)
    elif args.names:
        list_made(make_shards if args.shards else make_folders, args.names)
    elif args.folder:
        keep_freed_memory()
        time_decoding(args.folder, args.rounds)
        time_prefetching(args.folder, args.workers)
    else:
        parser.error("expected a folder, or --names")


if __name__ == "__main__":
    main()
