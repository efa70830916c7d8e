import json

import pytest

pytest.importorskip("numba")


@pytest.fixture
def small(monkeypatch):
    """One small shape instead of six, and a ladder for it."""
    from tervit_np.bench import ladder, limits, rivals

    monkeypatch.setattr(rivals.compare, "__defaults__", (((3, 16, 64),), 3))
    monkeypatch.setattr(ladder.climb, "__defaults__", (6, 16, 64, 3))
    monkeypatch.setattr(ladder, "inner_loop", lambda name: [f"add {name}"])
    monkeypatch.setattr(limits, "PLACES", dict.fromkeys(("L1", "L2", "memory"), 3 * 2**13))


def test_the_table_the_file_and_the_picture(tervit, tmp_path, small):
    out, plot = tmp_path / "bench.json", tmp_path / "bench.png"
    code, printed, _ = tervit("bench", "--rounds", 3, "--out", out, "--plot", plot)
    assert code == 0
    assert "3x16x64" in printed
    assert plot.exists()
    section = json.loads(out.read_text())["layers"]
    assert section["environment"]["kernel"] in printed
    assert section["found"][0]["times"]["ternary"]["median"] > 0
    again = tervit("bench", "--from", out)[1]
    assert again.splitlines() == printed.splitlines()[:-2]  # but for the names of the files


def test_the_ladder(tervit, tmp_path, small):
    out, plot = tmp_path / "bench.json", tmp_path / "roofline.png"
    code, printed, _ = tervit("bench", "--explain", "--rounds", 3, "--out", out, "--plot", plot)
    assert code == 0
    assert "reading, GB/s: L1" in printed
    assert plot.exists()
    assert tervit("bench", "--explain", "--from", out)[1].splitlines() == printed.splitlines()[:-2]


def test_whole_models(tervit, tmp_path):
    out, plot = tmp_path / "bench.json", tmp_path / "models.png"
    args = ("--model", "deit_shapes,swin_cifar", "--batch", "1,2", "--out", out, "--plot", plot)
    code, printed, _ = tervit("bench", *args, "--rounds", 1)
    assert code == 0
    assert "deit_shapes, threads: 1" in printed
    assert plot.exists()
    again = tervit("bench", "--from", out, "--model", "deit_shapes,swin_cifar")[1]
    assert again.splitlines() == printed.splitlines()[:-2]


def test_assembly(tervit):
    code, printed, _ = tervit("bench", "--assembly", "vector")
    assert code == 0
    assert "was this the last step?" in printed
    assert "no inner loop of ours" in tervit("bench", "--assembly", "numpy")[1]
    assert "four inputs of a token" in tervit("bench", "--assembly", "sdot")[1]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--rounds", 0), "whole numbers from 1 on"),
        (("--assembly", "sse"), "no kernel 'sse'"),
        (("--model", "deit_shapes", "--batch", "1,x"), "--batch is 'x'"),
        (("--model", "resnet"), "unknown model 'resnet'"),
        (("--from", "nowhere.json"), "nowhere.json: no such file"),
    ],
)
def test_refusals(tervit, args, words):
    code, _, error = tervit("bench", *args)
    assert (code, len(error.splitlines())) == (2, 1)
    assert words in error
