r"""
Integer kernels
===============

:You will do: compute one ternary layer in ten ways, from three loops in
  Python to the instruction that modern processors have for it; write that
  instruction and the loop around it in NumPy; and time all of them.
:You will learn: which integer types are large enough for a sum; why unsigned
  codes need a correction of one number for each token; what limits a kernel,
  bytes or operations; what a register tile is, and what ``vpdpbusd`` does.
:You need: chapter 10 (8-bit tokens with one scale each), chapter 12 (ternary
  weights), chapter 17 (two bits a weight, zero point 1).
:Time: 35 minutes to read, 10 seconds to run. The first run compiles kernels
  and takes half a minute.
:In the paper: nothing. TerViT reports sizes and accuracies, but no times. This
  chapter is about what its weights can gain on a processor.
"""

# %%
from tervit_lesson import FAST, ROOT, SEED, claim, predict, quote
from tervit_lesson.figures import integer_kernels as draw

import json
import time

import numpy as np

rng = np.random.default_rng(SEED)

# %%
# The product
# -----------
# A ternary layer multiplies tokens with a weight matrix. The tokens are
# rounded to 8 bits, q from -127 to 127 with one scale s for each token
# (chapter 10). The weights are t = -1, 0 or 1 with one scale a for each output
# (chapter 12). With tokens m, outputs n and inputs k,
#
# .. math:: y_{mn} = s_m a_n \sum_k q_{mk} t_{nk} + b_n
#
# The sum is a sum of integers. So two programs that compute it must agree
# exactly, whatever their order of additions: a comparison needs no tolerance.
# Scales and bias come afterwards, once for each output.
#
# The size is that of a layer of DeiT-Small for one picture: 197 tokens, 384
# inputs, 1536 outputs.

from tervit_np.kernels import quantize_tokens
from tervit_np.quant import Ternary

M, K, N = 197, 384, 1536
weights = rng.normal(size=(N, K)).astype(np.float32)
tokens = rng.normal(size=(M, K)).astype(np.float32)
t, a, _ = Ternary().encode(weights)  # int8 (N, K), float32 (N,)
q, s, q_sums = quantize_tokens(tokens)  # int8 (M, K), float32 (M,), int32 (M,)

right = (q.astype(np.float64) @ t.T.astype(np.float64)).astype(np.int32)
quote("million multiplications and additions", 2e-6 * M * K * N, 232.4, 0.05)

# %%
# float64 holds all integers up to :math:`2^{53}`, so ``right`` is right. We
# count speed in operations a second, where a multiplication is one operation
# and an addition another, and one billion (:math:`10^9`) is one G.
#
# Three loops
# -----------
# A ternary weight needs no multiplication: add, subtract or skip. The most
# direct program says that. In Python it is slow, so it gets 2 tokens and 48
# outputs.


def three_loops(q, t):
    out = np.zeros((len(q), len(t)), np.int32)
    for m in range(len(q)):
        for n in range(len(t)):
            total = 0
            for k in range(t.shape[1]):
                if t[n, k] == 1:
                    total += int(q[m, k])
                elif t[n, k] == -1:
                    total -= int(q[m, k])
            out[m, n] = total
    return out


def speed(product, tokens=M, outputs=N, repeat=3):
    """Time a call, the best of some.  -> 10^9 operations a second."""
    best = np.inf
    for _ in range(repeat):
        start = time.perf_counter()
        product()
        best = min(best, time.perf_counter() - start)
    return 2e-9 * tokens * K * outputs / best


quote("wrong sums", (three_loops(q[:2], t[:48]) != right[:2, :48]).sum(), 0, 0)
speeds = {"three loops": speed(lambda: three_loops(q[:2], t[:48]), 2, 48, 1)}

# %%
# Which integers are large enough?
# --------------------------------
# NumPy multiplies matrices with ``@``. Both factors are int8, and so NumPy
# computes the sums in int8 as well. *Predict* which fraction of them is right
# in int8, and which in int16.

predict("which fraction of the sums is right in int8? in int16?")
in_int8 = q @ t.T
quote("right in int8", (in_int8 == right).mean(), 0.17, 5e-3)
wide_q, wide_t = q[:20].astype(np.int16), t.astype(np.int16)
in_int16 = wide_q @ wide_t.T
quote("right in int16", (in_int16 == right[:20]).mean(), 1, 0)
quote("largest sum", np.abs(right).max(), 3216, 0)

# %%
# int8 ends at 127 and starts again at -128 (it *wraps around*): five of six
# sums are wrong, and no error is reported. int16 ends at 32,767, the largest
# sum here is far below, and all are right. A test on random tokens passes.
#
# Break it: random signs cancel. A token whose inputs all agree with the signs
# of a row does not cancel. The next layer of the block has 1536 inputs; four
# rows of ours, one after another, stand for one of its rows.

row = wide_t[:4].ravel()  # (1536,)
calm = wide_q[:4].ravel()  # a token like those above
loud = 127 * row  # the worst token for this row
for name, token in (("calm", calm), ("loud", loud)):
    exact_sum = int(token.astype(np.int64) @ row)
    print(f"{name} token: {exact_sum} is {token @ row} in int16")
claim("int16 is wrong for the loud token", loud @ row != exact_sum)

# %%
# So do not test for overflow, bound it. :math:`K` inputs sum to at most
# :math:`127 K` in magnitude. The table says how many inputs each type allows.
# (float32 has 24 bits for the integer; below :math:`2^{24}` each sum is exact,
# in any order.)

for kind, limit in (
    ("int8", 2**7 - 1),
    ("int16", 2**15 - 1),
    ("float32", 2**24),
    ("int32", 2**31 - 1),
):
    print(f"{kind:8} up to {limit // 127:10,} inputs")
quote("inputs that int16 allows", (2**15 - 1) // 127, 258, 0)
quote("inputs that float32 allows", 2**24 // 127, 132_104, 0)

# %%
# 32 bits are enough, as integers or as floats. NumPy has a fast product for
# floats only, because it hands them to a BLAS library. *Predict* how much
# faster the float product is.

predict("how many times faster is float32 than int32?")
few, int_t = q[:20].astype(np.int32), t.astype(np.int32)
float_q, float_t = q.astype(np.float32), t.astype(np.float32)
speeds["NumPy int32"] = speed(lambda: few @ int_t.T, 20)
speeds["NumPy float32"] = speed(lambda: float_q @ float_t.T)
claim(
    "float32 gives the exact integers", ((float_q @ float_t.T) == right).all()
)
for name, value in speeds.items():
    print(f"{name:14} {value:9.3f} G")
ratio = speeds["NumPy float32"] / speeds["three loops"]
claim("float32 is over 100 times faster than three loops", ratio > 100)

# %%
# The float product does all the multiplications that a ternary weight does not
# need, and is thousands of times faster than the loops that avoid them. Much
# of that is Python's overhead, and below are compiled loops. But on a
# processor a multiplication costs no more than an addition, and an *if* whose
# outcome cannot be predicted costs more than both. So all fast kernels
# multiply.
#
# Codes without a sign
# --------------------
# Chapter 17 stores a weight as t + 1, two bits with zero point 1, and the
# instruction below takes unsigned weights. With these codes the sum is too
# large by
#
# .. math:: \sum_k q_{mk} (t_{nk} + 1) - \sum_k q_{mk} t_{nk} = \sum_k q_{mk}
#
# This is the same number for all outputs: the sum of the token.

unsigned = t + np.int8(1)  # 0, 1, 2
too_large = few @ unsigned.T.astype(np.int32)
corrected = too_large - q_sums[:20, None]
quote("wrong sums, uncorrected", (too_large != right[:20]).mean(), 1, 0.01)
quote("wrong sums, corrected", (corrected != right[:20]).sum(), 0, 0)

# %%
# It is computed once for each token, while the token is rounded, and
# subtracted once for each output. For 384 inputs that is one operation more
# in 768.
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
peak = {v["name"]: v["speed"] for v in measured["variants"]}["peak"]
float_peak = measured["limits"]["float32"]
bandwidth = measured["limits"]["read"]["memory"]
print(f"peak: {peak:.0f} G in bytes, {float_peak:.0f} G in float32")
print(f"memory: {bandwidth:.0f} GB/s")


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
print("tokens" + "".join(f"{f + ', us':>23}" for f in formats))
best = {}
for count in (1, 2, 4, 8, 16, 32, 197):
    best[count] = {f: roofline(count, *how) for f, how in formats.items()}
    cells = (f"{us:12.1f} {limit:10}" for us, limit in best[count].values())
    print(f"{count:6}" + "".join(cells))
draw.roofline(roofline, formats)
for count, f, expected, half_digit in (
    (1, "ternary", 15, 0.5),
    (1, "8 bits", 4.0, 0.05),
    (197, "ternary", 4.0, 0.05),
    (197, "8 bits", 4.0, 0.05),
):
    gain = best[count]["float32"][0] / best[count][f][0]
    quote(f"tokens: {count}, {f}: times faster", gain, expected, half_digit)

# %%
# With one token the weights are used once, and the time is that of reading
# them from memory: two bits instead of 32 are 15 times faster (16 times, if
# tokens and outputs took no time). This is the case of language models, which
# make one token at a time, as long as the model is larger than the caches.
#
# With the 197 tokens of a picture each weight is used 197 times, and the
# operations decide. The gain over float32 is 4, because the processor does
# four products of bytes in the place of one float. But ternary is *no faster
# than 8 bits*: both use the same instruction. What three values save then is
# memory, three quarters of the 8-bit weights.
#
# A register tile
# ---------------
# The model counts each byte once. The three loops read two numbers for each
# product, and again for the next token. To use a number more than once it must
# stay in a *register*, the few places that a processor computes with (32
# vectors of 64 bytes, for example).
#
# The remedy is a *tile*: keep the sums of MR tokens and NR outputs in
# registers, and for each input load MR + NR numbers and do MR times NR
# products with them. *Predict* the products per load of 6 times 64.

print(" MR x NR   loads   products   products per load")
for mr, nr in ((1, 1), (2, 2), (4, 16), (6, 64)):
    print(
        f"{mr:3} x {nr:2} {mr + nr:7} {mr * nr:10} {mr * nr / (mr + nr):12.2f}"
    )
quote("products per load, 6 x 64", 6 * 64 / (6 + 64), 5.49, 5e-3)

# %%
# A tile of 6 tokens and 64 outputs has 384 sums of 32 bits, which fill 24
# vector registers. Four more hold weights, one holds inputs, and 3 are left.
# One more row would need 28 registers for sums, and some would have to be
# stored to memory in every step.
#
# The order of the weights in memory follows the tile: a *panel* holds the
# weights of 64 outputs, and in it, for each step of four inputs, 256 weights
# lie side by side in 64 bytes. So one load brings all weights of a step.
# (To arrange data for the loop that reads it is called *packing*, too.)

from tervit_np.kernels import pack

panels = pack(t, a)
print("panels:", panels.packed.shape, "panels, steps, bytes")
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
# has four weights of two bits, in slots 0 to 3. Slot 0 is obtained by a mask,
# ``byte & 3``. For the others one would shift and mask, but a shift costs as
# much as a product. So leave it out: ``byte & 12`` is slot 1, *four times too
# large*; the masks 48 and 192 give slots 2 and 3, 16 and 64 times too large.
# The sums of a slot are all too large by the same factor, and one shift at the
# very end repairs them.

first = panels.packed[0, 0]  # 64 bytes: the first step of the first panel
four = q[0, :4]  # four inputs of the first token
draw.lane(first, four, lane=0, slot=1)

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
# Twenty-four of 35 instructions are dot products, and a processor can do the
# others beside them. ``tervit_np/kernels/microkernel.py`` is this loop, and
# ``tervit bench --assembly vnni512`` prints the instructions that come out.
#
# Older processors
# ----------------
# AVX2 has no such instruction. ``vpmaddubsw`` multiplies bytes and adds
# *pairs* of products into 16 bits; a second instruction adds pairs of these
# into 32 bits. Where a pair does not fit 16 bits, the result is cut off at
# 32,767 (it *saturates*). *Predict*: do ternary weights in slot 3, which are
# 0, 64 or 128, fit? Do 8-bit weights from 0 to 255?


def vpmaddubsw(w, x):  # uint8 (32,), int8 (32,) -> int16 (16,)
    products = w.astype(np.int32) * x.astype(np.int32)
    pairs = products.reshape(16, 2).sum(axis=1)
    return np.clip(pairs, -(2**15), 2**15 - 1).astype(np.int16)


predict("do slot 3 (up to 128) and 8-bit weights (up to 255) fit 16 bits?")
x = np.full(32, 127, np.int8)
for name, largest in (("slot 3", 128), ("8 bits", 255)):
    pair = vpmaddubsw(np.full(32, largest, np.uint8), x)[0]
    print(f"{name}: two products of {largest} and 127 are {pair}")
quote("largest pair of slot 3", 2 * 128 * 127, 32_512, 0)
quote("largest pair of 8 bits", 2 * 255 * 127, 64_770, 0)

# %%
# Slot 3 just fits: 32,512 of 32,767. Weights of 8 bits do not, and a kernel
# for them on AVX2 must use 7 bits or another instruction. Here three values
# make the kernel simpler.
#
# Arm processors have ``sdot`` (four signed bytes by four signed bytes). Slot
# 3 has the value 128, which a signed byte cannot hold, so this one slot is
# shifted down after all:

byte = np.array([192 & 0b10_000000], np.uint8)
print("slot 3 of code 2:", byte[0], "as a signed byte:", byte.view(np.int8)[0])
quote("128 as a signed byte", byte.view(np.int8)[0], -128, 0)

# %%
# The oldest 64-bit Arm processors multiply eight bytes to eight 16-bit numbers
# (``smull``), add neighbours (``addp``), and add these to 32-bit sums
# (``sadalp``). One loop nest, five ways to multiply and add: the library calls
# them *variants* and chooses by the features of the processor, because an
# instruction that a processor lacks ends the program.
#
# The ladder
# ----------
# All variants of this processor, on the whole layer, one thread, the integer
# product alone. *Predict* the order.

from tervit_np.backends import backend_name
from tervit_np.kernels import integer_product, runnable

variants = ("numpy",)
if backend_name() == "numba":
    variants = runnable()
if FAST:
    variants = variants[-1:]  # compiling takes a second each
print("variants here:", ", ".join(variants))


def product(variant):
    """Return a call of the integer product in one variant."""
    if variant not in ("loop", "vector"):
        return lambda: integer_product(q, panels, variant)
    from tervit_np.kernels import naive

    out = np.empty((M, N), np.int32)

    def call():
        getattr(naive, variant)(q, t, out)  # these read a byte for a code
        return out

    return call


predict("how many times faster than three loops is the fastest?")
calls = {variant: product(variant) for variant in variants}
wrong = {v: int((call() != right).sum()) for v, call in calls.items()}
claim("all variants give equal integers", sum(wrong.values()) == 0)
speeds |= {variant: speed(call, repeat=7) for variant, call in calls.items()}
for name, value in speeds.items():
    print(f"{name:14} {value:9.3f} G")
draw.ladder(speeds)
ratio = speeds[variants[-1]] / speeds["three loops"]
print(f"{variants[-1]} is {ratio:,.0f} times faster than three loops")
claim("the fastest is over 100 times faster than three loops", ratio > 100)

# %%
# Every variant computes the same integers; only the time differs. Your times
# depend on the processor and on what else it does at the moment, so here are
# the stored ones of a quiet Zen 4 core:

speed_of = {v["name"]: v["speed"] for v in measured["variants"]}
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
# * ``numpy`` is our ``right``: NumPy in float64, the reference.
# * ``loop`` is three loops again, compiled. Where the processor has masks, the
#   compiler replaces the branches.
# * ``vector`` multiplies instead: no branch, 16 inputs at a time.
# * ``generic`` is a register tile with 16-bit products, for any processor.
# * ``avx2``, ``vnni256`` and ``vnni512`` (``neon``, ``sdot`` and ``usdot`` on
#   Arm) are the tile with the instructions above.
#
# And a model? The layers are not all of it: attention, GELU and norms stay in
# float.

deit = stored["models"]["results"][0]  # a DeiT-Small, one picture, one thread
times = {name: 1e3 * t["median"] for name, t in deit["times"].items()}
in_products = times["dot products alone"] / times["packed"]
quote("Zen 4, DeiT-Small, ms for a picture", times["packed"], 32, 0.5)
quote("  of it, dot products of ternary layers", in_products, 0.56, 0.005)

# %%
# On your own
# -----------
# * ``tervit exercise start ternary_product``: the sum with zero point, and
#   the scales, as two functions.
# * Run the ladder for one token (``M = 1``). Which variants lose most?
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
# * GPUs do such products in matrix units. On current ones 8-bit integers are
#   the smallest integers that are widely supported, so that ternary weights
#   save memory there as well, not operations.
#
# Further reading
# ---------------
# * `docs/kernels.md <../docs/kernels.md>`_, and the source in
#   `kernels/microkernel.py <../tervit_np/kernels/microkernel.py>`_.
# * Goto, van de Geijn: Anatomy of high-performance matrix multiplication
#   (2008): panels and tiles.
# * Williams, Waterman, Patterson: Roofline (2009).
# * Jacob and others: Quantization and training of neural networks for
#   efficient integer-arithmetic-only inference (2018): zero points and their
#   correction.
