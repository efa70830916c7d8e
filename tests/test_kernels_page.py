"""docs/kernels.md agrees with the stored measurements and with the code."""

import importlib.util
import re
from pathlib import Path

import pytest

pytest.importorskip("numba")
from tervit_np.bench.store import load_results  # noqa: E402
from tervit_np.kernels import VARIANTS  # noqa: E402

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "kernels.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page():
    spec = importlib.util.spec_from_file_location("page", ROOT / "docs" / "make_kernels.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_are_those_of_the_stored_files(page, monkeypatch):
    monkeypatch.setattr(page.cross_compile, "TARGETS", {})  # they would be compiled
    for family, name in page.FAMILIES.items():
        results = load_results(page.store(family))
        section = TEXT.split(f"<!-- variants {family} -->")[1].split("<!-- end")[0]
        rows = page.variant_table(results.variants, True).splitlines()
        assert all(row in section for row in rows)
        assert page.limits_line(results.variants) in section
        assert page.machine_line(results.environments["variants"], name) in section
        for variant in results.variants.variants:
            assert f"| {variant.name} | {variant.speed:.1f} |" in section
    other = {family for family in page.FAMILIES if family != page.ELSEWHERE}
    monkeypatch.setattr(page, "FAMILIES", {family: page.FAMILIES[family] for family in other})
    assert page.remade(TEXT) == TEXT
    zen4 = load_results(page.store(page.ELSEWHERE))
    assert page.layer_table(zen4.layers) in TEXT
    assert page.model_table(zen4.models) in TEXT


def test_every_variant_is_explained():
    explained = [name for names in re.findall(r"^\*\*.*?\*\* (?:is|multiplies|keeps|uses|use|and)",
                                              TEXT, re.MULTILINE)
                 for name in re.findall(r"\w+(?=\*\*)", names)]  # fmt: skip
    assert set(explained) >= set(VARIANTS) - {"vnni512"}
    assert "**vnni512**" in TEXT
