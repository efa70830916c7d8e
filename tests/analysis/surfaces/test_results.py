import json

import numpy as np
import pytest

from tervit_np.analysis.surfaces.results import FILE, read_surfaces, write_surfaces


@pytest.fixture
def stored(surfaces, tmp_path):
    return surfaces, write_surfaces(surfaces, tmp_path)


def leaves(value):
    """Flatten a result to its numbers and texts."""
    if isinstance(value, dict):
        value = tuple(value.items())
    if isinstance(value, tuple):
        return [leaf for each in value for leaf in leaves(each)]
    return list(np.asarray(value).ravel()) if isinstance(value, np.ndarray) else [value]


def test_all_results_are_read_back_to_six_digits(stored):
    surfaces, file = stored
    again = read_surfaces(file)
    assert type(again) is type(surfaces)
    assert isinstance(again.same.grids[0].loss, np.ndarray)
    pairs = list(zip(leaves(surfaces), leaves(again), strict=True))
    assert len(pairs) > 1000
    for a, b in pairs:
        assert a == (b if isinstance(a, str) else pytest.approx(b, rel=1e-5))


def test_the_file_is_plain_json(stored, tmp_path):
    _, file = stored
    assert [f.name for f in tmp_path.iterdir()] == [FILE]
    assert set(json.loads(file.read_text())["gaps"][0]) == {"latent", "loss", "error", "gaps"}


def damage(text, kind):
    data = json.loads(text)
    if kind == "cut":
        return text[:500]
    if kind == "deep":
        return "[" * 99_999
    if kind == "field":
        del data["gaps"][0]["loss"]
    if kind == "word":
        data["settings"]["images"] = "many"
    if kind == "list":
        data = [data]
    return json.dumps(data)


@pytest.mark.parametrize("kind", ["cut", "field", "word", "list", "deep"])
def test_a_damaged_file_is_refused(stored, kind):
    _, file = stored
    file.write_text(damage(file.read_text(), kind))
    with pytest.raises(ValueError, match=r"surface\.json is damaged or of another version"):
        read_surfaces(file)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`tervit surface RUN` writes it"):
        read_surfaces(tmp_path / FILE)
