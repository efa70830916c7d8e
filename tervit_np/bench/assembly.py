"""The machine code of a rung's inner loop, and what each instruction in it does.

The compiler writes a kernel as blocks between labels; the inner loop is the block in which most of
the multiplying happens.
"""

import re
from typing import Any

import numpy as np

from tervit_np.bench.baselines import layer
from tervit_np.kernels import quantize_tokens
from tervit_np.kernels.isa import check_supported

_WORK = re.compile(
    r"\t(vpdpbusd|vpmaddubsw|vpdpwssd|vpmaddwd|vpmulld|vpcmpeqb|cmpb|[su]mlal2?|[su]mull2?|"
    r"mla|u?sdot)\s"
)
_WORDS = (  # the first pattern that fits an instruction says what it is for
    (r"vpdpbusd|u?sdot", "four products of bytes, added to each 32-bit sum"),
    (r"prefetch", "the next tile's tokens, asked for meanwhile"),
    (r"vpmaddubsw", "products of bytes, added in pairs to 16 bits"),
    (r"vpdpwssd", "products of 16 bits, added in pairs to each 32-bit sum"),
    (r"vpmaddwd", "products of 16 bits, added in pairs to 32 bits"),
    (r"[su]mlal2? ", "products of 16 bits, added to 32-bit sums"),
    (r"[su]mull2? ", "products of two rows of bytes, 16 bits each"),
    (r"addp|[su]adalp", "neighbours among products added, or added to 32-bit sums"),
    (r"vpbroadcastd|ld1r", "four inputs of a token, into every lane"),
    (r"vpand.*\(", "weights loaded, one group cut out by its mask"),
    (r"vpand|and .*v\d|ushr .*v\d", "one group of weights, cut out by its mask or a shift"),
    (r"vpmovzx|ushll", "weights widened, which have no sign"),
    (r"vpmovsx|sshll", "bytes with a sign widened"),
    (
        r"ext |uzp[12]|vperm|vpshuf|vpblend|vpunpck|vpack|vpmov[dw]|vps[rl]l|valign",
        "lanes put in order",
    ),
    (r"vextract|vinsert", "half a vector, from or into a whole one"),
    (r"vpcmp|kmov|knot|kand", "which codes are equal to this one"),
    (r"vp(add|sub)", "vectors added or subtracted"),
    (r"v?mov\w* .*\(.*\), %|ldr .*\[|ldp .*\[", "a load"),
    (r"v?mov\w* .*%\w+, .*\(.*\)|st[rp] ", "a store"),
    (r"vmov|movi|movaps", "a copy from register to register, or a constant"),
    (r"j\w+ |b\.", "back to the first line, but for the last step"),
    (r"cmp|test|subs", "was this the last step?"),
    (r".", "addresses, and the count of steps"),
)


def inner_loop(variant: str) -> list[str]:
    """Return the instructions of a rung's inner loop; none where NumPy does the work.

    Raises
    ------
    ValueError
        If the rung does not run here.
    """
    return [] if check_supported(variant) == "numpy" else innermost(_compiled(variant))


def innermost(code: str) -> list[str]:
    """Find the block that works most in a text of assembly.  -> its instructions."""
    code = re.sub(r"^(\t[a-z]\w*)\.\d+[bhsd]\b", r"\1", code, flags=re.MULTILINE)  # macOS: sdot.4s
    code = code.replace("\t{vex}\t", "\t")  # AVX-VNNI: the same instruction, shorter
    _, *pieces = re.split(r"^(\.\w+|LBB\w+):", code, flags=re.MULTILINE)
    blocks = zip(pieces[::2], pieces[1::2], strict=True)
    label, body = max(blocks, key=lambda block: len(_WORK.findall(block[1])))
    lines = [line.strip() for line in body.splitlines() if re.match(r"\t[a-z]", line)]
    back = [i for i, line in enumerate(lines) if line.split()[1:] == [label]]
    return lines[: back[0] + 1] if back else lines


def counted(lines: list[str]) -> dict[str, int]:
    """Count instructions by name, the most frequent first."""
    counts: dict[str, int] = {}
    for line in lines:
        name = line.split()[0]
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def explained(line: str) -> str:
    """Say in a few words what an instruction is there for."""
    plain = re.sub(r"\s+", " ", line) + " "
    return next(words for pattern, words in _WORDS if re.match(pattern, plain))


def _compiled(variant: str) -> str:
    """Compile a rung apart from the cache, which keeps no text.  -> assembly."""
    import numba

    function, arguments = kernel_call(variant)
    fresh = numba.njit(error_model="numpy", boundscheck=False)(function)
    fresh(*arguments)
    return str(next(iter(fresh.inspect_asm().values())))


def kernel_call(variant: str) -> tuple[Any, tuple[Any, ...]]:
    """Return a rung's kernel, not compiled, and arguments for it."""
    if variant in ("loop", "vector"):
        from tervit_np.kernels import naive

        codes = np.zeros((2, 64), np.int8)
        return getattr(naive, variant).py_func, (codes, codes, np.zeros((2, 2), np.int32))
    from tervit_np.kernels.ternary_gemm import linear
    from tervit_np.kernels.tiles import TILES

    drawn, tile = layer(12, 8, 64), TILES[variant]
    tokens = quantize_tokens(drawn.x, tile.mr)
    out = np.empty((len(tokens.q), 64), np.int32)
    return linear.py_func, (tile, tokens, drawn.packed, drawn.packed.scale, out, 0, 1)
