import numpy as np
import pytest

from tervit_np.bench import climb
from tervit_np.bench.ladder import inner_loop
from tervit_np.kernels import available, processor

pytest.importorskip("numba")
HERE = available(processor.features())


def test_each_rung_is_timed():
    rungs = climb(12, 64, 64, rounds=3)
    assert [rung.name for rung in rungs if rung.name != "peak"] == list(HERE)
    assert all(rung.speed > 0 for rung in rungs)
    assert all(np.isnan(rung.share) or 0 < rung.share for rung in rungs)


@pytest.mark.parametrize(
    ("rung", "instruction"),
    [("avx2", "vpmaddubsw"), ("vnni256", "vpdpbusd"), ("vnni512", "vpdpbusd")],
)
def test_the_instruction_is_in_the_inner_loop(rung, instruction):
    if rung not in HERE:
        pytest.skip(f"this processor has no {rung}")
    assert any(instruction in line for line in inner_loop(rung))
