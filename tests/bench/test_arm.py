"""The generic rung as a 64-bit Arm processor would get it."""

import re
import subprocess

import pytest

from tervit_np.bench import arm
from tervit_np.bench.assembly import counted, explained, innermost

pytest.importorskip("numba")


@pytest.fixture(scope="module")
def loop():
    return innermost(arm.assembly())


def test_the_loop_multiplies_vectors(loop):
    """2 tokens x 16 outputs x 4 inputs in a step: 128 products, four in an instruction."""
    counts = counted(loop)
    assert counts["smlal"] + counts["smlal2"] == 32
    assert loop[-1].startswith("b.")


def test_nothing_in_it_is_done_byte_by_byte(loop):
    """No scalar products, no loads of single bytes, no sums that left their registers, no calls."""
    names = set(counted(loop))
    assert not names & {"mul", "madd", "smaddl", "ldrb", "ldrsb", "ldrsw", "bl", "stp", "str"}
    assert sum(name.startswith(("ld", "st")) for name in counted(loop)) <= 3  # kinds of loads
    vectors = [line for line in loop if re.search(r"\bv\d+\.|\bq\d+", line)]
    assert len(vectors) > 0.85 * len(loop)
    assert all(explained(line) for line in loop)


def test_an_llvm_without_arm(monkeypatch):
    done = subprocess.CompletedProcess([], 1, "", "Traceback\nRuntimeError: no such target\n")
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: done)
    with pytest.raises(ValueError, match="translates nothing for Arm: RuntimeError: no such"):
        arm.assembly()
