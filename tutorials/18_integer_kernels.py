r"""
Integer kernels
===============

:You will do: compute one ternary layer in ten ways, from three loops in
  Python to the instruction that modern processors have for it; write that
  instruction and the loop around it in NumPy; and time all of them.
:You will learn: which integer types are large enough for a sum; why unsigned
  codes need a correction of one number for each token; what limits a kernel,
  bytes or operations; what a register tile is, and what matrix units do.
:You need: chapter 10 (8-bit tokens with one scale each), chapter 12 (ternary
  weights), chapter 17 (two bits a weight, zero point 1).
:Time: 35 minutes to read, 10 seconds to run. The first run compiles kernels
  and takes half a minute.
:In the paper: nothing that we know of: its claims are about accuracy and size.
  This chapter is about what its weights can gain on a processor.
"""

# %%
from tervit_lesson import FAST, ROOT, SEED, claim, predict, quote
from tervit_lesson.figures import integer_kernels as draw

import json
import timeit

import numpy as np

rng = np.random.default_rng(SEED)

# %%
# The product
# -----------
# Tokens are rounded to 8 bits, q from -127 to 127 with one scale s for each
# (chapter 10); weights are t = -1, 0 or 1 with one scale a for each output
# (chapter 12). With tokens m, outputs n and inputs k, a ternary layer computes
#
# .. math:: y_{mn} = s_m a_n \sum_k q_{mk} t_{nk} + b_n
#
# The sum is one of integers. So two programs that compute it must agree
# exactly, whatever their order of additions: a comparison needs no tolerance.
# Scales and bias come afterwards. Our layer is one of DeiT-Small for one
# picture: 197 tokens, 384 inputs, 1536 outputs.

from tervit_np.kernels import pack, quantize_tokens
from tervit_np.quant import Ternary

M, K, N = 197, 384, 1536
weights = rng.normal(size=(N, K)).astype(np.float32)
tokens = rng.normal(size=(M, K)).astype(np.float32)
t, a, _ = Ternary().encode(weights)  # int8 (N, K), float32 (N,)
q, s, q_sums = quantize_tokens(tokens)  # int8 (M, K), float32 (M,), int32 (M,)

right = (q.astype(np.float64) @ t.T.astype(np.float64)).astype(np.int32)
quote("million multiplications and additions", 2e-6 * M * K * N, 232.4, 0.05)

# %%
# float64 holds all integers up to :math:`2^{53}`, so ``right`` is right. Speed
# is in G, billions of multiplications and additions a second.
#
# Three loops
# -----------
# A ternary weight needs no multiplication: add, subtract or skip. A program
# that says just that is slow in Python, so it gets 2 tokens and 48 outputs.


def three_loops(q, t):
    out = np.zeros((len(q), len(t)), np.int32)
    for m in range(len(q)):
        for n in range(len(t)):
            for k in range(t.shape[1]):
                if t[n, k] == 1:
                    out[m, n] += q[m, k]
                elif t[n, k] == -1:
                    out[m, n] -= q[m, k]
    return out


def speed(product, tokens=M, outputs=N, repeat=3):
    """Time a call, the best of some.  -> 10^9 operations a second."""
    best = min(timeit.repeat(product, number=1, repeat=repeat))
    return 2e-9 * tokens * K * outputs / best


quote("wrong sums", (three_loops(q[:2], t[:48]) != right[:2, :48]).sum(), 0, 0)
speeds = {"three loops": speed(lambda: three_loops(q[:2], t[:48]), 2, 48, 1)}

# %%
# Which integers are large enough?
# --------------------------------
# Both factors are int8, and so NumPy sums their products in int8 as well.

predict("which fraction of the sums is right in int8? in int16?")
quote("right in int8", (q @ t.T == right).mean(), 0.17, 5e-3)
in_int16 = q[:20].astype(np.int16) @ t.T.astype(np.int16)
quote("right in int16", (in_int16 == right[:20]).mean(), 1, 0)
quote("largest sum", np.abs(right).max(), 3216, 0)

# %%
# int8 ends at 127 and starts again at -128 (it *wraps around*): five of six
# sums are wrong, and no error is reported. int16 ends at 32,767, and all are
# right. A test on random tokens passes.
#
# Break it: random signs cancel. Take a token that agrees with all signs of a
# row, and 1536 inputs, which the next layer of the block has (four of our rows
# stand for one of its).

row = t[:4].ravel().astype(np.int16)  # (1536,)
loud = 127 * row  # the worst token for this row
exact_sum = int(loud.astype(np.int64) @ row)
print(f"loud token: {exact_sum} is {loud @ row} in int16")
claim("int16 is wrong for the loud token", loud @ row != exact_sum)

# %%
# So do not test for overflow, bound it: :math:`K` inputs sum to at most
# :math:`127 K` in magnitude. int32 allows 16.9 million of them, and float32,
# which is exact for integers up to :math:`2^{24}`, enough as well. NumPy has a
# fast product for floats only: it hands them to a BLAS library.

quote("inputs that int16 allows", (2**15 - 1) // 127, 258, 0)
quote("inputs that float32 allows", 2**24 // 127, 132_104, 0)
predict("how many times faster is float32 than int32?")
few, int_t = q[:20].astype(np.int32), t.astype(np.int32)
float_q, float_t = q.astype(np.float32), t.astype(np.float32)
speeds["NumPy int32"] = speed(lambda: few @ int_t.T, 20)
speeds["NumPy float32"] = speed(lambda: float_q @ float_t.T)
equal = float_q @ float_t.T == right
claim("float32 gives the exact integers", equal.all())
ratio = speeds["NumPy float32"] / speeds["three loops"]
print(f"float32 is {ratio:,.0f} times faster")
claim("float32 is over 100 times faster than three loops", ratio > 100)

# %%
# It does all the multiplications that a ternary weight does not need. Much of
# the difference is Python's overhead. But on a processor a multiplication
# costs no more than an addition, and an *if* whose outcome cannot be predicted
# costs more than both. So all fast kernels multiply.
#
# Codes without a sign
# --------------------
# Chapter 17 stores a weight as t + 1, two bits with zero point 1, and the
# instruction below takes unsigned weights. With these codes each sum is too
# large by the sum of the token, the same number for all outputs:
#
# .. math:: \sum_k q_{mk} (t_{nk} + 1) - \sum_k q_{mk} t_{nk} = \sum_k q_{mk}

unsigned = t + np.int8(1)  # 0, 1, 2
too_large = few @ unsigned.T.astype(np.int32)
corrected = too_large - q_sums[:20, None]
quote("wrong sums, uncorrected", (too_large != right[:20]).mean(), 1, 0.01)
quote("wrong sums, corrected", (corrected != right[:20]).sum(), 0, 0)

# %%
# The sum is computed while the token is rounded, and subtracted once for each
# output: for 384 inputs, one operation more in 768.
#
# Bytes or operations
# -------------------
# Two things can limit a product: how many operations the processor can do in
# a second, its *peak*, and how many bytes it can read in a second, its
# *bandwidth*. At best, a product takes the longer of the two times:
#
# .. math:: \text{time} = \max\left(\frac{\text{operations}}{\text{peak}},
#    \frac{\text{bytes}}{\text{bandwidth}}\right)
#
# This is the *roofline* model (Williams, Waterman, Patterson 2009). The
# numbers are those of one Zen 4 core, stored in ``docs/bench_zen4.json``
# (``tervit bench --variants`` measures them for your processor).

stored = json.loads((ROOT / "docs" / "bench_zen4.json").read_text("utf-8"))
measured = stored["variants"]["results"]
speed_of = {v["name"]: v["speed"] for v in measured["variants"]}
peak, float_peak = speed_of["peak"], measured["limits"]["float32"]
bandwidth = measured["limits"]["read"]["memory"]
print(f"{peak:.0f} G, {float_peak:.0f} G in floats, {bandwidth:.0f} GB/s")


def roofline(tokens, weight_bytes, input_bytes, peak):
    """Microseconds that a product takes at best, and what limits it."""
    operations = 2 * tokens * K * N
    data = K * N * weight_bytes + tokens * (K * input_bytes + 4 * N)
    times = {"operations": operations / peak, "bytes": data / bandwidth}
    limit = max(times, key=times.get)
    return 1e-3 * times[limit], limit


formats = {
    "float32": (4, 4, float_peak),
    "8 bits": (1, 1, peak),
    "ternary": (1 / 4, 1, peak),
}
predict("how many times faster than float32 for 1 token? for 197?")
draw.roofline(roofline, formats)
for count, f, expected, half_digit in (
    (1, "ternary", 15, 0.5),
    (1, "8 bits", 4.0, 0.05),
    (197, "ternary", 4.0, 0.05),
    (197, "8 bits", 4.0, 0.05),
):
    of_floats, of_f = (roofline(count, *formats[x]) for x in ("float32", f))
    gain = of_floats[0] / of_f[0]
    quote(f"tokens: {count}, {f}: times faster", gain, expected, half_digit)

# %%
# With one token the time is that of reading the weights from memory: two bits
# instead of 32 are 15 times faster (16 times, if tokens and outputs took no
# time). This is the case of language models, which make one token at a time.
#
# With 197 tokens each weight is used 197 times, and the operations decide. The
# gain over float32 is 4: four products of bytes take the place of one of
# floats. But ternary is *no faster than 8 bits*: both use the same
# instruction. What three values save then is memory.
#
# A register tile
# ---------------
# The model counts each byte once, but the loops read two numbers for each
# product. To be used again, a number must stay in a *register*, one of the few
# places that a processor computes with (32 vectors of 64 bytes, say). So keep
# the sums of a *tile* of MR tokens and NR outputs in registers, and for each
# input load MR + NR numbers and do MR times NR products with them.

predict("how many products for each number loaded, with 6 times 64 sums?")
quote("products per load, 6 x 64", 6 * 64 / (6 + 64), 5.49, 5e-3)

# %%
# The loops have 0.5. These 384 sums of 32 bits fill 24 vector registers. Four
# more hold weights, one holds inputs, and 3 are left: another row of sums
# would not fit.
#
# The order of the weights in memory follows the tile: a *panel* holds the
# weights of 64 outputs, in 64 bytes the 256 for each step of four inputs. So
# one load brings all weights of a step. (This is called *packing*, too.)

panels = pack(t, a)  # .packed: (24 panels, 96 steps, 64 bytes)
quote("bytes of the packed weights", panels.packed.nbytes, K * N / 4, 0)

# %%
# The dot product of four bytes
# -----------------------------
# Processors with AVX-512 VNNI or AVX-VNNI have an instruction made for such
# sums, ``vpdpbusd``. A vector of 64 bytes is seen as 16 *lanes* of 4 bytes. In
# each lane, four unsigned bytes are multiplied with four signed bytes, and the
# four products are added to a sum of 32 bits. In NumPy:


def vpdpbusd(sums, w, x):  # int32 (16,), uint8 (64,), int8 (64,)
    products = w.astype(np.int32) * x.astype(np.int32)
    return sums + products.reshape(16, 4).sum(axis=1, dtype=np.int32)


# %%
# 64 multiplications and 64 additions in one instruction. In a panel, a byte
# has four weights of two bits, in slots 0 to 3. Slot 0 is ``byte & 3``. For
# the others one would shift and mask, but a shift costs as much as a product.
# So leave it out: ``byte & 12`` is slot 1, *four times too large*; the masks
# 48 and 192 give slots 2 and 3, 16 and 64 times too large. All sums of a slot
# are too large by the same factor, and one shift at the very end repairs them.

draw.lane(panels.packed[0, 0], q[0, :4], lane=0, slot=1)

# %%
# Here is the whole inner kernel: 6 tokens times 64 outputs. One step loads 64
# bytes of weights, masks them four times, repeats four bytes of each token in
# all lanes (a *broadcast*), and does 24 dot products.

MASKS = np.array([3, 12, 48, 192], np.uint8)


def kernel(q, q_sums, panel):  # int8 (6, K), int32 (6,), uint8 (K / 4, 64)
    sums = np.zeros((6, 4, 16), np.int32)
    for step, loaded in enumerate(panel):
        slots = [loaded & mask for mask in MASKS]
        for m in range(6):
            x = np.tile(q[m, 4 * step : 4 * step + 4], 16)
            for slot in range(4):
                sums[m, slot] = vpdpbusd(sums[m, slot], slots[slot], x)
    for slot in range(4):
        sums[:, slot] >>= 2 * slot  # undo the factors 1, 4, 16, 64
    return sums.reshape(6, 64) - q_sums[:, None]  # undo the zero point


tile = kernel(q[:6], q_sums[:6], panels.packed[0])
claim("the tile gives the exact integers", (tile == right[:6, :64]).all())
quote("dot products for a tile", 24 * K / 4, 2304, 0)
quote("of 35 instructions a step", 24 / (24 + 1 + 4 + 6), 0.686, 5e-4)

# %%
# A load, four masks and six broadcasts are the rest; a processor does them at
# the same time. (``tervit bench --assembly vnni512`` prints the real loop.)
#
# Older processors
# ----------------
# AVX2 has no such instruction. ``vpmaddubsw`` multiplies bytes and adds
# *pairs* of products into 16 bits; a second instruction adds pairs of these
# into 32 bits. A pair that does not fit 16 bits is cut off at 32,767 (it
# *saturates*).


def vpmaddubsw(w, x):  # uint8 (32,), int8 (32,) -> int16 (16,)
    products = w.astype(np.int32) * x.astype(np.int32)
    pairs = products.reshape(16, 2).sum(axis=1)
    return np.clip(pairs, -(2**15), 2**15 - 1).astype(np.int16)


predict("do pairs of slot 3 (0, 64 or 128) fit? of weights up to 255?")
x = np.full(32, 127, np.int8)
for largest in (128, 255):
    pair = vpmaddubsw(np.full(32, largest, np.uint8), x)[0]
    print(f"two products of {largest} and 127 are {pair}")
quote("largest pair of slot 3", 2 * 128 * 127, 32_512, 0)
quote("largest pair of 8 bits", 2 * 255 * 127, 64_770, 0)
quote("128 as a signed byte", np.uint8([128]).view(np.int8)[0], -128, 0)

# %%
# Slot 3 just fits. Weights of 8 bits do not, and a kernel for them on AVX2
# must use 7 bits or another instruction: three values make it simpler. (Arm's
# ``sdot`` multiplies signed bytes only. They end at 127, so there slot 3 is
# shifted down after all.)
#
# One loop nest, several ways to multiply and add: the library calls them
# *variants* and chooses by the features of the processor, because an
# instruction that a processor lacks ends the program.
#
# A matrix unit
# -------------
# Newer processors do not stop at vectors. Intel's server processors since
# Sapphire Rapids have *AMX*: eight registers of 16 rows of 64 bytes, called
# tiles, and one instruction that adds the product of two of them to a third,
#
# .. math:: C_{mn} \leftarrow C_{mn} + \sum_{k=1}^{64} A_{mk} B_{kn}
#    \qquad m, n = 1 \ldots 16
#
# with A and B in signed bytes and C in 32 bits. ``kernels/matrix_unit.py`` is
# the unit in NumPy, for every processor, slow and short enough to read. In its
# tile B, four inputs of an output are neighbours, as in the lanes above.

from tervit_np.kernels.matrix_unit import MatrixUnit, in_groups, multiply

A, B = q[:16, :64], t[:16, :64].T  # (16 tokens, 64 inputs), (64, 16 outputs)
unit = MatrixUnit()  # tiles of zeros
unit.load(1, A)
unit.load(2, in_groups(B, 4))  # 16 rows of 64 bytes
unit.dot_int8(0, 1, 2)  # tile 0 += tile 1 times tile 2
print("a corner of the 16 x 16 sums:", unit.sums(0)[:4, :4], sep="\n")
equal = unit.sums(0) == A.astype(np.int32) @ B.astype(np.int32)
claim("one tile product is exactly the plain product", equal.all())
equal = multiply(q, t[:32].T) == right[:, :32]  # three loops over tiles
claim("so is a matrix of tiles", equal.all())

predict("`vpdpbusd` multiplies 64 times. How often does one tile product?")
in_tile = 16 * 16 * 64
quote("multiplications of one tile product", in_tile, 16_384, 0)
quote("vpdpbusd for as many", in_tile / 64, 256, 0)
quote("vpmaddubsw for as many", in_tile / 32, 512, 0)

# %%
# One instruction in place of 256; or, with AVX2, of 512 and as many again that
# widen the sums. This counts instructions, not time: a tile product takes many
# cycles. **No time was measured**: the compiled variant ``amx`` is tested by
# emulation, to the same bits, and has not run on a processor with the unit.
#
# The ladder
# ----------
# All variants of this processor, on the whole layer, one thread, the integer
# product alone.

from tervit_np.backends import backend_name
from tervit_np.kernels import integer_product, runnable

variants = runnable() if backend_name() == "numba" else ("numpy",)
if FAST:
    variants = variants[-1:]  # compiling takes a second each
predict("how many times faster than three loops is the fastest?")
calls = {v: lambda v=v: integer_product(q, panels, v) for v in variants}
wrong = {v: int((call() != right).sum()) for v, call in calls.items()}
claim("all variants give equal integers", sum(wrong.values()) == 0)
speeds |= {v: speed(call, repeat=7) for v, call in calls.items()}
for name, value in speeds.items():
    print(f"{name:14} {value:9.3f} G")
draw.ladder(speeds)
ratio = speeds[variants[-1]] / speeds["three loops"]
print(f"{variants[-1]} is {ratio:,.0f} times faster")
claim("the fastest is over 100 times faster than three loops", ratio > 100)

# %%
# Your times depend on the processor and on what else it does at the moment, so
# here are the stored ones of a quiet Zen 4 core:

quote("Zen 4, fastest variant, G", speed_of["vnni512"], 438, 0.5)
quote("of its peak", speed_of["vnni512"] / peak, 0.94, 0.005)
layer = next(
    layer
    for layer in stored["layers"]["results"]
    if (layer["tokens"], layer["inputs"], layer["outputs"]) == (M, K, N)
)
of_numpy = 2e-9 * M * K * N / layer["times"]["numpy float32"]["median"]
quote("NumPy float32, the same product, G", of_numpy, 88, 0.5)

# %%
# 438 G is 94 % of what the instruction can do, and five times NumPy's float32
# product. (`docs/kernels.md <../docs/kernels.md>`_ has the table, and the
# instructions of every inner loop.)
#
# * ``numpy`` is the reference. ``loop`` is three loops again, compiled.
#   ``vector`` multiplies instead: no branch, 16 inputs at a time. These three
#   unpack the weights to bytes first.
# * ``generic`` is a register tile with 16-bit products, for any processor.
# * ``avx2``, ``vnni256`` and ``vnni512`` (``neon``, ``sdot`` and ``usdot`` on
#   Arm) are the tile with the instructions above; ``amx`` is the matrix unit.
#
# And a model? Attention, GELU and norms stay in float.

deit = stored["models"]["results"][0]  # a DeiT-Small, one picture, one thread
times = {name: 1e3 * t["median"] for name, t in deit["times"].items()}
in_products = times["dot products alone"] / times["packed"]
quote("Zen 4, DeiT-Small, ms for a picture", times["packed"], 32, 0.5)
quote("  of it, dot products of ternary layers", in_products, 0.56, 0.005)

# %%
# On your own
# -----------
# * ``tervit exercise start ternary_product``: the sums, then the scales.
# * Run the ladder with ``q[:1]`` and ``speed(call, 1)``. Which lose most?
# * Write ``sdot`` in NumPy, with signed weights on both sides, and the kernel
#   for it: masks for slots 0 to 2, a shift for slot 3. Which zero point and
#   which factors must be undone at the end?
# * For how many inputs are the 32-bit sums of the kernel safe? Slot 3 is 64
#   times too large.
# * How many tokens does a ternary layer of this size need until operations
#   limit it, on the Zen 4 core above? And a float32 layer?
#
# In practice
# -----------
# * PyTorch's 8-bit layers (FBGEMM, oneDNN) and onnxruntime use the same dot
#   product and the same correction by row sums.
# * llama.cpp and bitnet.cpp have ternary kernels for one token at a time,
#   where bytes decide. With many tokens a good 8-bit product is as fast.
# * BLIS and OpenBLAS have the same structure for floats: panels, a register
#   tile, one small kernel for each kind of processor.
# * GPUs have matrix units, too. Few have integers below 8 bits:
#   ternary weights save memory there, not operations.
#
# Further reading
# ---------------
# * `docs/kernels.md <../docs/kernels.md>`_, and the source in
#   `kernels/microkernel.py <../tervit_np/kernels/microkernel.py>`_.
# * Goto, van de Geijn: Anatomy of high-performance matrix multiplication
#   (2008): panels and tiles.
# * Williams, Waterman, Patterson: Roofline (2009). Jacob and others:
#   Quantization and training of neural networks for efficient
#   integer-arithmetic-only inference (2018), for zero points.
