import json

import pytest

pytest.importorskip("numba")


def test_the_table_and_the_file(tervit, tmp_path, monkeypatch):
    from tervit_np.bench import rivals

    monkeypatch.setattr(rivals.compare, "__defaults__", (((3, 16, 64),), 3))
    code, out, _ = tervit("bench", "--rounds", 3, "--out", tmp_path / "bench.json")
    assert code == 0
    assert "3x16x64" in out
    stored = json.loads((tmp_path / "bench.json").read_text())
    assert stored["environment"]["kernel"] in out
    assert stored["rows"][0]["times"]["ternary"]["median"] > 0


def test_no_rounds(tervit):
    code, _, error = tervit("bench", "--rounds", 0)
    assert (code, len(error.splitlines())) == (2, 1)
