"""Chapters run again when what they compute with has changed, not only when their text has.

sphinx-gallery runs a chapter if its file has changed since it ran. Here all run again if the code
of the package or of `tervit_lesson` has changed, a file that comes with it, such as a trained
model, or the form, short or full. Comments and docstrings do not count.
"""

import ast
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tervit_book.repository import ROOT

CODE = ("tervit_np", "data_tools", "tutorials/tervit_lesson")
STORED = "code.sha256"


def forget_outdated_runs(folder: Path) -> None:
    """Delete what sphinx-gallery remembers in Sphinx's folder if the code is another."""
    now = hash_of_code()
    stored = folder / STORED
    if stored.exists() and stored.read_text(encoding="utf-8") == now:
        return
    for file in folder.glob("tutorials/*.md5"):
        file.unlink()
    shutil.rmtree(folder / "runs", ignore_errors=True)  # models of that code
    stored.write_text(now, encoding="utf-8")


def hash_of_code() -> str:
    """Return a hash of what the chapters compute with."""
    sha = hashlib.sha256(os.environ.get("TERVIT_FAST", "").encode())
    for file in _files():
        sha.update(f"{file.relative_to(ROOT)}\n".encode() + _content(file) + b"\n")
    return sha.hexdigest()


def _files() -> Iterator[Path]:
    for folder in CODE:
        files = sorted(file for file in (ROOT / folder).rglob("*") if file.is_file())
        yield from (file for file in files if "__pycache__" not in file.parts)


def _content(file: Path) -> bytes:
    """Return what of a file counts: of code the syntax, of any other file the bytes."""
    if file.suffix != ".py":
        return file.read_bytes()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        _drop_docstring(node)
    return ast.dump(tree).encode()


def _drop_docstring(node: ast.AST) -> None:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
