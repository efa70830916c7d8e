"""The dot product of pairs of bfloat16 numbers, an instruction of AVX-512 BF16: vdpbf16ps.

    sum + a[0] b[0] + a[1] b[1]        in this order, each step rounded once to float32

A word of 32 bits holds a pair, number 0 in its upper half, so a register of words holds twice as
many factors as one of float32 numbers. Zen 4 and later and Intel's processors since Cooper Lake
have the instruction. Elsewhere two fused multiply-adds do the same.

    Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, "VDPBF16PS"
"""

from llvmlite import ir

from tervit_np.compiled.arithmetic import fused
from tervit_np.compiled.simd import I32, Builder, Value, call, splat
from tervit_np.target import features, lanes


def has_dot_of_pairs() -> bool:
    """Tell whether Numba compiles for a processor with the instruction."""
    return lanes() == 16 and "avx512bf16" in features()


class _Pairs(ir.Type):  # type: ignore[misc]  # llvmlite has no types
    """16 pairs of bfloat16 numbers, a type that llvmlite lacks."""

    def _to_string(self) -> str:
        return "<32 x bfloat>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Pairs)

    def __hash__(self) -> int:
        return hash(_Pairs)


def dot_of_pairs(builder: Builder, a: Value, b: Value, total: Value) -> Value:
    """total + a[0] b[0] + a[1] b[1] in each lane.  Words of a and b come as float32 numbers."""
    if has_dot_of_pairs():
        pairs = [builder.bitcast(words, _Pairs()) for words in (a, b)]
        return call(builder, "llvm.x86.avx512bf16.dpbf16ps.512", total.type, total, *pairs)
    kind = ir.VectorType(I32, total.type.count)
    words = [builder.bitcast(word, kind) for word in (a, b)]
    upper = [builder.and_(word, splat(kind, -0x10000)) for word in words]
    lower = [builder.shl(word, splat(kind, 16)) for word in words]
    for halves in (upper, lower):
        one, two = (builder.bitcast(half, total.type) for half in halves)
        total = fused(builder, one, two, total)
    return total
