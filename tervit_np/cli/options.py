"""Options that several commands share, and what they mean."""

import argparse
import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

DEFAULT_SEED = 0
_MOST = 1024  # threads or processes
_UNITS = {"": 1, "b": 1, "kb": 1000, "mb": 1_000_000}
Options: TypeAlias = "argparse._ActionsContainer"  # a parser, or a group of its options


def command_line() -> str:
    """Return the command that is running, for records: as a POSIX shell takes it."""
    return shlex.join(["tervit", *sys.argv[1:]])


def add_seed(
    options: Options, of: str = "random numbers", default: int | None = DEFAULT_SEED
) -> None:
    """Add --seed; a default of None tells whether it was given."""
    options.add_argument("--seed", type=seed_number, default=default, metavar="N",
                         help=f"seed of {of} (default: {DEFAULT_SEED})")  # fmt: skip


def add_threads(options: Options) -> None:
    """Add --threads; `thread_count` reads it."""
    options.add_argument("--threads", type=int, metavar="N", help="threads (default: all cores)")


def add_processes(options: Options, what: str) -> None:
    """Add --processes."""
    options.add_argument("--processes", type=process_count, metavar="N",
                         help=f"{what} in so many processes (default: in this one)")  # fmt: skip


def add_workers(options: Options) -> None:
    """Add --workers; `worker_count` reads it."""
    options.add_argument("--workers", type=int, metavar="N",
                         help="processes that decode pictures (default: all cores)")  # fmt: skip


def add_quiet(options: Options) -> None:
    """Add --quiet."""
    options.add_argument("--quiet", action="store_true", help="print no progress")


def add_stage(options: Options) -> None:
    """Add --stage, for commands that take a saved model."""
    options.add_argument("--stage", metavar="NAME", help="stage of a run (default: the last one)")


def add_data(options: Options) -> None:
    """Add --data, for commands that take a saved model; `images_for` reads it."""
    options.add_argument(
        "--data", metavar="SET", help="data set (default: the one that the model was trained on)"
    )


def add_attention(options: Options) -> None:
    """Add --attention."""
    options.add_argument(
        "--attention",
        choices=("float32", "bfloat16", "int8"),
        help="precision of the attention products of a packed file (default: float32); bfloat16 is "
        "for processors with Intel AMX",
    )


def refuse_overwriting(option: str, out: Path, read: Mapping[Path, str]) -> None:
    """Raise ValueError if the file that an option names is one that the command reads.

    `read` says what each of these is. Neither file has to exist yet.
    """
    for file, what in read.items():
        is_same = (
            out.samefile(file)
            if out.exists() and file.exists()
            else (os.path.realpath(out) == os.path.realpath(file))
        )
        if is_same:
            raise ValueError(
                f"{option} is {out}, {what}, which would be overwritten; name another file"
            )


def check_png(option: str, file: Path) -> None:
    """Raise ValueError if the PNG file that an option names would be called something else."""
    if file.suffix.lower() != ".png":
        raise ValueError(f"{option} is {file}; expected a name that ends in .png")


def seed_number(text: str) -> int:
    """Read a seed."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def process_count(text: str) -> int:
    """Read a number of processes."""
    if not text.isdecimal() or not 1 <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes, 1 to {_MOST}")
    return int(text)


def image_count(text: str) -> float:
    """Read a number of images, or a fraction of all below 1."""
    try:
        number = int(text) if text.isdecimal() else float(text)
    except ValueError:
        number = -1.0
    if not number >= 0 or (number >= 1 and not text.isdecimal()):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a number of images nor a fraction such as 0.1"
        )
    return number


def byte_count(text: str) -> int:
    """Read a number of bytes: 120000, 120kB, 0.12MB."""
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]+)?) *(b|kb|mb|)", text.strip().lower())
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size in bytes; expected something like 120000, 120kB or 0.12MB"
        )
    return round(float(match[1]) * _UNITS[match[2]])


def checked_count(name: str, count: int) -> int:
    """Return a number of threads or processes; ValueError if no machine could have so many."""
    if count < 1:
        raise ValueError(f"--{name} is {count}; expected at least 1")
    if count > _MOST:
        raise ValueError(f"--{name} is {count}; expected at most {_MOST}, one for each core")
    return count


def thread_count(threads: int | None) -> int:
    """Return the number of threads: --threads, by default one for each usable core."""
    from tervit_np.environment import usable_cores

    return usable_cores() if threads is None else checked_count("threads", threads)


def worker_count(workers: int | None) -> int:
    """Return the number of decoding processes: --workers, by default one for each core."""
    from tervit_np.environment import usable_cores

    return usable_cores() if workers is None else checked_count("workers", workers)
