"""Weights, predictions and drawn images have the stored hashes, whatever computes them.

A change of the order of operations changes them on purpose, and CONTRIBUTING.md says how they are
renewed. Another processor, system or number of threads must not change them; `python -m
tests.processors` runs these tests as if on other processors.
"""

import json
from pathlib import Path

import pytest

pytest.importorskip("numba")

from tervit_np.environment import difference_of_bits  # noqa: E402
from tervit_np.kernels import has_tile, selected_variant  # noqa: E402
from tests.bits.short_trainings import RUNS  # noqa: E402

STORED = json.loads((Path(__file__).parent / "hashes.json").read_text())


@pytest.mark.rounding
@pytest.mark.skipif(bool(difference_of_bits()), reason=f"the bits {difference_of_bits()}")
@pytest.mark.parametrize(
    ("name", "threads"),
    [("deit", 1), ("deit", 4), ("distilled", 3), ("swin", 1), ("swin", 2), ("mixed", 2),
     ("shapes", 1)],
)  # fmt: skip
def test_the_bits_are_the_stored_ones(name, threads):
    found = RUNS[name](threads)
    assert found == {key: STORED[name][key] for key in found}
    assert has_tile(selected_variant()) == (len(found) == len(STORED[name])) or name in (
        "shapes",
        "mixed",
    )
