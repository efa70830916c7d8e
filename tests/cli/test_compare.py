import json
import time

import pytest

PLAN = """
name = "bright"
data = "folder:{pictures}"
model = "deit_shapes"
config = {{ dim = 16, depth = 1 }}
recipe = {{ batch_size = 16 }}
validation = 16
multipliers = [0.5, 1]
search_seeds = [9]
seeds = [0, 1]
baseline = "direct"

[[arms]]
name = "direct"
stages = [
    {{ name = "float", plan = "float", epochs = 1 }},
    {{ name = "ternary", plan = "ternary", epochs = {epochs} }},
]

[[arms]]
name = "from scratch"
stages = [{{ name = "ternary", plan = "ternary", epochs = 2 }}]
"""


@pytest.fixture
def plan(pictures, tmp_path):
    file = tmp_path / "plan.toml"
    file.write_text(PLAN.format(pictures=pictures, epochs=1))
    return file


def test_redraw_prints_the_same_tables(tervit, plan, tmp_path):
    out = tmp_path / "out"
    code, text, error = tervit("compare", plan, "--out", out, "--threads", 1, "--quiet")
    assert (code, error) == (0, "")
    assert "| from scratch | ternary 2" in text
    assert "| from scratch against direct |" in text
    record = json.loads((out / "comparison.json").read_text())
    assert record["data"] == {"train": 80, "validation": 16, "test": 32}

    picture = (out / "comparison.png").read_bytes()
    (out / "comparison.png").unlink()
    code, again, _ = tervit("compare", "--redraw", out)
    assert (code, again) == (0, text)
    assert (out / "comparison.png").read_bytes() == picture
    code, again, _ = tervit("compare", "--redraw", out / "comparison.json", "--out", tmp_path / "x")
    assert again.splitlines()[:-1] == text.splitlines()[:-1]
    assert (tmp_path / "x" / "comparison.png").read_bytes() == picture


def test_the_error_after_ctrl_c_says_how_to_continue(plan, pictures, tmp_path, popen):
    plan.write_text(PLAN.format(pictures=pictures, epochs=1).replace("epochs = 1 ", "epochs = 60 ")
                    .replace("epochs = 2 ", "epochs = 120 "))  # fmt: skip
    args = ("compare", plan, "--out", tmp_path / "out", "--threads", 1)
    run = popen(*args)
    while not (metrics := list((tmp_path / "out").glob("stages/*/metrics.jsonl"))):
        assert run.process.poll() is None, run.process.communicate()
        time.sleep(0.05)
    run.wait_for_file(metrics[0], "step")
    run.interrupt()
    code, _, error = run.finish()
    assert code == 130
    assert "repeat the command to continue" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "expected either a plan, or --redraw"),
        (("no.toml",), "no.toml: no such file; expected a plan"),
        (("no.toml", "--processes", 0), "'0' is not a number of processes, 1 to 1024"),
        (("--redraw", "no.json"), "no.json: no such file; a finished comparison writes it"),
        (("{plan}", "--redraw", "x"), "expected either a plan, or --redraw"),
        (("{plan}", "--threads", 0), "threads is 0"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_2(tervit, plan, tmp_path, args, words):
    args = [str(arg).replace("{plan}", str(plan)) for arg in args]
    code, _, error = tervit("compare", *args, *(("--out", tmp_path / "o") if args else ()))
    assert code == 2
    assert words in error
    assert len(error.strip().splitlines()) == 1


def test_unequal_budgets_are_refused_before_anything_is_trained(tervit, plan, pictures, tmp_path):
    plan.write_text(PLAN.format(pictures=pictures, epochs=2))
    code, _, error = tervit("compare", plan, "--out", tmp_path / "out")
    assert code == 2
    assert "'from scratch' trains for 2 epochs in total, 'direct' for 3" in error
    assert not (tmp_path / "out").exists()
