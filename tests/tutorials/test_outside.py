"""A chapter that was downloaded runs outside the clone, where the package is installed."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted(ROOT.glob("tutorials/[0-9][0-9]_*.py"))
WHEEL = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"][
    "targets"
]["wheel"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the contents of the wheel."""
    folder = tmp_path_factory.mktemp("site")
    for package in WHEEL["packages"]:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / Path(package).name, ignore=ignored)
    for source, target in WHEEL["force-include"].items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copyfile
        copy(ROOT / source, folder / target)
    return folder


def test_what_chapters_read_is_in_the_wheel():
    read = {
        n for c in CHAPTERS for n in re.findall(r'"(\w+\.(?:json|toml))"', c.read_text("utf-8"))
    }
    stored = {file.name for file in (ROOT / "docs").rglob("*.*")}
    assert "main.json" in read & stored
    assert read & stored <= {Path(source).name for source in WHEEL["force-include"]}


def test_a_chapter_runs_with_the_installed_package(installed, tmp_path):
    """This one reads a stored result, and writes its figures to the current folder."""
    chapter = next(c for c in CHAPTERS if "bench_zen4.json" in c.read_text("utf-8"))
    shutil.copy(chapter, tmp_path)
    environment = {k: v for k, v in os.environ.items() if k != "TERVIT_TUTORIALS"}
    done = subprocess.run(
        [sys.executable, chapter.name],
        capture_output=True,
        encoding="utf-8",
        env=environment | {"PYTHONPATH": str(installed), "TERVIT_FAST": "1"},
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "runs" / "tutorials").glob(f"{chapter.stem[:2]}_*.png"))
