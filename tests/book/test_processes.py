"""Chapters that two processes run are those that one would have made, and their faults count."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tervit_book import order, repository

ROOT = Path(__file__).parents[2]
CONF = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "docs" / "book")!r}]
extensions = ["sphinx_gallery.gen_gallery"]
sphinx_gallery_conf = {{
    "examples_dirs": "chapters", "gallery_dirs": "pages", "filename_pattern": ".",
    "parallel": True, "within_subsection_order": "tervit_book.order.longest_first",
    "reset_modules": ("tervit_book.progress.running", "tervit_book.notebooks.convert_more"),
    "only_warn_on_example_error": True,
}}
"""
CHAPTER = '''"""
A chapter
=========

:You need: `a file <../a.py>`_
"""

import os
import time

from pathlib import Path

Path("{0}.process").write_text(str(os.getpid()))
while not Path("{1}.process").exists():
    time.sleep(0.01)
print("done")
{2}
'''


def test_the_longest_chapter_runs_first():
    names = [Path(file).name for file in repository.CHAPTERS]
    chapters = sorted([*names, "99_new.py"], key=order.longest_first)
    stored = json.loads(repository.read("docs/tutorials.json"))["chapters"]
    longest = max(stored, key=lambda chapter: stored[chapter]["processor_seconds"])
    assert chapters[:2] == ["99_new.py", f"{longest}.py"]
    assert set(chapters) == {*names, "99_new.py"}


def test_two_processes_make_pages_and_notebooks_and_report_a_fault(tmp_path):
    pytest.importorskip("sphinx_gallery", reason="the book needs pip install '.[docs]'")
    (tmp_path / "conf.py").write_text(CONF)
    (tmp_path / "index.rst").write_text("Book\n====\n\n.. toctree::\n\n   pages/index\n")
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / "README.rst").write_text("Chapters\n========\n")
    for name, other, end in (("a", "b", ""), ("b", "a", "assert 1 > 2, 'no'")):
        chapter = CHAPTER.format(name, other, end)  # each waits for the other
        (tmp_path / "chapters" / f"0{name}.py").write_text(chapter)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", "-j", "2", ".", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "AssertionError: no" in done.stderr
    assert set(re.findall(r"\d:\d\d  chapter (\w+)", done.stdout)) == {"0a", "0b"}
    assert len({file.read_text() for file in tmp_path.rglob("*.process")}) == 2
    assert "<span></span>done\n" in (tmp_path / "out" / "pages" / "0a.html").read_text()
    notebook = (tmp_path / "pages" / "0a.ipynb").read_text()
    assert "**You need:** a file" in notebook
