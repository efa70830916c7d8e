"""`tervit log` on records that the test writes."""

import csv
import io
import json

import pytest


@pytest.fixture
def run(tmp_path):
    """A run of 40 images in batches of 10: two epochs of float, one of ternary."""
    config = {
        "command": "", "started": "", "seed": 0, "threads": 1, "backend": "numba",
        "model": {"model": "deit", "config": {}, "dtype": "float32", "parameters": 1},
        "stages": [{"name": "float", "epochs": 2}, {"name": "ternary", "epochs": 1}],
        "recipe": {"batch_size": 10, "betas": [0.9], "augment": {}},
        "data": {"name": "d", "classes": ["a"], "train": 40, "val": 0, "test": 8},
        "environment": {},
    }  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(config))
    lines = [
        {"kind": "step", "stage": "float", "step": 4, "loss": 2.0, "lr": 0.002, "rate": 99.5},
        {"kind": "step", "stage": "float", "step": 8, "loss": 1.25, "lr": 0.001, "rate": 99.5},
        {
            "kind": "stage", "stage": "float", "epochs": 2, "seconds": 61.0,
            "start": {"test_accuracy": 0.125, "test_loss": 2.3},
            "end": {"test_accuracy": 0.5, "test_loss": 1.4},
        },
        {"kind": "step", "stage": "ternary", "step": 12, "loss": 1.5, "lr": 0.001},
    ]  # fmt: skip
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def test_epochs_and_finished_stages_are_printed(tervit, run):
    """Without a validation split, whose columns are then left out."""
    code, out, error = tervit("log", run)
    assert (code, error) == (0, "")
    assert out == (
        "stage    epoch  step  training loss  learning rate\n"
        "float        1     4          2.000       2.00e-03\n"
        "float        2     8          1.250       1.00e-03\n"
        "ternary      1    12          1.500       1.00e-03\n"
        "\n"
        "stage  epochs  test accuracy before   after  test loss  time\n"
        "float       2                12.5 %  50.0 %      1.400  1:01\n"
    )


def test_the_cpu_time_is_printed_where_it_is_known(tervit, run):
    metrics = run / "metrics.jsonl"
    known = metrics.read_text().replace('"seconds": 61.0', '"seconds": 61.0, "cpu_seconds": 122.0')
    metrics.write_text(known)
    head, row = tervit("log", run)[1].splitlines()[-2:]
    assert head.endswith("  time  CPU time")
    assert row.endswith("  1:01      2:02")


def test_the_tables_fit_the_terminal(tervit, run, monkeypatch):
    for file in run.iterdir():
        file.write_text(file.read_text().replace('"float"', '"before-everything-is-rounded"'))
    monkeypatch.setattr("tervit_np.cli.layout.is_terminal", lambda stream: True)
    monkeypatch.setenv("COLUMNS", "80")
    lines = tervit("log", run)[1].splitlines()
    assert max(map(len, lines)) <= 80
    assert (
        lines[-1] == f"before-everything-is-rounded{2:>8}         12.5 %  50.0 %      1.400  1:01"
    )


def test_csv_has_all_records(tervit, run):
    code, out, error = tervit("log", run, "--csv")
    assert (code, error) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["kind"] for row in rows] == ["step", "step", "stage", "step"]
    assert [row["loss"] for row in rows] == ["2.0", "1.25", "", "1.5"]
    assert (rows[2]["seconds"], rows[2]["cpu_seconds"]) == ("61.0", "")
    assert (rows[2]["end_test_accuracy"], rows[2]["rate"], rows[0]["rate"]) == ("0.5", "", "99.5")


def test_damaged_lines_are_counted(tervit, run):
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"kind": "step"\n')
    code, out, error = tervit("log", run)
    assert (code, out.count("ternary")) == (0, 1)
    assert "1 damaged line left out" in error


def test_a_run_that_has_just_begun_has_no_rows(tervit, run):
    (run / "metrics.jsonl").write_text("")
    code, out, _ = tervit("log", run)
    assert (code, len(out.splitlines())) == (0, 1)


def test_a_folder_without_a_run_is_refused(tervit, tmp_path):
    code, _, error = tervit("log", tmp_path)
    assert (code, len(error.splitlines())) == (2, 1)
    assert "holds no run: it has no run.json" in error
