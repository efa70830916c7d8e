"""Make slides from the chapters: their formulas, figures, questions and answers.

    python docs/make_slides.py             all chapters, to build/slides/index.html
    python docs/make_slides.py 5 12        only these
    python docs/make_slides.py --pdf       also as PDF, printed by Chromium or Chrome

A chapter runs when it has changed, for its figures; those of `tervit book` are used where it has
been built. Needs pip install '.[docs]'. The pages need no network, nor this repository.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "book")]
FIGURES = ROOT / "build" / "book" / "source" / "runs"  # where `tervit book` lets chapters draw
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PRINT = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-pdf-header-footer", "--virtual-time-budget=60000",
]  # fmt: skip


def main() -> int:
    """Write the decks and say where they are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("chapters", nargs="*", metavar="N", help="numbers (default: all)")
    parser.add_argument("--pdf", action="store_true", help="also print each deck to a PDF file")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "slides", metavar="DIR")
    parser.add_argument("--figures", type=Path, default=FIGURES, metavar="DIR")
    args = parser.parse_args()
    try:
        print(f"slides: {write_slides(args.chapters, args.figures, args.out, args.pdf)}")
    except (ImportError, ValueError) as error:
        print(f"make_slides.py: {error}", file=sys.stderr)
        return 2
    return 0


def write_slides(numbers: list[str], figures: Path, out: Path, pdf: bool) -> Path:
    """Write the decks of some chapters, or of all.  -> the index.

    Raises
    ------
    ImportError
        If a package is not installed.
    ValueError
        If there is no such chapter, one fails, or no browser can print.
    """
    try:
        from tervit_slides.pages import draw_figures, write_deck, write_shared_files
    except ImportError as error:
        raise ImportError(f"{error}; in the clone run: pip install '.[docs]'") from None
    chapters = [_chapter(number) for number in numbers] or _all_chapters()
    for chapter in chapters:
        if not draw_figures(chapter, figures):
            raise ValueError(f"{chapter.name} ended with an error (above), so it has no figures")
        page = write_deck(chapter, figures, out)
        write_shared_files([chapter], out)
        if pdf:
            _print(page)
        print(page.name, flush=True)
    return write_shared_files(
        [c for c in _all_chapters() if (out / f"{c.stem}.html").exists()], out
    )


def _all_chapters() -> list[Path]:
    return sorted(ROOT.glob("tutorials/[0-9][0-9]_*.py"))


def _chapter(number: str) -> Path:
    for chapter in _all_chapters():
        if chapter.name[:2] == number.zfill(2):
            return chapter
    raise ValueError(f"there is no chapter {number!r}")


def _print(page: Path) -> None:
    """Print a deck to a PDF file beside it."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise ValueError(
            f"--pdf needs a browser that prints: none of {', '.join(BROWSERS)} is here"
        )
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *PRINT, f"--user-data-dir={profile}"]
        command += [f"--print-to-pdf={page.with_suffix('.pdf')}", page.absolute().as_uri()]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{browser} could not print {page}: {done.stderr.strip()}")


if __name__ == "__main__":
    sys.exit(main())
