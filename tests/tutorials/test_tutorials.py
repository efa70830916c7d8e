"""Every chapter runs in its short form, reproduces its numbers and writes its figures.

The longest are slow tests; .ci/run runs all in the book.
"""

import ast
import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "tutorials"
CHAPTERS = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
FIGURES = FOLDER / "tervit_lesson" / "figures"
NAMES = [chapter.stem for chapter in CHAPTERS]
# By the times that `tervit book` prints.
LONG = ("00", "04", "07", "11", "13", "14", "15", "19", "22")
STORE = FOLDER.parent / "docs" / "tutorials.json"
STORED = json.loads(STORE.read_text(encoding="utf-8"))["chapters"] if STORE.exists() else {}


@pytest.fixture(scope="session")
def out(tmp_path_factory) -> Path:
    """Folder for the figures, and for the model that chapters share."""
    return tmp_path_factory.mktemp("tutorials")


def run(script: Path, out: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a script as from a clone that is not installed, in another folder."""
    environment = os.environ | {"TERVIT_FAST": "1", "TERVIT_TUTORIALS": str(out)} | settings
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        cwd=out,
    )


def claims(numbers: dict) -> dict:
    """Return what the text says about each number."""
    return {name: tuple(map(n.get, ("text", "tolerance", "wide"))) for name, n in numbers.items()}


def half_a_unit(digits: str) -> Decimal:
    """Half a unit of the last digit: 0.05 of 77.0, 0.005 of 0.50, 5e-9 of 6.06e-6."""
    return Decimal(5).scaleb(Decimal(digits).as_tuple().exponent - 1)


def quotes(text: str) -> list[ast.Call]:
    """Return the calls of quote in a chapter."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "quote"]


def falsely_wide(text: str) -> list[str]:
    """Return the quotes that are wider than half a unit without a reason, or not wider with one.

    Of those alone that write number and tolerance out, with all zeros at the end (0.50).
    """
    found = []
    for call in quotes(text):
        expected, tolerance = (ast.get_source_segment(text, node) for node in call.args[2:4])
        with suppress(InvalidOperation):  # computed, or from a loop
            is_wide = Decimal(tolerance) > half_a_unit(expected)
            if is_wide != any(keyword.arg == "wide" for keyword in call.keywords):
                found.append(f"line {call.lineno}: {expected}, give or take {tolerance}")
    return found


def with_figure_code(chapter: Path) -> str:
    """Return the text of a chapter and of the module in tervit_lesson.figures that draws for it."""
    text = chapter.read_text(encoding="utf-8")
    modules = re.findall(r"^from tervit_lesson.figures import (\w+)", text, flags=re.MULTILINE)
    drawing = [(FIGURES / f"{name}.py").read_text(encoding="utf-8") for name in modules]
    return "\n".join([text, *drawing])


@pytest.mark.parametrize(
    "chapter",
    [
        pytest.param(c, id=c.stem, marks=pytest.mark.slow if c.stem.startswith(LONG) else ())
        for c in CHAPTERS
    ],
)
def test_a_chapter_runs(chapter, out):
    results = out / f"{chapter.stem}.json"
    done = run(chapter, out, TERVIT_RESULTS=str(results), PYTHONIOENCODING="utf-8")
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    assert "Warning" not in done.stderr, done.stderr
    figures = re.findall(r'\bshow\(\w+, "([\w-]+)"\)', with_figure_code(chapter))
    assert figures
    for name in figures:
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG"), name
        assert name.startswith(chapter.stem[:2]), "figures are numbered like their chapter"
    numbers = json.loads(results.read_text())
    assert len(numbers) >= 3
    assert claims(numbers) == claims(STORED.get(chapter.stem, {"numbers": numbers})["numbers"]), (
        f"the text has changed since docs/tutorials.json: run_all.py {chapter.stem[:2]}"
    )


@pytest.mark.parametrize("chapter", CHAPTERS, ids=NAMES)
def test_a_chapter_has_its_parts(chapter):
    text = chapter.read_text(encoding="utf-8")
    title, underline = ast.get_docstring(ast.parse(text)).splitlines()[:2]
    assert underline == "=" * len(title)
    headings = re.findall(r"^# (.+)\n# -+$", text, flags=re.MULTILINE)
    assert headings[-3:] == ["On your own", "In practice", "Further reading"]
    assert all(not re.search(r"\w -{3,}", line) for line in text.splitlines()), (
        "a heading was joined"
    )


def test_the_list_of_chapters_is_complete():
    listed = re.findall(r"\]\((\d\d_\w+\.py)\)", (FOLDER / "README.md").read_text("utf-8"))
    assert listed == sorted(listed)
    assert {chapter.name for chapter in CHAPTERS} <= set(listed)


def test_stored_numbers_are_of_the_chapters_and_hold():
    assert set(STORED) <= set(NAMES)
    for stem, entry in STORED.items():
        assert entry["processor_seconds"] > 0
        for name, n in entry["numbers"].items():
            holds = n["claim"] if "claim" in n else abs(n["value"] - n["text"]) <= n["tolerance"]
            assert holds, (stem, name)


def written(chapter: Path) -> dict:
    """Return what the text says about numbers, where it writes name and number out."""
    found = {}
    for call in quotes(chapter.read_text(encoding="utf-8")):
        name, _, text, tolerance, *_ = call.args
        with suppress(ValueError):  # computed
            numbers = {"text": ast.literal_eval(text), "tolerance": ast.literal_eval(tolerance)}
            found[ast.literal_eval(name)] = numbers
    return found


@pytest.mark.parametrize("chapter", CHAPTERS, ids=NAMES)
def test_stored_numbers_are_those_of_the_text(chapter):
    stored = claims(STORED.get(chapter.stem, {"numbers": written(chapter)})["numbers"])
    texts = {name: both[:2] for name, both in claims(written(chapter)).items()}
    assert len(texts) >= 3
    assert {name: stored.get(name, ())[:2] for name in texts} == texts, (
        f"the text has changed since docs/tutorials.json: run_all.py {chapter.stem[:2]}"
    )


@pytest.mark.parametrize("chapter", CHAPTERS, ids=NAMES)
def test_a_tolerance_is_half_a_unit_or_says_why_not(chapter):
    assert falsely_wide(chapter.read_text(encoding="utf-8")) == []
    for name, n in STORED[chapter.stem]["numbers"].items():  # those of loops, too
        if "tolerance" in n:  # 1e-9 is roundoff in float64, as of 2/3
            half = max(half_a_unit(repr(n["text"])), Decimal("1e-9"))
            assert Decimal(repr(n["tolerance"])) <= half or n.get("wide"), name


def test_a_wide_tolerance_is_found():
    lines = {
        'quote("a", x, 0.50, 0.005)': True,
        'quote("a", x, 0.50, 0.05)': False,
        'quote("a", x, -6.06e-6, 5e-9, True, elsewhere=1)': True,
        'quote("a", x, -6.06e-6, 6e-9)': False,
        'quote("a", x, 1_300, 50)': False,
        'quote("a", x, 1_300, 50, wide="BLAS")': True,
        'quote("a", x, 1_300, 0.5, wide="BLAS")': False,
    }
    assert {line: not falsely_wide(line) for line in lines} == lines


def test_run_all_refuses_an_unknown_chapter():
    done = subprocess.run(
        [sys.executable, str(FOLDER / "run_all.py"), "77"], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 2
    assert done.stdout.startswith("no chapter begins with '77'; there are 00, 01")
