import json
import re

import pytest

from tervit_np.cli.new_run import parse_stages
from tervit_np.train import PRESETS

SMALL = ("--model", "deit_shapes", "--batch-size", 16, "--validation", 8, "--quiet")


def test_a_run_fills_its_folder_and_ends_with_the_accuracies(tervit, pictures, tmp_path):
    out = tmp_path / "run"
    code, text, _ = tervit(
        "train", "--data", f"folder:{pictures}", "--stages", "float:2,int8:1,ternary:1",
        "--teacher", "float", "--out", out, *SMALL,
    )  # fmt: skip
    assert code == 0
    assert re.fullmatch(
        r"test accuracy: float [\d.]+  8-bit [\d.]+  ternary [\d.]+", text.splitlines()[-1]
    )
    names = {file.name for file in out.iterdir()}
    assert {"run.json", "metrics.jsonl", "report.html", "ternary.npz"} <= names
    stages = json.loads((out / "run.json").read_text())["stages"]
    assert [stage["teacher"] for stage in stages] == [None, "float", "float"]

    again, text2, _ = tervit("train", "--resume", out, "--quiet")
    assert (again, text2.splitlines()[-1]) == (0, text.splitlines()[-1])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--data", "mnist"), "mnist"),
        (("--stages", "float"), "'float' is not PLAN:EPOCHS"),
        (("--stages", "trinary:3"), "trinary"),
        (("--stages", "float:two"), "'float:two' is not PLAN:EPOCHS"),
        (
            ("--stages", "float:1", "--teacher", "float8"),
            "--teacher is 'float8'; expected one of the stages float",
        ),
        (("--model", "resnet50"), "unknown model 'resnet50'"),
        (("--resume", "no/such/run"), "holds no run"),
        (("--threads", "0"), "at least 1"),
        (("--epochs", "3"), "set epochs and learning rates with --stages"),
        (("--lr=1e-3",), "no option --lr; set epochs and learning rates with --stages"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_2(tervit, pictures, tmp_path, args, words):
    defaults = {"--data": f"folder:{pictures}", "--out": tmp_path / "run"}
    options = [x for pair in defaults.items() if pair[0] not in args for x in pair]
    code, _, error = tervit("train", *options, "--validation", 8, *args)
    assert code == 2
    assert words in error
    assert len(error.strip().splitlines()) == 1
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


def test_stages_take_their_rates_from_the_preset():
    preset = PRESETS["shapes"]
    stages = parse_stages("float:2, int4:1, ternary:0.5@3e-4", preset)
    assert [s.name for s in stages] == ["float", "4-bit", "ternary"]
    assert [s.epochs for s in stages] == [2, 1, 0.5]
    assert stages[0].lr == preset.stages[0].lr
    assert stages[2].lr == 3e-4


def test_the_error_for_a_full_disk_says_how_to_continue(tervit, pictures, tmp_path, monkeypatch):
    """The second stage's file does not fit; with room the run is finished."""
    from tervit_np.train import folder

    out = tmp_path / "run"
    write = folder.write_npz
    saved = []

    def full(path, *args):
        if len(saved) == 2:
            raise OSError(28, "No space left on device")
        saved.append(path)
        write(path, *args)

    monkeypatch.setattr(folder, "write_npz", full)
    args = ("--data", f"folder:{pictures}", "--stages", "float:1,ternary:2", "--out", out)
    code, _, error = tervit("train", *args, *SMALL)
    assert code == 2
    assert (
        f"No space left on device; make room and continue with `tervit train --resume {out}`"
        in error
    )
    monkeypatch.setattr(folder, "write_npz", write)
    code, text, _ = tervit("train", "--resume", out, "--quiet")
    assert code == 0
    assert "ternary" in text.splitlines()[-1]


def test_ctrl_c_saves_and_resuming_finishes(pictures, tmp_path, popen):
    out = tmp_path / "run"
    run = popen(
        "train", "--data", f"folder:{pictures}", "--stages", "float:2000", "--out", out, *SMALL
    )
    run.wait_for_file(out / "metrics.jsonl", "step")
    run.interrupt()
    code, _, error = run.finish()
    assert code == 130
    assert "everything is saved" in error
    assert f"tervit train --resume {out}" in error
    assert (out / "checkpoint.npz").exists()
