"""Kernels compiled for Arm, for an Intel with a matrix unit, and for pairs of bfloat16."""

import os
import re
import subprocess
import sys

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


@pytest.mark.parametrize(
    ("code", "printed", "words"),
    [
        (1, "Traceback\nRuntimeError: no such target\n", "RuntimeError: no such"),
        (-9, "", "its process ended with -9"),
    ],
)
def test_an_llvm_that_fails_is_reported(monkeypatch, code, printed, words):
    done = subprocess.CompletedProcess([], code, "", printed)
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: done)
    with pytest.raises(ValueError, match=f"cannot compile for Arm: {words}"):
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


OTHERS = """
import os
import re
import numba, numpy as np
from tervit_np.compiled import bf16_matmul
from tervit_np.compiled.amx import AMX
from tervit_np.kernels import pack_int8
from tervit_np.kernels.bf16_attention import Bf16AttentionScratch, attend_bf16
from tervit_np.kernels.int8_gemm import quantize_and_multiply_int8_on_tiles

x, bias, tiles = np.zeros((32, 32), np.float32), np.zeros(32, np.float32), np.zeros(
    (2, 1, 1, 16, 16), np.int32)
layer = pack_int8(np.ones((32, 64), np.int8), np.float32(1))
scratch = Bf16AttentionScratch(AMX, tiles, tiles, tiles, x, tiles, x)
for kernel, arguments in (
    (bf16_matmul.input_gradient, (AMX, x, x, 3)),
    (bf16_matmul.weight_gradient, (AMX, x, x, 3)),
    (attend_bf16, (x, 0, 8, x, scratch, x)),
    (quantize_and_multiply_int8_on_tiles, (AMX, x, layer, bias)),
):
    fresh = numba.njit(error_model="numpy", boundscheck=False)(kernel.py_func)
    fresh.compile(tuple(map(numba.typeof, arguments)))
    code = next(iter(fresh.inspect_asm().values()))
    names = set(re.findall(r"^\\t(tdp\\w+|ldtilecfg|tile\\w+)\\t?", code, re.MULTILINE))
    print(kernel.py_func.__name__, *sorted(names), bool(re.search(r"tile\\w+\\t.*%rsp", code)))
"""


@pytest.mark.slow
def test_all_kernels_for_the_matrix_unit_compile():
    """LLVM ends the process where it has no instruction; no tile goes to the stack."""
    target = cross_compile.TARGETS["amx"]
    settings = {"TERVIT_BACKEND": "numpy", "NUMBA_CPU_NAME": target.cpu,
                "NUMBA_CPU_FEATURES": target.features}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", OTHERS], env=os.environ | settings,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == 4
    others = ["tileloadd", "tilerelease", "tilestored", "tilezero", "False"]
    for name, *found in lines:
        dot = "tdpbssd" if "int8" in name else "tdpbf16ps"
        assert found == ["ldtilecfg", dot, *others], name


PAIRS = """
import numba
from tervit_np.compiled.float_microkernel import run_pairs
from tervit_np.compiled.float_panels import Matrix
from tervit_np.compiled.float_tile import HALF

x = Matrix(64, 64, 4)
fresh = numba.njit(error_model="numpy", boundscheck=False)(run_pairs.py_func)
fresh.compile(tuple(map(numba.typeof, (HALF, 16, x, x, x, x))))
print(next(iter(fresh.inspect_asm().values())))
"""


def test_pairs_of_bfloat16_take_one_instruction_for_32_products():
    """6 rows x 32 columns x 4 inputs in a step; the sums stay in registers.

    The two lines of each row of the next tile of C are fetched.
    """
    features = "avx2 fma avx512f avx512bw avx512dq avx512vl avx512bf16".split()
    settings = {"TERVIT_BACKEND": "numpy", "NUMBA_CPU_NAME": "znver4",
                "NUMBA_CPU_FEATURES": ",".join(f"+{name}" for name in features)}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", PAIRS], env=os.environ | settings,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = find_inner_loop(done.stdout)
    counts = count_instructions(lines)
    assert counts["vdpbf16ps"] == 24
    assert counts["vbroadcastss"] == 12
    assert counts["vmovups"] == 4
    assert not any("(%rsp" in line for line in lines)
    assert done.stdout.count("prefetcht0") == 12
