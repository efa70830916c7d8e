"""Weights, predictions and drawn images have the stored hashes, whatever computes them.

A change of the order of operations changes them on purpose, and CONTRIBUTING.md says how they are
renewed. Another processor, system or number of threads must not change them; `python -m
tests.processors` runs these tests as if on other processors.
"""

import json
from pathlib import Path

import pytest

pytest.importorskip("numba")

from tervit_np.environment import difference_of_predictions, difference_of_weights  # noqa: E402
from tests.bits.short_trainings import RUNS  # noqa: E402

STORED = json.loads((Path(__file__).parent / "hashes.json").read_text())


@pytest.mark.rounding
@pytest.mark.skipif(bool(difference_of_weights()), reason=f"last bits {difference_of_weights()}")
@pytest.mark.parametrize(
    ("name", "threads"),
    [("deit", 1), ("deit", 4), ("distilled", 3), ("swin", 1), ("swin", 2), ("mixed", 2),
     ("readme", 2), ("learned", 1), ("pictures", 1), ("shapes", 1)],
)  # fmt: skip
def test_the_bits_are_the_stored_ones(name, threads):
    found = RUNS[name](threads)
    assert found == {key: STORED[name][key] for key in found}
    missing = STORED[name].keys() - found.keys()
    if missing:
        assert all(key.startswith("packed") for key in missing)
        pytest.skip(f"the weights are the stored ones; last bits {difference_of_predictions()}")
