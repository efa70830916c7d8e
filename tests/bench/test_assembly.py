import pytest

from tervit_np.bench.assembly import count_instructions, explain, find_inner_loop, inner_loop
from tervit_np.kernels import runnable

pytest.importorskip("numba")
HERE = runnable()


@pytest.mark.parametrize(
    ("variant", "instruction", "times"),
    [
        ("avx2", "vpmaddubsw", 4),  # the loop found may be that of two rows, or of three
        ("vnni256", "vpdpbusd", 24),
        ("vnni512", "vpdpbusd", 24),
        ("neon", "sadalp", 12),
        ("sdot", "sdot", 20),
        ("usdot", "usdot", 20),
    ],
)
def test_the_instruction_is_in_the_inner_loop(variant, instruction, times):
    """As many as there are sums in the tile, or a multiple, where the loop is unrolled."""
    if variant not in HERE:
        pytest.skip(f"this processor has no {variant}")
    lines = inner_loop(variant)
    assert count_instructions(lines)[instruction] % times == 0
    assert lines[-1].startswith(("j", "b."))


@pytest.mark.parametrize("variant", ["loop", "vector", "generic"])
def test_every_compiled_variant_has_a_loop(variant):
    lines = inner_loop(variant)
    assert len(lines) > 3
    assert all(explain(line) for line in lines)


def test_numpy_has_no_loop():
    assert inner_loop("numpy") == []
    with pytest.raises(ValueError, match="no kernel 'fastest'"):
        inner_loop("fastest")


TEXT = """
.LBB0_1:
\tmovq\t%rax, %rbx
\tjmp\t.LBB0_2
.LBB0_2:
\tvpdpbusd\t%zmm0, %zmm29, %zmm8
\tvpandq\t(%r13), %zmm30, %zmm0
\t.p2align 4
\tvpdpbusd\t%zmm0, %zmm30, %zmm9
\tsubq\t$1, %rax
\tjne\t.LBB0_2
\tmovq\t%rax, %rbx
.LBB0_3:
\tvpdpbusd\t%zmm0, %zmm29, %zmm8
"""


def test_the_loop_ends_where_it_jumps_back():
    lines = find_inner_loop(TEXT)
    assert [line.split()[0] for line in lines] == ["vpdpbusd", "vpandq", "vpdpbusd", "subq", "jne"]
    assert list(count_instructions(lines).items())[0] == ("vpdpbusd", 2)


MACOS = """
_linear:
\tmovi.2d\tv0, #0000000000000000
LBB0_1:
\tldr\tq1, [x8], #64
\tand.16b\tv2, v1, v3
\tsdot.4s\tv0, v2, v4
\tb.gt\tLBB0_1
"""


def test_the_syntax_of_macos():
    lines = find_inner_loop(MACOS)
    assert [line.split()[0] for line in lines] == ["ldr", "and", "sdot", "b.gt"]
    assert explain(lines[1]).startswith("one slot of weights")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("vpdpbusd\t%zmm0, %zmm29, %zmm8", "four products of bytes"),
        ("vpandq\t(%r13), %zmm30, %zmm0", "weights loaded"),
        ("vpandq\t%zmm1, %zmm30, %zmm0", "one slot of weights"),
        ("vmovdqu64\t64(%rbx,%rax), %zmm30", "a load"),
        ("vmovdqa\t%ymm3, 32(%rsp)", "a store"),
        ("vmovdqa64\t%zmm2, %zmm29", "a copy"),
        ("ld1r\t{ v30.2s }, [x24], #4", "four inputs of a token"),
        ("and\tv8.16b, v28.16b, v29.16b", "one slot of weights"),
        ("ushr\tv28.16b, v28.16b, #6", "one slot of weights"),
        ("usdot\tv7.4s, v31.16b, v30.16b", "four products of bytes"),
        ("smull\tv1.8h, v27.8b, v10.8b", "products of two rows of bytes"),
        ("addp\tv1.8h, v4.8h, v26.8h", "neighbouring products added"),
        ("ext\tv28.16b, v27.16b, v27.16b, #8", "lanes rearranged"),
        ("smlal2\tv27.4s, v13.8h, v14.8h", "products of 16 bits"),
        ("b.gt\t.LBB0_17", "a jump back to the first line"),
        ("leaq\t4(%rax), %rbx", "addresses"),
    ],
)
def test_explanations(line, text):
    assert explain(line).startswith(text)
