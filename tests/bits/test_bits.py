"""Weights and predictions have the stored hashes, on every processor and any number of threads.

A change of the order of operations changes them on purpose: python tests/bits/short_trainings.py
writes what hashes.json is to hold. A new processor, system or number of threads must not.
"""

import json
from pathlib import Path

import pytest

pytest.importorskip("numba")

from tervit_np.backends import backend_name  # noqa: E402
from tervit_np.target import fuses_multiply_adds  # noqa: E402
from tests.bits.short_trainings import RUNS  # noqa: E402

STORED = json.loads((Path(__file__).parent / "hashes.json").read_text())


@pytest.mark.skipif(not fuses_multiply_adds() or backend_name() != "numba", reason="needs fused multiply-adds")
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("threads", [1, 3])
def test_short_trainings_end_in_the_stored_bits(name, threads):
    assert RUNS[name](threads) == STORED[name]
