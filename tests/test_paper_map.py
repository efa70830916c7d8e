"""docs/paper_map.md has no dead link, and its numbers are the stored ones."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("paper_map", ROOT / "docs" / "make_paper_map.py")
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)
ITEMS = script.read()
EVERY = [item for items in ITEMS.values() for item in items]
GOOD = {
    "item": "a rule",
    "known": "paper",
    "code": ["tervit_np.quant.ternary:Ternary.backward"],
    "tests": ["tests/test_paper_map.py::test_every_link_of_an_item_leads_somewhere"],
    "see": ["docs/results.md"],
    "number": "{a:.3f}",
    "fields": {"a": "docs/surface_cifar10.json#gaps/latent=float/gaps/name=8-bit/gap"},
}


@pytest.mark.parametrize("item", EVERY, ids=lambda item: item["item"][:40])
def test_every_link_of_an_item_leads_somewhere(item):
    assert script.problems(item) == []


def test_the_page_is_made_from_the_items():
    assert script.PAGE.read_text(encoding="utf-8") == script.page(ITEMS)


def test_all_kinds_have_items_and_no_item_comes_twice():
    assert list(ITEMS) == list(script.TITLES)
    assert all(ITEMS.values())
    assert len({item["item"] for item in EVERY}) == len(EVERY)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("code", ["tervit_np.quant.ternary:Ternari"], "code: tervit_np.quant.ternary:Ternari is"),
        ("code", ["tervit_np.quant.tertiary:Ternary"], "code: tervit_np.quant.tertiary:Ternary is"),
        ("code", [], "no code"),
        ("tests", ["tests/test_paper_map.py::test_nothing"], "tests: tests/test_paper_map.py::te"),
        ("tests", ["tests/test_none.py::test_nothing"], "tests: tests/test_none.py::test_nothing"),
        ("see", ["tutorials/99_none.py"], "see: tutorials/99_none.py is not there"),
        ("known", "hearsay", "known is 'hearsay'"),
        ("reason", "none", "needs either a number or the reason"),
        ("colour", "red", "unknown field colour"),
        ("fields", {"a": "docs/surface_cifar10.json#gaps/latent=float/nothing"}, "number: KeyErr"),
        ("fields", {"a": "docs/surface_cifar10.json#gaps/latent=none/gaps"}, "number: KeyError"),
        ("fields", {"a": "docs/comparisons/main.json#contrast/none/mean"}, "number: KeyError"),
        ("fields", {"a": "docs/none.json#gaps"}, "number: FileNotFoundError"),
        ("fields", {"a": "no_such_function"}, "number: KeyError"),
        ("fields", {}, "number: KeyError"),
    ],
)
def test_a_dead_link_is_found(field, value, problem):
    assert script.problems(GOOD) == []
    found = script.problems({**GOOD, field: value})
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_a_number_is_the_mean_of_all_elements_that_match(tmp_path):
    file = tmp_path / "runs.json"
    file.write_text('[{"a": "x", "n": 1}, {"a": "x", "n": 2}, {"a": "y", "n": 9}]')
    assert script.value_of(f"{file}#a=x/n") == 1.5
    assert script.value_of(f"{file}#2/n") == 9


def test_closed_forms_are_those_of_random_weights():
    """Of normal rows, and of normal rows whose sizes are log-normal."""
    import numpy as np

    from tervit_np.quant import ternarize

    def error(w, **options):
        return ((w - ternarize(w, **options).dequantize()) ** 2).sum() / (w**2).sum()

    rng = np.random.default_rng(0)
    normal = rng.normal(size=(400, 4000))
    uneven = normal * np.exp(rng.normal(0, 0.5, (400, 1)))
    kept, whole = script.value_of("gaussian_error_support"), script.value_of("gaussian_error_mean")
    assert error(normal) == pytest.approx(kept, abs=1e-3)
    assert error(normal, scale="mean") == pytest.approx(whole, abs=1e-3)
    best = script.value_of("gaussian_error_best")
    assert error(normal, threshold="exact") == pytest.approx(best, abs=1e-3)
    layer = script.value_of("lognormal_error_layer")
    assert error(uneven, granularity="tensor") == pytest.approx(layer, abs=0.03)
