import json
from pathlib import Path

import pytest

pytest.importorskip("numba")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def small(monkeypatch):
    """One small shape instead of six, and all variants for it."""
    from tervit_np.bench import baselines, limits, variants

    monkeypatch.setattr(baselines.compare, "__defaults__", (((3, 16, 64),), 3))
    monkeypatch.setattr(variants.time_variants, "__defaults__", (6, 16, 64, 3))
    monkeypatch.setattr(variants, "inner_loop", lambda name: [f"add {name}"])
    monkeypatch.setattr(limits, "MEMORY_LEVELS", dict.fromkeys(("L1", "L2", "memory"), 3 * 2**13))


def test_layers_are_printed_stored_and_plotted(tervit, tmp_path, small):
    out, plot = tmp_path / "bench.json", tmp_path / "bench.png"
    code, printed, _ = tervit("bench", "--rounds", 3, "--out", out, "--plot", plot)
    assert code == 0
    assert "3x16x64" in printed
    assert plot.exists()
    section = json.loads(out.read_text())["layers"]
    assert section["environment"]["kernel"] in printed
    assert section["results"][0]["times"]["ternary"]["median"] > 0
    again = tervit("bench", "--from", out)[1]
    assert again.splitlines() == printed.splitlines()[:-2]  # except the names of the files


def test_variants_are_printed_stored_and_plotted(tervit, tmp_path, small):
    out, plot = tmp_path / "bench.json", tmp_path / "roofline.png"
    code, printed, _ = tervit("bench", "--variants", "--rounds", 3, "--out", out, "--plot", plot)
    assert code == 0
    assert "reading, GB/s: L1" in printed
    assert plot.exists()
    assert tervit("bench", "--variants", "--from", out)[1].splitlines() == printed.splitlines()[:-2]


def test_whole_models_are_printed_stored_and_plotted(tervit, tmp_path):
    out, plot = tmp_path / "bench.json", tmp_path / "models.png"
    args = ("--model", "deit_shapes,swin_cifar", "--batch", "1,2", "--out", out, "--plot", plot)
    code, printed, _ = tervit("bench", *args, "--rounds", 1)
    assert code == 0
    assert "deit_shapes, threads: 1" in printed
    assert plot.exists()
    code, _, error = tervit("bench", "--from", out, "--model", "deit_shapes", "--threads", 2)
    assert code == 2
    assert error.endswith("it holds: models, deit_shapes (threads: 1), swin_cifar (threads: 1)\n")
    again = tervit("bench", "--from", out, "--model", "deit_shapes,swin_cifar")[1]
    assert again.splitlines() == printed.splitlines()[:-2]


def test_assembly_is_printed_with_explanations(tervit):
    code, printed, _ = tervit("bench", "--assembly", "vector")
    assert code == 0
    assert "a test for the last step" in printed
    assert "there is no inner loop" in tervit("bench", "--assembly", "numpy")[1]
    assert "four inputs of a token" in tervit("bench", "--assembly", "sdot")[1]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--rounds", 0), "--rounds is 0; expected at least 1"),
        (("--model", "deit_shapes", "--threads", -1), "--threads is -1; expected at least 1"),
        (("--model", "deit_shapes", "--threads", 2000), "--threads is 2000; expected at most 1024"),
        (("--threads", 2), "--threads is for whole models; name one with --model"),
        (("--variants", "--batch", "1"), "--batch is for whole models; name one with --model"),
        (("--model", "deit_shapes,vgg"), "unknown model 'vgg'"),
        (("--model", "deit_shapes,"), "unknown model ''"),
        (("--assembly", "sse"), "no kernel 'sse'"),
        (("--model", "deit_shapes", "--batch", "1,x"), "--batch is 'x'"),
        (("--model", "deit_shapes", "--batch", "²"), "--batch is '²'; expected positive"),
        (("--model", "resnet"), "unknown model 'resnet'"),
        (("--from", "nowhere.json"), "nowhere.json: no such file"),
        (("--from", "b.json", "--rounds", 3), "--rounds cannot be given with --from, which"),
        (("--assembly", "vector", "--rounds", 3), "--rounds cannot be given with --assembly"),
        (("--assembly", "vector", "--out", "b.json"), "--out cannot be given with --assembly"),
        (("--assembly", "vector", "--from", "b.json"), "--from cannot be given with --assembly"),
        (("--assembly", "vector", "--plot", "b.png"), "--plot cannot be given with --assembly"),
        (("--from", "b.json", "--plot", "./b.json"), "--plot is b.json, the file of measurements"),
        (("--out", "b.json", "--plot", "b.json"), "--plot is b.json, the file of measurements"),
        (("--plot", "b.pdf"), "--plot is b.pdf; expected a name that ends in .png"),
    ],
)
def test_wrong_options_are_refused_in_one_line(tervit, args, words):
    code, _, error = tervit("bench", *args)
    assert (code, len(error.splitlines())) == (2, 1)
    assert words in error


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda machine: machine.pop("kernel"), "environment.kernel is missing"),
        (lambda machine: machine.update(load=1), "environment.load is 1; expected text"),
    ],
)
def test_an_edited_environment_is_refused_in_one_line(tervit, tmp_path, change, words):
    """Its lines are printed above the table."""
    file = tmp_path / "b.json"
    stored = json.loads((ROOT / "docs" / "bench_zen4.json").read_text())
    change(stored["layers"]["environment"])
    file.write_text(json.dumps(stored))
    code, _, error = tervit("bench", "--from", file)
    assert (code, len(error.splitlines())) == (2, 1)
    assert f"{file} is damaged: layers.{words}" in error


def test_explain_is_the_old_name_of_variants(tervit, tmp_path, small):
    out = tmp_path / "bench.json"
    assert tervit("bench", "--explain", "--rounds", 3, "--out", out)[0] == 0
    assert "--explain" not in tervit("bench", "--help")[1]


@pytest.mark.parametrize("args", [("--variants", "--model", "deit_shapes"),
                                  ("--model", "deit_shapes", "--assembly", "loop"),
                                  ("--from", "b.json", "--out", "b.json")])  # fmt: skip
def test_options_exclude_each_other(tervit, args):
    code, _, error = tervit("bench", *args)
    assert code == 2
    assert "not allowed with argument" in error


@pytest.mark.parametrize("option", ["--out", "--plot"])
def test_nothing_is_measured_that_could_not_be_written(tervit, tmp_path, monkeypatch, option):
    monkeypatch.setattr("tervit_np.bench.compare", None)  # a call would be a TypeError
    (tmp_path / "notes.json").write_text("[]")
    paths = {"none/x": "there is no folder", ".": "is a folder"}
    if option == "--out":
        paths["notes.json"] = "holds no measurements of `tervit bench`"
    for path, words in paths.items():
        code, printed, error = tervit("bench", option, tmp_path / path)
        assert (code, printed, len(error.splitlines())) == (2, "", 1)
        assert words in error


def test_measured_models_are_kept(tervit, tmp_path, monkeypatch):
    """Ctrl-C in the second of two models leaves the first in the file."""
    from tervit_np import bench

    compare_models = bench.compare_models

    def stopped(name, *args):
        if name == "swin_cifar":
            raise KeyboardInterrupt
        return compare_models(name, *args)

    monkeypatch.setattr(bench, "compare_models", stopped)
    args = ("--model", "deit_shapes,swin_cifar", "--batch", "1", "--rounds", 1)
    code, _, _ = tervit("bench", *args, "--out", tmp_path / "b.json")
    assert code == 130
    assert (
        "deit_shapes" in tervit("bench", "--model", "deit_shapes", "--from", tmp_path / "b.json")[1]
    )


def test_without_numba_there_is_nothing_to_measure(tervit, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for args in ((), ("--variants",), ("--assembly", "loop"), ("--model", "deit_shapes")):
        code, printed, error = tervit("bench", *args)
        assert (code, printed) == (2, "")
        assert error.startswith("tervit bench: the kernels need Numba, which is not installed")


def test_without_compilation_there_is_nothing_to_measure(shell):
    pytest.importorskip("numba")
    done = shell("bench", NUMBA_DISABLE_JIT="1")
    assert done.returncode == 2
    assert "there are no kernels to measure; unset it" in done.stderr
    assert "Traceback" not in done.stderr
