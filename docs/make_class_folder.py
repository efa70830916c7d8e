"""Make a folder from which a class installs and reads everything without a network.

    python docs/make_class_folder.py                       to build/class, for Python as it is here
    python docs/make_class_folder.py --for 3.12:win_amd64 --for 3.13:macosx_11_0_arm64
    python docs/make_class_folder.py --zip                 also build/class.zip
    python docs/make_class_folder.py --add cifar-10-python.tar.gz

It contains the wheels of the package and of all it needs, a script that installs them, the
chapters, the figures that move, and the book and the slides if they are built (`tervit book`,
`docs/make_slides.py`). This needs a network; the folder does not.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
CLASS = ROOT / "docs" / "teaching" / "class"
FIGURES = "docs/book/figures"
BOOK, SLIDES = ROOT / "build" / "book" / "html", ROOT / "build" / "slides"
NOT_READ = {"tervit_lesson", "run_all.py", "ruff.toml", "__pycache__"}
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def main() -> int:
    """Make the folder and say what it has."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "class", metavar="DIR")
    parser.add_argument(
        "--for", dest="targets", action="append", default=[], metavar="PYTHON:PLATFORM",
        help="wheels for another Python or system; may be given more than once",
    )  # fmt: skip
    parser.add_argument("--zip", action="store_true", help="also write DIR.zip")
    parser.add_argument(
        "--add", type=Path, action="append", default=[], metavar="FILE",
        help="a file for the folder's data/, such as an archive of CIFAR-10",
    )  # fmt: skip
    args = parser.parse_args()
    try:
        make_class_folder(args.out, args.targets, args.add)
    except ImportError as error:
        print(f"make_class_folder.py: {error}; pip install . first", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"make_class_folder.py: {error}", file=sys.stderr)
        return 2
    print(f"class folder: {args.out} ({_megabytes(args.out):.0f} MB)")
    if args.zip:
        name = shutil.make_archive(str(args.out), "zip", args.out.parent, args.out.name)
        print(f"zip: {name}")
    return 0


def make_class_folder(out: Path, targets: list[str], data: list[Path]) -> None:
    """Fill a partial folder, which becomes `out` when it is whole.

    Raises
    ------
    ValueError
        If `out` exists and was not made by this, a file is missing, or pip cannot get a wheel.
    """
    if out.exists() and not (out / "START.txt").exists():
        raise ValueError(f"{out} exists and is not a class folder; name another one with --out")
    for file in data:
        if not file.is_file():
            raise ValueError(f"--add: there is no file {file}")
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(CLASS, partial)
    _get_wheels(partial / "wheels", targets)
    _copy_course(partial)
    _write_picture(partial / "picture.png")
    for file in data:
        (partial / "data").mkdir(exist_ok=True)
        shutil.copy(file, partial / "data")
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)


def _get_wheels(folder: Path, targets: list[str]) -> None:
    """Build the wheel of the package; download those it needs, for each Python and system."""
    _pip("wheel", "--no-deps", "-w", folder, ROOT)
    wheel = next(folder.glob("tervit_np-*.whl"))
    _pip("download", "--only-binary=:all:", "-d", folder, wheel)
    for target in targets:
        python, _, platform = target.partition(":")
        if not python or not platform:
            raise ValueError(f"--for {target}: expected PYTHON:PLATFORM, such as 3.12:win_amd64")
        where = ["--python-version", python, "--platform", platform]
        _pip("download", "--only-binary=:all:", *where, "-d", folder, wheel)


def _pip(*arguments: str | Path) -> None:
    if subprocess.run([*PIP, arguments[0], "-q", *map(str, arguments[1:])]).returncode:
        raise ValueError(f"pip {arguments[0]} failed (above); without a network it cannot work")


def _copy_course(folder: Path) -> None:
    """Copy what there is to read; say what is not built."""
    course = folder / "course"  # paths are those of the clone, so that links work
    shutil.copytree(ROOT / "tutorials", course / "tutorials", ignore=_not_read)
    shutil.copytree(ROOT / FIGURES, course / FIGURES)
    for source, name, command in (
        (BOOK, "book", "tervit book"),
        (SLIDES, "slides", "python docs/make_slides.py"),
    ):
        if (source / "index.html").exists():
            shutil.copytree(source, folder / name)
        else:
            print(f"without {name}: it is not built ({command})")


def _not_read(folder: str, names: list[str]) -> list[str]:
    """Leave out what belongs to the clone: in the folder, tervit_lesson is installed."""
    return [name for name in names if name in NOT_READ]


def _write_picture(file: Path) -> None:
    """Write a test picture of the embedded set, large enough to look at."""
    from PIL import Image

    from data_tools import shapes

    split = shapes.make("test", count=1)
    Image.fromarray(split.images[0]).resize((256, 256), Image.Resampling.NEAREST).save(file)


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


if __name__ == "__main__":
    sys.exit(main())
