r"""
Packing bits
============

:You will do: store ternary weights in 2 bits each, then in 1.6, get them back
  without a division, write a whole model to a file, and weigh every part of
  that file.
:You will learn: why five codes fit into a byte and a sixth does not; how few
  bits are possible at all; why "20 times smaller than float32" is true of the
  matrices, and what makes it 16 times for the file of a DeiT-Small.
:You need: chapter 12 (codes -1, 0, 1 with a threshold and a scale for each
  row). Bits and bytes; logarithms.
:Time: 25 minutes to read, a few seconds to run.
:In the paper: the column of model sizes. Its 13.1 MB for Swin-S come out if a
  ternary weight counts 2 bits and every other number 8 (chapter 20).
"""

# %%
from tervit_lesson import OUT, claim, predict, quote, shapes, trained_model
from tervit_lesson.figures import packing as draw

import zlib

import numpy as np
import tervit_np as tv
from data_tools import normalise

# %%
# What there is to store
# ----------------------
# We take the trained model that several chapters share and round the matrices
# of its four blocks to three values, as in chapter 12. What remains of a
# matrix is one code for each weight and one scale for each row.

model = tv.quantize(trained_model(), "ternary")
ternary = {
    name: layer.weight_quant.encode(layer.weight.data)
    for name, layer in model.quantizable()
    if name.startswith("blocks") and layer.weight is not None
}
codes = np.concatenate([t.codes.ravel() for t in ternary.values()])
print(f"{len(ternary)} matrices, {codes.dtype}, the first codes: {codes[:12]}")
quote("ternary weights", codes.size, 196_608, 0)

# %%
# NumPy keeps each code in a whole byte, which has 256 values; we use three.
# How few bits are possible? If the three codes are equally frequent, one code
# carries :math:`\log_2 3 = 1.585` bits. If not, it carries less, namely the
# *entropy* (Shannon 1948), where :math:`p` is the fraction of each code:
#
# .. math:: H = -\sum_{t \in \{-1, 0, 1\}} p_t \log_2 p_t
#
# No lossless code of single weights needs fewer bits on average.


def entropy(p):
    p = np.asarray(p)[np.asarray(p) > 0]
    return -(p * np.log2(p)).sum()


p = [(codes == t).mean() for t in (-1, 0, 1)]
predict("which fraction of the weights is 0?")
quote("fraction of zeros", p[1], 0.387, 5e-4, True, elsewhere=0.01)
quote("bits a weight, entropy", entropy(p), 1.576, 5e-4, True, elsewhere=0.01)
quote("bits a weight, three equal fractions", np.log2(3), 1.585, 5e-4)

# %%
# TerViT's threshold makes 39 % of these weights zero. That is so close to one
# third that the entropy is hardly below :math:`\log_2 3`. The figure shows
# both, with the two formats of this chapter: 2 bits and 1.6 bits.

zeros = [(t.codes == 0).mean() for t in ternary.values()]
draw.entropies(zeros, entropy)

# %%
# (Each point is one of the 16 matrices.) If nine tenths of the weights were
# zero, an arithmetic coder could store them in 0.57 bits. With a third of
# zeros there is nothing to gain.
#
# Four codes a byte
# -----------------
# The simplest format: 2 bits for each code. A byte is unsigned, so the codes
# are shifted to 0, 1, 2 first. The number that stands for zero is the *zero
# point*: here it is 1.


def pack_2_bits(codes):  # int8 (n,), n a multiple of 4 -> uint8 (n / 4,)
    d = (codes.reshape(-1, 4) + 1).astype(np.uint8)
    return d[:, 0] | d[:, 1] << 2 | d[:, 2] << 4 | d[:, 3] << 6


def unpack_2_bits(data):  # uint8 (n / 4,) -> int8 (n,)
    d = np.stack([data >> 2 * slot & 3 for slot in range(4)], axis=1)
    return d.astype(np.int8).ravel() - np.int8(1)


two = pack_2_bits(codes)
wrong = (unpack_2_bits(two) != codes).sum()
quote("codes that differ, 2 bits", wrong, 0, 0)
quote("bytes that occur, at most", len(np.unique(two)), 81, 0)

# %%
# A shift and a mask get a code back, and this is what makes the format good
# for a kernel (chapter 18). But of 256 bytes only :math:`3^4 = 81` occur.
#
# Break it: leave the zero point away and cast -1 to a byte as it is.

predict("what does the byte of -1, 0, 1, 0 become?")
byte = pack_2_bits(np.array([-1, 0, 1, 0], np.int8) - np.int8(1))
quote("the byte of -1, 0, 1, 0", byte[0], 255, 0)
print("unpacked:", unpack_2_bits(byte), "instead of [-1 0 1 0]")

# %%
# In a byte, -1 is 255, all eight bits, and the other three codes are lost
# among them. The check above, to unpack and compare, catches this.
#
# Five codes a byte
# -----------------
# :math:`3^5 = 243` is just below 256. So five codes fit into a byte if we
# write them as one number in base 3: 8 / 5 = 1.6 bits for each.
#
# .. math:: v = 81 d_0 + 27 d_1 + 9 d_2 + 3 d_3 + d_4, \qquad d = t + 1
#
# If the number of weights is not a multiple of five, the last byte is filled
# up with zeros, and the reader must be told how many codes there are.

POWERS = np.array([81, 27, 9, 3, 1])


def pack_base_3(codes):  # int8 (n,) -> values from 0 to 242
    padded = np.zeros(-(-codes.size // 5) * 5, int)  # rounded up
    padded[: codes.size] = codes
    return (padded.reshape(-1, 5) + 1) @ POWERS


def unpack_base_3(values, count):
    d = np.stack([values // power % 3 for power in POWERS], axis=1)
    return d.ravel()[:count] - 1


values = pack_base_3(codes)
wrong = (unpack_base_3(values, codes.size) != codes).sum()
quote("codes that differ, base 3", wrong, 0, 0)
quote("largest value", values.max(), 242, 0)
quote("bits a weight", 8 * values.size / codes.size, 1.6, 5e-4)

# %%
# Break it again: compute in int8, the type of the codes. Its largest number is
# 127, so almost half of all groups are wrong. NumPy says nothing.

whole = codes[: codes.size // 5 * 5].reshape(-1, 5)
small = (whole + 1) @ POWERS.astype(np.int8)
print(f"int8 says {small.min()} to {small.max()} instead of 0 to 242")
wrong = (small != values[: small.size]).mean()
quote("wrong groups", wrong, 0.46, 5e-3, True, elsewhere=0.02)

# %%
# Is five a byte the best? With more bytes one could use the space between 243
# and 256: :math:`n` bytes hold the largest :math:`k` with
# :math:`3^k \le 256^n`.

predict("from how many bytes on does a group hold more than 5 a byte?")
most = [max(k for k in range(6 * n) if 3**k <= 256**n) for n in range(1, 30)]
better = next(n for n, k in enumerate(most, 1) if k > 5 * n)
quote("bytes of the first better group", better, 22, 0)
quote("bits a weight there", 8 * better / most[better - 1], 1.5856, 5e-5)

# %%
# Groups of 22 bytes, 111 codes, would save less than one percent, and reading
# would divide numbers of 176 bits. Five codes a byte are the practical choice.
# And a general compressor? zlib gives frequent bytes fewer bits.

bits = {}
for name, data in (("2 bits", two), ("base 3", values.astype(np.uint8))):
    size = len(zlib.compress(data.tobytes(), 9))
    bits[name] = 8 * size / codes.size
    print(f"{name}: {bits[name]:.3f} bits a weight after zlib")
claim("it removes the waste of 2 bits", bits["2 bits"] < 1.7)
claim("it does not reach the entropy", min(bits.values()) > entropy(p))
claim("it saves less than 2 % of base 3", bits["base 3"] > 0.98 * 1.6)

# %%
# It finds nothing beyond the frequencies of the codes, and base 3 is close to
# that limit already.
#
# Without a division
# ------------------
# ``values // power % 3`` divides, which most vector units cannot do with
# integers. There is a way around. In base 3 the fraction :math:`v / 243` is
# written :math:`0.d_0 d_1 d_2 d_3 d_4`, and, as with decimal fractions,
# *multiplying by the base* moves the first digit before the point:
#
# .. math:: 3 \cdot 0.d_0 d_1 d_2 d_3 d_4 = d_0 + 0.d_1 d_2 d_3 d_4
#
# Let a byte :math:`b` stand for the fraction :math:`b / 256`. We store
# :math:`b = 256 v / 243`, rounded up. The integer part of :math:`3 b / 256` is
# then the first digit, and it is taken with a shift by 8 bits.


def bytes_of(values):
    rounded_up = -(-256 * values // 243)
    return rounded_up.astype(np.uint8)


def unpack(data, count):  # uint8 (n,) -> int8 (count,)
    rest, digits = data.astype(np.uint16), []
    for _ in range(5):
        rest = 3 * rest
        digits.append(rest >> 8)  # the integer part
        rest &= 255  # the fractional part
    d = np.stack(digits, axis=1).ravel()[:count]
    return d.astype(np.int8) - np.int8(1)


data = bytes_of(values)
wrong = (unpack(data, codes.size) != codes).sum()
quote("codes that differ, without division", wrong, 0, 0)
draw.digits(np.array([1, -1, 0, 1, 1]), bytes_of, pack_base_3)

# %%
# In each row of the figure the black line is the fraction, and the third that
# contains it is green. This third, drawn three times as large, is the next
# row: multiply by 3 and drop the integer part.
#
# Why does rounding up do no harm? All fractions from :math:`v / 243` to just
# below :math:`(v + 1) / 243` begin with the same five digits. Rounding up adds
# less than 1/256, which is less than 1/243: the byte stays in its interval.

v = np.arange(243)
predict("how many of 243 come back if 256 v / 243 is rounded down?")
for name, rounded, expected in (
    ("up", -(-256 * v // 243), 243),
    ("down", 256 * v // 243, 1),
    ("to nearest", np.rint(256 * v / 243), 122),
):
    back = unpack(rounded.astype(np.uint8), 5 * 243)
    intact = (pack_base_3(back) == v).sum()
    quote(f"intact, rounded {name}", intact, expected, 0)

# %%
# Rounded down, only 0 comes back: every other byte falls just below its
# interval. This is the format of the library, ``tervit_np/deploy/base3.py``,
# and its bytes are ours:

from tervit_np.deploy import base3

quote("bytes that differ", (base3.encode(codes) != data).sum(), 0, 0)
unused = sorted(set(range(256)) - set(bytes_of(v).tolist()))
quote("bytes that encode nothing", len(unused), 13, 0)

# %%
# The remaining codes of a row
# ----------------------------
# Should each row begin with a new byte? A row of 96 codes takes 20 bytes, with
# four places empty. Packed as one long sequence, a matrix has at most four
# empty places in all. And each row has a scale of 32 bits.

quote("bits, rows of 96", 8 * 20 / 96, 1.667, 5e-4)
quote("bits with scale, rows of 64", 1.6 + 32 / 64, 2.1, 1e-9)
quote("bits with scale, rows of 384", 1.6 + 32 / 384, 1.683, 5e-4)

# %%
# So the library packs the whole matrix as one sequence. The scale costs more
# in narrow layers: with 64 inputs it is half a bit a weight.
#
# A whole file
# ------------
# ``tv.export`` writes a model as a safetensors file: eight bytes of length, a
# header in JSON that names every array, then the arrays one after another. The
# codes of the ternary layers are base 3; patch embedding and head have 8-bit
# weights, a byte each; everything else is float32.

from tervit_np.checkpoints.formats.safetensors import read_safetensors

path = OUT / "17_ternary.safetensors"
classes = list(shapes().test.classes)
tv.export(model, path, extra={"classes": classes})
arrays, metadata = read_safetensors(path)


def kind(name, array):
    if name.endswith(".scale"):
        return "scales"
    if name.endswith(".codes"):
        return "ternary codes" if array.dtype == np.uint8 else "8-bit codes"
    return "positions" if name == "pos_embed" else "norms and biases"


def weigh(arrays, file_size):
    weight = {}
    for name, array in arrays.items():
        part = kind(name, array)
        weight[part] = weight.get(part, 0) + array.nbytes
    return weight | {"names and header": file_size - sum(weight.values())}


file_size = path.stat().st_size
weight = weigh(arrays, file_size)
predict("which fraction of the file are ternary codes?")
for part, size in sorted(weight.items(), key=lambda item: -item[1]):
    print(f"{part:17} {size:6} bytes, {100 * size / file_size:4.1f} %")
quote("bytes of ternary codes", weight["ternary codes"], 39_328, 0)
quote("kB of the file", file_size / 1e3, 87.4, 0.05)
fraction = weight["ternary codes"] / file_size
quote("fraction of ternary codes", fraction, 0.45, 5e-3)

# %%
# The ternary weights are less than half of the file. Norms and biases take
# 16 %, the scales 11 %, and the *names* of the arrays 8 %. How much smaller
# than float32 is the file?

from tervit_np.analysis.sizes import sizes

float32 = sizes(model).float32
quote("times smaller", float32 / file_size, 9.8, 0.05)
quote("times smaller, the codes alone", 32 / 1.6, 20, 1e-9)

# %%
# Not 20 times but 9.8. Two remarks before we look at a larger model.
#
# *Half precision.* ``precision="float16"`` halves scales, norms, biases and
# positions. What it does to the answers must be measured:

half = OUT / "17_half.safetensors"
tv.export(model, half, precision="float16", extra={"classes": classes})
quote("times smaller, float16", float32 / half.stat().st_size, 11.6, 0.05)
test = shapes().test.take(np.arange(500))
images = normalise(test.images, test.mean, test.std)
logits = tv.load_packed(path).predict(images)
logits_half = tv.load_packed(half).predict(images)
same = (logits.argmax(axis=1) == logits_half.argmax(axis=1)).mean()
print(f"largest change of a logit: {np.abs(logits - logits_half).max():.3f}")
claim("float16 changes at most 1 % of the answers", same >= 0.99)

# %%
# *Damage.* A byte of the file that changes on the way is, in most cases,
# another valid byte: five other weights. So the header holds a checksum
# (SHA-256) of everything, and a file that does not match is refused:

damaged = bytearray(path.read_bytes())
damaged[-1000] ^= 1  # one bit
(OUT / "17_damaged.safetensors").write_bytes(damaged)
refused = False
try:
    tv.load_packed(OUT / "17_damaged.safetensors")
except ValueError as refusal:
    refused = True
    print(str(refusal).replace(str(OUT), "..."))
claim("a file with one changed bit is refused", refused)

# %%
# Is it twenty times smaller?
# ---------------------------
# The size of a file depends on shapes alone, so random weights will do: here
# is a DeiT-Small, 22 million parameters, written for real.

predict("how many times smaller is the file of a ternary DeiT-Small?")
deit = tv.quantize(tv.create_model("deit_small_patch16_224"), "ternary")
path = OUT / "17_deit_small.safetensors"
tv.export(deit, path)
deit_size = path.stat().st_size
deit_weight = weigh(read_safetensors(path)[0], deit_size)
deit_float32 = sizes(deit).float32
quote("MB of DeiT-Small in float32", deit_float32 / 1e6, 88.2, 0.05)
quote("MB of its packed file", deit_size / 1e6, 5.67, 5e-3)
quote("times smaller, DeiT-Small", deit_float32 / deit_size, 15.6, 0.05)
matrices = deit_weight["ternary codes"] / deit_size
ends = deit_weight["8-bit codes"] / deit_size
quote("fraction of ternary codes, DeiT-Small", matrices, 0.749, 5e-4)
quote("fraction of 8-bit codes", ends, 0.12, 5e-3)
quote("fraction of everything else", 1 - matrices - ends, 0.13, 5e-3)
draw.file_parts({"deit_shapes": weight, "deit_small_patch16_224": deit_weight})

# %%
# 15.6 times. Three quarters of this file are ternary codes. The patch
# embedding and the head, which stay at 8 bits as the paper's sizes have them,
# are one eighth; all float32 numbers together are the other eighth.
#
# The number of weights in matrices grows with the square of the width, and
# that of scales, norms and biases with the width. So the promise comes closer
# in larger models:

names = ["deit_shapes", *(f"deit_{s}_patch16_224" for s in ("tiny", "small"))]
names.append("deit_base_patch16_224")
ratios = []
for name in names:
    config = tv.models.CONFIGS[name]
    counted = sizes(tv.quantize(tv.models.build(config, None), "ternary"))
    ratios.append(counted.float32 / counted.stored)
draw.ratios(names, ratios)
quote("times smaller, DeiT-Base, without header", ratios[-1], 17.5, 0.05)
claim("the larger the model, the larger the ratio", ratios == sorted(ratios))
claim("none is 20 times smaller", max(ratios) < 20)

# %%
# ``tervit size MODEL`` prints these counts, without the header, and two other
# ways of counting. One of them gives the paper's size of Swin-S: 2 bits for a
# ternary weight, 8 bits for all other parameters, no scales.

paper = sizes(deit).paper / 1e6
quote("MB of DeiT-Small as the paper counts", paper, 6.13, 5e-3)
claim("more than our file has", paper > deit_size / 1e6)

# %%
# That is more than our file has, because our 1.6 bits save more than the
# float32 numbers cost. When you read "20 times smaller" or "2 bits", ask what
# was counted.
#
# On your own
# -----------
# * ``tervit exercise start pack``: write the packing again, with a length that
#   is not a multiple of five.
# * Pack codes of 4 bits, -7 to 7, two to a byte, and compare your bytes with
#   those of ``tervit_np.deploy.bit_packing.encode(codes, 4)``. Which half of
#   the byte has the first code? Which half byte never occurs?
# * Store ``t & 3`` in the 2-bit format instead of t + 1. Which bits stand for
#   -1 then, and what must the reader do?
# * How many weights must be zero for an entropy of 1 bit? Use ``entropy``
#   with equal fractions of -1 and 1.
# * Put ten codes into 16 bits, and unpack them by multiplication. Is rounding
#   up still enough?
# * How many times smaller would the file of a DeiT-Small be if patch embedding
#   and head were ternary too? Estimate it from ``deit_weight``.
#
# In practice
# -----------
# * llama.cpp has both formats. TQ2_0 stores 256 weights in 64 bytes and a
#   float16 scale: 2.06 bits. TQ1_0 stores 240 of 256 weights five to a byte
#   and 16 of them four to a byte, with a scale: 1.69 bits. It unpacks by
#   multiplication, as above.
# * bitnet.cpp has kernels for 2 bits (I2_S) and for groups of three weights in
#   5 bits (TL2, 1.67 bits).
# * ``tervit export RUN --format onnx`` writes four codes a byte: ONNX has a
#   2-bit type, but nothing for base 3.
# * Codes of 2 to 7 bits (``tervit export RUN --plan int4``) take that many
#   bits in this library's files, without gaps: 4 bits are two to a byte.
# * A file and a kernel have different needs. This library reads base 3 from
#   the file and repacks to 2 bits when it loads. Codes of 2 to 7 bits become
#   bytes: they make the file smaller and not the product faster.
#
# Further reading
# ---------------
# * `deploy/base3.py <../tervit_np/deploy/base3.py>`_ and
#   `deploy/bit_packing.py <../tervit_np/deploy/bit_packing.py>`_.
# * Claude Shannon: A mathematical theory of communication (1948).
# * The pull request to llama.cpp that added TQ1_0 and TQ2_0 (2024) explains
#   the multiplication.
# * Han, Mao, Dally: Deep compression (2015): pruning, shared values and an
#   entropy coder, for networks with many zeros.
