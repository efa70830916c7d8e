"""Quoted numbers are checked, figures are written, and the shared model is trained once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "tutorials"


def run(code: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run lines that begin a chapter, as from a clone that is not installed."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "TERVIT_FAST")}
    begin = f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import tervit_lesson as lesson"
    return subprocess.run(
        [sys.executable, "-c", f"{begin}\n{code}"],
        capture_output=True,
        encoding="utf-8",
        env=environment | {"TERVIT_TUTORIALS": str(folder)} | settings,
        cwd=folder,
    )


def test_a_clone_is_importable_and_blas_uses_one_thread(tmp_path):
    code = "import os, tervit_np; print(tervit_np.__file__, os.environ['OMP_NUM_THREADS'])"
    done = run(code, tmp_path)
    file, threads = done.stdout.split()
    assert Path(file).parents[1] == FOLDER.parent
    assert threads == os.environ.get("OMP_NUM_THREADS", "1")


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "9" * 5000])
def test_a_seed_that_is_no_whole_number_is_one_sentence(tmp_path, value):
    done = run("", tmp_path, TERVIT_SEED=value)
    assert done.returncode == 2
    assert done.stderr.startswith(f"tutorials: TERVIT_SEED is '{value}'; expected a whole number")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("TERVIT_BACKEND", "cuda", "TERVIT_BACKEND is 'cuda'; expected one of numba, numpy"),
        ("TERVIT_KERNEL", "sse", "TERVIT_KERNEL is 'sse'; expected one of numpy, "),
        ("TERVIT_DATA", "~nobody_here/x", "TERVIT_DATA: ~nobody_here/x: there is no such home"),
        ("TERVIT_TUTORIALS", "file", "TERVIT_TUTORIALS: file is not a folder that can be written"),
        ("TERVIT_RESULTS", "none/r.json", "TERVIT_RESULTS: none/r.json could not be written"),
        ("TERVIT_RESULTS", ".", "TERVIT_RESULTS: . is a folder; expected the name of a file"),
    ],
)
def test_a_variable_without_a_meaning_is_one_sentence(tmp_path, variable, value, words):
    (tmp_path / "file").touch()
    done = run("print('the chapter')", tmp_path, **{variable: value})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tutorials: {words}")
    assert len(done.stderr.splitlines()) == 1


def test_missing_packages_are_named_with_what_to_do():
    bare = [sys.executable, "-S", str(next(FOLDER.glob("00_*.py")))]  # no site-packages
    done = subprocess.run(bare, capture_output=True, encoding="utf-8")
    assert done.returncode == 1
    assert done.stderr.startswith("tutorials: not installed here: numpy, matplotlib, pillow. In")


@pytest.mark.parametrize("value", ["1.2", "0.8", "float('nan')", "float('inf')"])
def test_a_number_that_differs_from_the_text_stops_the_chapter(tmp_path, value):
    done = run(f"lesson.quote('loss', {value}, 1.0, 0.1)", tmp_path)
    assert done.returncode == 1
    assert "the text says 1, give or take 0.1" in done.stderr


def test_a_number_within_its_tolerance_is_printed_and_recorded(tmp_path):
    code = "lesson.quote('a', 1.05, 1.0, 0.1); lesson.quote('b', 2, 2, 0)"
    done = run(code, tmp_path, TERVIT_RESULTS=str(tmp_path / "r.json"))
    assert done.stdout == "a: 1.05\nb: 2\n"
    stored = json.loads((tmp_path / "r.json").read_text())
    assert stored["a"] == {"value": 1.05, "text": 1.0, "tolerance": 0.1}
    assert list(stored) == ["a", "b"]


def test_a_wide_tolerance_says_why(tmp_path):
    code = "lesson.quote('a', {}, 100, 2, wide='of a sample')"
    done = run(code.format(101), tmp_path, TERVIT_RESULTS=str(tmp_path / "r.json"))
    assert done.stdout == "a: 101\n"
    assert json.loads((tmp_path / "r.json").read_text())["a"]["wide"] == "of a sample"
    done = run(code.format(103), tmp_path)
    assert "the text says 100, give or take 2 (of a sample)." in done.stderr


def test_play_and_the_short_form_report_numbers_that_differ(tmp_path):
    code = "lesson.quote('a', 5, 1, 0.1{})"
    done = run(code.format(""), tmp_path, TERVIT_PLAY="1")
    assert done.returncode == 0
    assert "the text says 1" in done.stdout
    short = run(code.format(", full_only=True"), tmp_path, TERVIT_FAST="1")
    assert short.returncode == 0
    assert short.stdout == "a: 5\n    (of the full run the text says 1, give or take 0.1)\n"
    assert run(code.format(", full_only=True"), tmp_path).returncode == 1
    assert run(code.format(""), tmp_path, TERVIT_FAST="1").returncode == 1


def test_another_seed_reports_numbers_and_checks_claims(tmp_path):
    done = run("lesson.quote('a', 5, 1, 0.1)", tmp_path, TERVIT_SEED="1")
    assert done.returncode == 0
    assert done.stdout == "a: 5\n    (of seed 0 the text says 1, give or take 0.1)\n"
    assert run("lesson.claim('a', 0)", tmp_path, TERVIT_SEED="1").returncode == 1


def test_the_numpy_backend_has_its_own_tolerance(tmp_path):
    code = "lesson.quote('a', 1.05, 1, 0, elsewhere=0.1)"
    assert run(code, tmp_path, TERVIT_BACKEND="numpy").returncode == 0
    pytest.importorskip("numba")
    assert run(code, tmp_path, TERVIT_BACKEND="numba").returncode == 1


def test_a_claim_that_does_not_hold_stops_the_chapter(tmp_path):
    code = "lesson.claim('a < b', {})"
    done = run(code.format("1 < 2"), tmp_path, TERVIT_RESULTS=str(tmp_path / "r.json"))
    assert done.stdout == "holds: a < b\n"
    assert json.loads((tmp_path / "r.json").read_text()) == {"a < b": {"claim": True}}
    done = run(code.format("2 < 1"), tmp_path)
    assert done.returncode == 1
    assert "the text claims: a < b. Here it does not hold." in done.stderr
    full_only = "lesson.claim('a < b', False, full_only=True)"
    assert run(full_only, tmp_path, TERVIT_FAST="1").returncode == 0
    assert run(full_only, tmp_path).returncode == 1
    assert run(code.format("2 < 1"), tmp_path, TERVIT_PLAY="1").returncode == 0


def test_predictions_are_asked_at_a_terminal_alone(tmp_path):
    code = "lesson.predict('what is a?'); lesson.quote('a', 1, 1, 0)"
    assert run(code, tmp_path).stdout == "a: 1\n"
    asked = """
import builtins, sys
sys.stdin.isatty = sys.stdout.isatty = lambda: True
builtins.input = lambda prompt: prompt.strip() and "two"
lesson.predict("what is a?")
lesson.quote("a", 1, 1, 0)
lesson.quote("b", 1, 1, 0)
"""
    assert run(asked, tmp_path).stdout == "a: 1    (you predicted: two)\nb: 1\n"


def test_a_figure_is_written_and_needs_no_screen(tmp_path):
    code = """
with lesson.figure(3, 2) as fig:
    fig.subplots().plot([1, 2])
    lesson.show(fig, "99_line")
import sys; assert "matplotlib.pyplot" not in sys.modules
"""
    hidden = {"DISPLAY": "", "WAYLAND_DISPLAY": ""}
    done = run(code, tmp_path, TERVIT_SHOW="1", **hidden)
    assert done.stdout == "figure: 99_line.png\n", done.stderr
    assert (tmp_path / "99_line.png").read_bytes().startswith(b"\x89PNG")


def test_labels_of_logarithmic_axes_are_formulas(tmp_path):
    code = """
with lesson.figure(3, 2) as fig:
    ax = fig.subplots()
    ax.semilogy([1, 1000])
    fig.canvas.draw()
    print({label.get_parse_math() for label in ax.get_yticklabels()})
"""
    assert run(code, tmp_path).stdout == "{True}\n"


def test_a_fresh_folder_deletes_that_folder_alone(tmp_path):
    (tmp_path / "99_run").mkdir()
    (tmp_path / "99_run" / "old").write_text("x")
    (tmp_path / "kept").write_text("x")
    done = run("print(lesson.fresh_folder('99_run').exists())", tmp_path)
    assert done.stdout == "False\n", done.stderr
    assert [f.name for f in tmp_path.iterdir()] == ["kept"]


def test_the_model_is_trained_once(tmp_path):
    code = """
model, other = lesson.trained_model(), lesson.trained_model()
assert all((p.data == q.data).all() for (_, p), (_, q) in
           zip(model.named_params(), other.named_params()))
import tervit_np as tv
print(tv.train.evaluate(model, lesson.shapes().test).accuracy)
"""
    done = run(code, tmp_path, TERVIT_FAST="1")
    assert done.stdout.count("Training the model") == 1, done.stderr
    assert float(done.stdout.split()[-1]) > 0.15  # ten classes
    assert run(code, tmp_path, TERVIT_FAST="1").stdout.count("Training the model") == 0
    assert not list(tmp_path.glob(".model*"))


def test_a_picture_that_cannot_be_read_ends_the_chapter_at_once(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    for name, words in (("none.png", "no such file"), ("text.png", "text.png: ")):
        done = subprocess.run(
            [sys.executable, str(FOLDER / "00_run_it.py"), str(tmp_path / name)],
            capture_output=True,
            encoding="utf-8",
            env=os.environ | {"TERVIT_TUTORIALS": str(tmp_path)},
        )
        assert done.returncode == 1
        assert done.stderr.startswith("00_run_it: ")
        assert words in done.stderr
        assert done.stdout == ""
