"""Pages quote the errors that benchmarks/bf16_errors.py prints, on every processor."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("numba")
from tervit_np.environment import difference_of_bits  # noqa: E402

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(bool(difference_of_bits()), reason="sums in another order have other errors")
def test_pages_quote_the_printed_errors(capsys):
    spec = importlib.util.spec_from_file_location("errors", ROOT / "benchmarks" / "bf16_errors.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    page = (ROOT / "docs" / "float_product.md").read_text(encoding="utf-8")
    for _, _, precision, _, dx, _, dweight in lines[:3]:
        assert f"| {precision} | {dx} | {dweight} |" in page
    page = " ".join((ROOT / "docs" / "kernels.md").read_text(encoding="utf-8").split())
    said = [f"{error.replace('e-0', 'e-')} in {precision}" for _, _, precision, error in lines[3:]]
    assert f"{said[0]}, {said[1]} and {said[2]}" in page
