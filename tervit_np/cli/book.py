"""`tervit book`: chapters, answers, exercises, pages and reference as a book of HTML pages."""

import argparse
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tervit_np.cli.browser import open_page
from tervit_np.cli.options import process_count
from tervit_np.cli.parser import CommandParser

HELP = """Build the book and open it in the browser.

It contains the chapters with their pictures and printed numbers, the answers, exercises, pages and
a reference, and needs no network to be read. The first time every chapter runs, two at a time on
two cores, which takes less than ten minutes; later, those run that have changed. TERVIT_FAST=1 runs
their short form.

Needs pip install '.[docs]' and a clone of the repository."""
EXAMPLES = """\
  tervit book                       to build/book/html, and open it
  tervit book --no-open             build it only
  tervit book --zip                 also build/book/tervit-book.zip, for a class without a network
  tervit book --out ~/public/book   another folder for the pages
  tervit book --processes 1         one chapter after another"""

ZIP_NAME = "tervit-book"
_MODULES = ("sphinx", "sphinx_gallery", "furo", "myst_parser", "sphinx-mathjax-offline", "joblib")
_MOST_PROCESSES = 4  # a chapter has two threads; more processes end no earlier than the longest one
_OF_OTHER_RUNS = ("TERVIT_SEED", "TERVIT_PLAY", "TERVIT_RESULTS")


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the pages (default: build/book/html)"
    )
    parser.add_argument(
        "--zip", action="store_true", help=f"also write {ZIP_NAME}.zip beside that folder"
    )
    parser.add_argument(
        "--processes", type=process_count, metavar="N",
        help=f"chapters that run at a time (default: as many as cores, at most {_MOST_PROCESSES})",
    )  # fmt: skip
    parser.add_argument("--no-open", action="store_true", help="do not open the browser")


def run(args: argparse.Namespace) -> int:
    """Build the book; return 1 if it has warnings: a chapter that failed, a dead link."""
    from tervit_np.environment import usable_cores

    root = _repository()
    _check_installed()
    work = root / "build" / "book"
    pages = (args.out or work / "html").absolute()
    processes = args.processes or min(usable_cores(), _MOST_PROCESSES)
    warnings = _build(root, work, pages, processes)
    index = pages / "index.html"
    print(f"book: {index}")
    if args.zip:
        print(f"zip: {_write_zip(pages, pages.with_name(f'{ZIP_NAME}.zip'))}")
    if not args.no_open:
        open_page(index)
    if warnings:
        print("Something is wrong in it; the warnings above say what.", file=sys.stderr)
    return 1 if warnings else 0


def _repository() -> Path:
    """Return the clone around the current folder, or the one that this package is in."""
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (folder / "docs" / "book" / "conf.py").exists():
            return folder
    raise ValueError(
        "the book is made from the repository, and neither this folder nor one above it is a "
        "clone; call this in the clone"
    )


def _check_installed() -> None:
    absent = [name for name in _MODULES if find_spec(name) is None]
    if absent:
        raise ImportError(
            f"the book needs packages that are not installed here ({', '.join(absent)}); in the "
            "clone run: pip install '.[docs]'"
        )


def _build(root: Path, work: Path, pages: Path, processes: int) -> bool:
    """Run Sphinx on the code of the clone, in a process of its own.  -> whether it warned."""
    source = work / "source"
    source.mkdir(parents=True, exist_ok=True)
    paths = [str(root), str(root / "tutorials"), os.environ.get("PYTHONPATH", "")]
    environment = {k: v for k, v in os.environ.items() if k not in _OF_OTHER_RUNS}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", "-j", str(processes)]
    command += ["-c", str(root / "docs" / "book"), "-d", str(work / "doctrees")]
    command += [str(source), str(pages)]
    sys.stdout.flush()
    sphinx = subprocess.Popen(command, cwd=root, env=environment, stdin=subprocess.DEVNULL)
    try:
        code = sphinx.wait()
    except KeyboardInterrupt:
        sphinx.wait()  # Ctrl-C reaches it too; it stops the processes that run chapters
        raise
    if code not in (0, 1) or not (pages / "index.html").exists():
        raise ValueError(f"the book could not be built (Sphinx, above, ended with {code})")
    return code == 1


def _write_zip(pages: Path, target: Path) -> Path:
    """Write all pages into one file, which replaces an older one when it is whole."""
    import zipfile

    from tervit_np.files import atomic_write

    files = [f for f in sorted(pages.rglob("*")) if f.is_file() and not f.name.startswith(".")]
    with atomic_write(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for page in files:
            archive.write(page, Path(ZIP_NAME) / page.relative_to(pages))
    return target
