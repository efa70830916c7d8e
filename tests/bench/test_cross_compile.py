"""Variants compiled for a 64-bit Arm CPU, and for an Intel with a matrix unit."""

import re
import subprocess

import pytest

from tervit_np.bench import cross_compile
from tervit_np.bench.assembly import count_instructions, explain, find_inner_loop

pytest.importorskip("numba")


@pytest.fixture(scope="module")
def loop():
    return find_inner_loop(cross_compile.assembly())


@pytest.fixture(scope="module", params=["sdot", "usdot"])
def dot_products_only(request):
    return request.param, find_inner_loop(cross_compile.assembly(request.param))


def test_the_loop_multiplies_vectors(loop):
    """2 tokens x 16 outputs x 4 inputs in a step: 128 products, four in an instruction."""
    counts = count_instructions(loop)
    assert counts["smlal"] + counts["smlal2"] == 32
    assert loop[-1].startswith("b.")


def test_the_loop_has_no_scalar_instructions(loop):
    """No scalar products, no loads of single bytes, no spilled sums, no calls."""
    names = set(count_instructions(loop))
    assert not names & {"mul", "madd", "smaddl", "ldrb", "ldrsb", "ldrsw", "bl", "stp", "str"}
    assert sum(name.startswith(("ld", "st")) for name in names) <= 3
    vectors = [line for line in loop if re.search(r"\bv\d+\.|\bq\d+", line)]
    assert len(vectors) > 0.85 * len(loop)
    assert all(explain(line) for line in loop)


def test_dot_instructions_are_counted(dot_products_only):
    """5 tokens x 16 outputs x 4 inputs in a step: 320 products, 16 in an instruction."""
    variant, lines = dot_products_only
    counts = count_instructions(lines)
    assert counts[variant] == 20
    assert counts["ld1r"] == 5  # four inputs of each token
    assert lines[-1].startswith("b.")
    assert len(lines) <= 36


def test_dot_products_stay_in_registers(dot_products_only):
    """One load of weights, one mask or shift for each of four slots; sums are never moved."""
    variant, lines = dot_products_only
    counts = count_instructions(lines)
    assert counts["ldr"] == 1
    assert counts["and"] + counts.get("ushr", 0) == 4
    assert set(counts) <= {
        variant,
        "ld1r",
        "ldr",
        "and",
        "ushr",
        "add",
        "sub",
        "subs",
        "cmp",
        "b.gt",
    }
    assert not any("sp" in line for line in lines)
    assert all(explain(line) for line in lines)


def test_neon_multiplies_bytes():
    """3 tokens x 16 outputs x 4 inputs in a step: 192 products, eight in an instruction."""
    lines = find_inner_loop(cross_compile.assembly("neon"))
    counts = count_instructions(lines)
    assert counts["smull"] + counts.get("smull2", 0) == 24
    assert counts["addp"] == counts["sadalp"] == 12
    assert not set(counts) & {"str", "stp", "ldp", "mul", "ldrb", "ldrsb"}
    assert len(lines) <= 72


def test_an_llvm_without_arm_is_reported(monkeypatch):
    done = subprocess.CompletedProcess([], 1, "", "Traceback\nRuntimeError: no such target\n")
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: done)
    with pytest.raises(ValueError, match="cannot compile for Arm: RuntimeError: no such"):
        cross_compile.assembly()


def test_the_matrix_unit_multiplies_four_tiles_for_four_loads():
    """2 x 2 tiles of 16 x 16 sums; none is moved to memory in the loop, or ever to the stack."""
    code = cross_compile.assembly("amx")
    lines = find_inner_loop(code)
    counts = count_instructions(lines)
    assert counts["tdpbssd"] == counts["tileloadd"] == 4
    assert "tilestored" not in counts
    assert not re.search(r"tile\w+\t.*%rsp", code)
    assert {"ldtilecfg", "tilerelease", "tilestored", "vgf2p8affineqb", "tilezero"} <= set(
        re.findall(r"^\t(\w+)", code, flags=re.MULTILINE)
    )
    assert all(explain(line) for line in lines)
