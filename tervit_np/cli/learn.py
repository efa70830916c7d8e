"""`tervit learn`: list the chapters of the course, and copy one to work with."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tervit_np.cli.browser import open_page
from tervit_np.cli.layout import hang
from tervit_np.cli.parser import CommandParser

if TYPE_CHECKING:
    from tervit_np.chapters import Chapter, Copied

HELP = """List the chapters of the course, or copy one into this folder.

The chapters are part of the package: they need no clone and no network. Each is a script to run and
change, with its text in comments. Editors that know cells (VS Code, Spyder, PyCharm) run it cell by
cell. Some have figures that move: pages for a browser, each with a question."""
EXAMPLES = """\
  tervit learn                    all chapters: number, title, time, subject
  tervit learn 1                  copies 01_linear.py and its answers here, and says how to run it
  tervit learn attention          a chapter by a part of its name
  tervit learn one                the whole of TerViT in one file
  tervit learn figures            opens the figures that move in the browser
  tervit learn 1 --dir course     into another folder"""
_INDENT = 6


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "chapter",
        nargs="?",
        metavar="N",
        help="number or part of the name, or figures (default: list all)",
    )
    parser.add_argument(
        "--dir",
        metavar="DIR",
        help="folder to copy to (default: the current one; in the clone nothing is copied)",
    )


def run(args: argparse.Namespace) -> int:
    """List the chapters, or copy one and say how to run it, or open the figures."""
    from data_tools.terminal import shell_word
    from tervit_np.chapters import chapters, copy_chapter, figures_page, find_chapter
    from tervit_np.files import make_folder

    if args.chapter is None:
        print("\n".join(map(_entry, chapters())))
        print("\n`tervit learn N` copies chapter N into this folder and says how to run it.")
        print("`tervit learn figures` opens the figures that move.")
        return 0
    if args.chapter == "figures":
        print(f"figures: {figures_page()}")
        open_page(figures_page())
        return 0
    chapter, folder = find_chapter(args.chapter), Path(args.dir or ".")
    print(f"{chapter.number} {chapter.title}\n{_indented(f'You will {chapter.subject}.')}\n")
    if args.dir is None and (here := _in_clone(chapter)) is not None:
        print(f"run it:    python {shell_word(here)}\nanswers:   {here.parent / 'answers.md'}")
        return 0
    make_folder(folder)
    copied = copy_chapter(chapter, folder)
    for file in copied:
        print(_about(file))
    command = f"python {shell_word(copied[0].path)}"
    print(f"\nrun it:    {command}     # {chapter.running} on two cores")
    return 0


def _in_clone(chapter: "Chapter") -> Path | None:
    """Return the path of a chapter from here, if this folder is in the clone that has it."""
    from tervit_np.chapters import course_folder, is_clone

    root, here = course_folder().resolve(), Path.cwd()
    if not is_clone() or not here.is_relative_to(root):
        return None
    path = chapter.file.resolve()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _entry(chapter: "Chapter") -> str:
    """Describe a chapter: a line with its times, and its subject below."""
    times = f"read {chapter.reading}, run {chapter.running}"
    head = f"{chapter.number:<{_INDENT - 2}}  {chapter.title}  ({times})"
    return f"{head}\n{_indented(chapter.subject)}"


def _indented(text: str) -> str:
    return hang(" " * _INDENT, text)


def _about(file: "Copied") -> str:
    if file.is_new:
        return f"new file:  {file.path}"
    if file.differs:
        return f"kept:      {file.path}, which you have changed; delete it to get a new copy"
    return f"unchanged: {file.path}"
