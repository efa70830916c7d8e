"""The assembly of a variant's inner loop, and an explanation of each instruction.

In assembly, a kernel consists of blocks between labels; the inner loop is the block with the most
multiplications. Where a loop has branches, it is the largest part of it.
"""

import re
from typing import Any

import numpy as np

from tervit_np.bench.baselines import random_problem
from tervit_np.kernels import quantize_tokens
from tervit_np.kernels.isa import check_supported

_MULTIPLIES = re.compile(  # or compares a code with 1 or -1, instead of multiplying
    r"\t(?:(?:vpdpbusd|vpmaddubsw|vpdpwssd|tdpbssd|vdpbf16ps|vpmaddwd|vpmulld|vpcmpeqb|[su]mlal2?|"
    r"[su]mull2?|mla|u?sdot)\s|cmp[bl]\s+\$(?:1|-1|255),)"
)
_EXPLANATIONS = (  # an instruction is explained by the first pattern that matches
    (r"vpdpbusd|u?sdot", "four products of bytes, added to each 32-bit sum"),
    (r"tdpbssd", "16 x 16 x 64 products of bytes, added to a tile of 32-bit sums"),
    (r"vdpbf16ps", "two products of bfloat16 numbers, added to each float32 sum"),
    (r"tileload", "a tile loaded: 16 rows of 64 bytes"),
    (r"prefetch", "the next tile's tokens or outputs, fetched into the cache"),
    (r"vcvtdq2ps|v(mul|add)ps", "sums of the block before, scaled"),
    (r"vpmaddubsw", "products of bytes, added in pairs to 16 bits"),
    (r"vpdpwssd", "products of 16 bits, added in pairs to each 32-bit sum"),
    (r"vpmaddwd", "products of 16 bits, added in pairs to 32 bits"),
    (r"[su]mlal2? ", "products of 16 bits, added to 32-bit sums"),
    (r"[su]mull2? ", "products of two rows of bytes, 16 bits each"),
    (r"addp|[su]adalp", "neighbouring products added, or added to 32-bit sums"),
    (r"vpbroadcastd|ld1r", "four inputs of a token, copied into every lane"),
    (r"vpand.*\(", "weights loaded, one slot selected by its mask"),
    (r"vpand|and .*v\d|ushr .*v\d", "one slot of weights, selected by its mask or a shift"),
    (r"vpmovzx|ushll", "unsigned weights widened"),
    (r"vpmovsx|sshll", "signed bytes widened"),
    (
        r"ext |uzp[12]|vperm|vpshuf|vpblend|vpunpck|vpack|vpmov[dw]|vps[rl]l|valign",
        "lanes rearranged",
    ),
    (r"vextract|vinsert", "half of a vector extracted or inserted"),
    (r"vpcmp|kmov|knot|kand", "codes compared, as a mask"),
    (r"vp(add|sub)", "vectors added or subtracted"),
    (r"v?mov\w* .*\(.*\), %|ldr .*\[|ldp .*\[", "a load"),
    (r"v?mov\w* .*%\w+, .*\(.*\)|st[rp] ", "a store"),
    (r"vmov|movi|movaps", "a copy between registers, or a constant"),
    (r"j(le|ge|mp) ", "a jump past what a last block or step does not need, or to scale sums"),
    (r"j\w+ |b\.", "a jump back to the first line, except after the last step"),
    (r"cmp|test|subs", "a test for the last step"),
    (r".", "addresses and the step counter"),
)


def inner_loop(variant: str) -> list[str]:
    """Return the instructions of a variant's inner loop; none for "numpy".

    Raises
    ------
    ValueError
        If this CPU cannot run the variant.
    """
    return [] if check_supported(variant) == "numpy" else find_inner_loop(compile_anew(variant))


def find_inner_loop(code: str) -> list[str]:
    """Return the instructions of the block with the most multiplications."""
    code = re.sub(r"^(\t[a-z]\w*)\.\d+[bhsd]\b", r"\1", code, flags=re.MULTILINE)  # macOS: sdot.4s
    code = code.replace("\t{vex}\t", "\t")  # AVX-VNNI's encoding of vpdpbusd
    _, *parts = re.split(r"^(\.\w+|LBB\w+):", code, flags=re.MULTILINE)
    blocks = zip(parts[::2], parts[1::2], strict=True)
    label, body = max(blocks, key=lambda block: len(_MULTIPLIES.findall(block[1])))
    lines = [line.strip() for line in body.splitlines() if re.match(r"\t[a-z]", line)]
    jumps_back = [i for i, line in enumerate(lines) if line.split()[1:] == [label]]
    return lines[: jumps_back[0] + 1] if jumps_back else lines


def count_instructions(lines: list[str]) -> dict[str, int]:
    """Count instructions by name, the most frequent first."""
    counts: dict[str, int] = {}
    for line in lines:
        name = line.split()[0]
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def explain(line: str) -> str:
    """Return what an instruction is for, in a few words."""
    spaced = re.sub(r"\s+", " ", line) + " "
    return next(text for pattern, text in _EXPLANATIONS if re.match(pattern, spaced))


def compile_anew(variant: str) -> str:
    """Compile a variant anew, as the cache holds no assembly, and run nothing.  -> assembly."""
    import numba

    function, arguments = kernel_call(variant)
    fresh: Any = numba.njit(error_model="numpy", boundscheck=False)(function)
    fresh.compile(tuple(map(numba.typeof, arguments)))
    return str(next(iter(fresh.inspect_asm().values())))


def kernel_call(variant: str) -> tuple[Any, tuple[Any, ...]]:
    """Return a variant's kernel as a Python function, and arguments for it."""
    if variant in ("loop", "vector"):
        from tervit_np.kernels import naive

        codes = np.zeros((2, 64), np.int8)
        return getattr(naive, variant).py_func, (codes, codes, np.zeros((2, 2), np.int32))
    from tervit_np.kernels.amx_gemm import linear_on_tiles
    from tervit_np.kernels.ternary_gemm import linear_in_registers
    from tervit_np.kernels.tiles import TILES

    problem, tile = random_problem(12, 64, 64), TILES[variant]
    tokens = quantize_tokens(problem.x, tile.mr)
    out = np.empty((len(tokens.q), 64), np.int32)
    if variant == "amx":
        scale = problem.packed.scale
        return linear_on_tiles.py_func, (tile, tokens, problem.packed, scale, scale, out, 0, 2)
    arguments = tile, tokens, problem.packed, problem.packed.scale, out, 0, 1
    return linear_in_registers.py_func, arguments
