"""Files of the repository and their pages: docs/data.md is the page docs/data."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TEXTS = sorted(
    file.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "docs/teaching/*.md", "tutorials/*.md", "benchmarks/*.md")
    for file in ROOT.glob(pattern)
)
CHAPTERS = sorted(
    file.relative_to(ROOT).as_posix() for file in ROOT.glob("tutorials/[0-9][0-9]_*.py")
)
STUDIED = ("ops", "quant", "nn", "models", "losses", "train")  # of the package, in the reference


def read(file: str) -> str:
    """Return the text of a file of the repository."""
    return (ROOT / file).read_text(encoding="utf-8")


def modules(package: str) -> list[str]:
    """Return the modules of a package of tervit_np, none if it is a module itself."""
    files = sorted((ROOT / "tervit_np" / package).glob("*.py"))
    return [f"tervit_np.{package}.{file.stem}" for file in files if file.stem != "__init__"]


def page_of(file: str) -> str:
    """Return the page of a file, without suffix.

    Texts and chapters keep their path. A module of the reference is on its page there; any other
    file has a page that shows it.
    """
    if file in TEXTS or file in CHAPTERS:
        return file.rpartition(".")[0]
    if moving := re.fullmatch(r"docs/book/figures/(\w+)\.html", file):
        return f"moving/{moving[1]}"
    match = re.fullmatch(rf"tervit_np/((?:{'|'.join(STUDIED)})(?:/\w+)?)\.py", file)
    if match and not file.endswith("/__init__.py"):
        return f"reference/tervit_np.{match[1].replace('/', '.')}"
    return f"files/{file}"
