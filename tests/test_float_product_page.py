"""docs/float_product.md agrees with the stored measurements."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("numba")
ROOT = Path(__file__).parents[1]


def products(page, processor):
    """Return a processor's rows {name: GFLOP/s}, shares of the peak and ratios to OpenBLAS."""
    rows = [{name: pair[0] for name, pair in row["speeds"].items()}
            for row in page.stored("float_product", processor)["rows"]]  # fmt: skip
    shares = [round(100 * row["ours"] / row["peak"]) for row in rows]
    return rows, shares, [row["ours"] / row["NumPy"] for row in rows]


def test_tables_are_those_of_the_stored_files():
    script = ROOT / "docs" / "make_float_product.py"
    spec = importlib.util.spec_from_file_location("float_product_page", script)
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.remade(text) == text
    for processor in page.measured("float_ladder"):
        speeds = page.stored("float_ladder", processor)["speeds"]
        assert f"| blocks | {speeds['blocks']:.1f} |" in text
    said = " ".join(text.split())
    rows, shares, ratios = products(page, "zen5")
    most = sum(s >= 92 for s in shares)
    assert f"On the Zen 5 all reach {min(shares)} % and {most} of them 92" in said
    assert f"the ratio to OpenBLAS is {min(ratios):.2f} to {max(ratios):.2f}" in said
    assert all(row["ours"] > row["PyTorch"] for row in rows)  # "slower on every shape"
    rows, shares, ratios = products(page, "zen2")
    assert f"{sum(s >= 85 for s in shares)} of the {len(rows)} products reach 85 %" in said
    assert [s for s in shares if s < 85] == [84] and "The other reaches 84 %" in said
    assert f"the ratio is {min(ratios):.2f} to {max(ratios):.2f}" in said
    assert f"OpenBLAS is faster on {sum(r < 1 for r in ratios)} of the products" in said
    assert all(row["ours"] > row["PyTorch"] for row in rows)  # "slower on every shape"
    text = page.BENCHMARKS.read_text(encoding="utf-8")
    assert page.remade_benchmarks(text) == text
    for processor in page.measured("train_step"):
        for row in page.stored("train_step", processor)["rows"]:
            assert f"| {row['shape']}, {row['batch']} |" in text
    gains = {
        row["shape"]: [row["seconds"][f"{plan} float32"] / row["seconds"][f"{plan} bf16"]
                       for plan in ("float", "ternary")]
        for row in page.stored("step_precision", "zen5")["rows"]
    }  # fmt: skip
    larger = gains.pop("p4 d192 L6") + gains.pop("DeiT-Tiny 224")
    smaller = sum(gains.values(), [])
    assert len(smaller) == 6
    assert f"three smaller models is {min(smaller):.2f} to {max(smaller):.2f} times" in said
    assert f"two larger models {min(larger):.2f} to {max(larger):.2f} times" in said
