"""Weights and predictions have the stored hashes, on every processor and any number of threads.

A change of the order of operations changes them on purpose: python tests/bits/short_trainings.py
writes what hashes.json is to hold. A new processor, system or number of threads must not.
"""

import json
from pathlib import Path

import pytest

pytest.importorskip("numba")

from tervit_np.environment import difference_of_bits  # noqa: E402
from tests.bits.short_trainings import RUNS  # noqa: E402

STORED = json.loads((Path(__file__).parent / "hashes.json").read_text())


@pytest.mark.skipif(bool(difference_of_bits()), reason=f"the bits {difference_of_bits()}")
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("threads", [1, 3])
def test_short_trainings_end_in_the_stored_bits(name, threads):
    assert RUNS[name](threads) == STORED[name]
