"""The short form of `python -m tests.fuzz`: a few damaged files of every format."""

import sys

import numpy as np
import pytest

from tests.fuzz.__main__ import fuzz
from tests.fuzz.faulty import FAULTY
from tests.fuzz.formats import FORMATS
from tests.fuzz.mutations import any_bytes

MUTATIONS = 25
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_read_or_refused(name):
    if name.startswith("packed"):
        pytest.importorskip("numba")
    results = fuzz(name, MUTATIONS, seed=0)
    assert len(results) == MUTATIONS
    assert [r for r in results if r.ended not in ("read", "refused")] == []


def test_the_same_seed_damages_in_the_same_way():
    one, two = (any_bytes(bytes(500), np.random.default_rng([3, 7])) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("name", FAULTY)
def test_every_fault_is_noticed(name, monkeypatch):
    monkeypatch.setattr("tests.fuzz.__main__.PATIENCE", 1 if name == "hangs" else 60)
    monkeypatch.setattr("tests.fuzz.__main__.SECONDS", 0.1)
    (result,) = fuzz(name, 1, 1)
    assert name.startswith(result.ended)
