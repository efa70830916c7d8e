"""README says what is there: the table is made from stored results, files and names exist."""

import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path

import pytest

import tervit_np as tv

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def results():
    spec = importlib.util.spec_from_file_location("results", ROOT / "benchmarks" / "results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_made_from_the_stored_results(results):
    runs = json.loads(results.STORE.read_text())
    for page, sets in results.PAGES.items():
        assert results.table(runs, sets) in page.read_text(encoding="utf-8")
    shown = {data for sets in results.PAGES.values() for data in sets}
    assert shown == {results.data_of(run["command"]) for run in runs}  # nothing is left out


def test_rewriting_changes_nothing_else(results):
    new = results.rewrite(TEXT, "| x |\n")
    before, after = TEXT.split(results.BEGIN)[0], TEXT.split(results.END)[1]
    assert new == f"{before}{results.BEGIN}| x |\n{results.END}{after}"


def test_commands_are_grouped_without_seed_and_folder(results):
    command = "tervit train --data cifar10 --seed 3 --out runs/x --quiet --stages float:2"
    assert results.plain_command(command) == "tervit train --data cifar10 --stages float:2"
    command = "tervit train --data folder:/home/me/flowers@32 --seed 3"
    assert results.plain_command(command) == "tervit train --data folder:flowers@32"


def test_linked_files_exist():
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert links
    for link in links:
        assert link.startswith("http") or (ROOT / link).exists(), link


def test_named_files_and_packages_exist():
    for name in re.findall(r"`([\w/]+\.(?:py|json|md))`", TEXT):
        assert any((ROOT / base / name).exists() for base in (".", "tervit_np")), name
    for name in re.findall(r"^(tervit_np/\w+|data_tools) ", TEXT, re.MULTILINE):
        assert (ROOT / name / "__init__.py").exists(), name


def test_quoted_commands_are_understood():
    from tervit_np.cli import _parser

    quoted = re.findall(
        r"`tervit ((?:train|eval|predict|export|size|bench|check|data|doctor|exercise)[^`]*)`", TEXT
    )
    assert len(quoted) > 5
    for line in quoted:
        _parser().parse_args(shlex.split(" ".join(line.split())))


def test_the_python_example_runs(tmp_path, monkeypatch):
    """All but the training itself, on one batch of the embedded set."""
    code = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)[1]
    from data_tools import normalise, shapes

    val = shapes.make("val", count=16)
    images, labels = normalise(val.images, val.mean, val.std), val.labels
    monkeypatch.setattr(tv.train, "load_data", lambda name: None)
    monkeypatch.setattr(tv.train, "run", lambda *args: None)
    exec(compile(code, "README.md", "exec"), {"images": images, "labels": labels})
    assert "tervit_np" in sys.modules
