"""Dot products of bytes on 64-bit Arm, whose 32 vector registers have 16 bytes.

sums_i += w_4i x_4i + ... + w_4i+3 x_4i+3      16 int8 or uint8, 16 int8 -> 4 int32
"""

from llvmlite import ir

from tervit_np.compiled.simd import I16, Builder, Value, call, shuffle


def dot_neon(builder: Builder, sums: Value, w: Value, x: Value) -> Value:
    """Multiply signed bytes to 16 bits, add neighbours twice.

    Two neighbouring products must fit 16 bits, as 2 x 128 x 127 does.
    """
    half = ir.VectorType(I16, 8)
    products = [
        call(builder, "llvm.aarch64.neon.smull.v8i16", half, shuffle(builder, w, lanes),
             shuffle(builder, x, lanes))
        for lanes in (range(8), range(8, 16))
    ]  # fmt: skip
    pairs = call(builder, "llvm.aarch64.neon.addp.v8i16", half, *products)
    fours = call(builder, "llvm.aarch64.neon.saddlp.v4i32.v8i16", sums.type, pairs)
    return builder.add(sums, fours)


def dot_sdot(builder: Builder, sums: Value, w: Value, x: Value) -> Value:
    """Multiply and add signed bytes in one instruction (dotprod)."""
    return call(builder, "llvm.aarch64.neon.sdot.v4i32.v16i8", sums.type, sums, w, x)


def dot_usdot(builder: Builder, sums: Value, w: Value, x: Value) -> Value:
    """Multiply and add unsigned w and signed x in one instruction (i8mm)."""
    return call(builder, "llvm.aarch64.neon.usdot.v4i32.v16i8", sums.type, sums, w, x)
