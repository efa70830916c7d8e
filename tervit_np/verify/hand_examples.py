"""Losses and quantizers on numbers small enough to work out by hand.

A threshold of 0.7 max|w| or a divergence with its arguments exchanged is a mistake of forward and
backward together, which finite differences confirm. These examples contradict it. A comment derives
the numbers of each; the codes of a quantizer must multiply out to the same numbers.
"""

import copy
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tervit_np import losses
from tervit_np.arrays import Array
from tervit_np.quant import (
    CALIBRATIONS,
    LAT,
    LSQ,
    PACT,
    QEMA,
    SEQ,
    TTQ,
    Blend,
    Dampened,
    DoReFa,
    Freezing,
    Hadamard,
    HadamardAct,
    LSQAct,
    LSQPlusAct,
    Quantizer,
    Quest,
    QuestAct,
    Sherry,
    StaticAct,
    Tequila,
    Ternary,
    TernaryGamma,
    UniformAct,
    UniformWeight,
    find_scale,
)
from tervit_np.quant.quest import LEVEL
from tervit_np.quant.quest_act import ENDS
from tervit_np.verify.golden import ValueCheck

Rows = list[list[float]]
WITHOUT_CODES = (Blend, LSQPlusAct, Hadamard, HadamardAct)  # none that dequantize to w_hat
_STEP = 0.5  # at which learned scales of inputs start here


class Example(NamedTuple):
    """A quantizer, its input, and the output worked out by hand; dw, da for an upstream of ones.

    `buffers` are what earlier steps have left.
    """

    quantizer: Quantizer
    w: Rows
    w_hat: Rows
    dw: Rows | None = None
    buffers: dict[str, Rows] = {}  # noqa: RUF012  never changed
    da: float | None = None  # of a learned end


EXAMPLES = (
    # mean|w| 0.6 and 10, Delta 0.42 and 7; the mean of the magnitudes above it is 1 and 16.
    Example(
        Ternary(),
        [[0.1, -0.5, 0.3, 1.5], [20, -4, 12, 4]],
        [[0, -1, 0, 1], [16, 0, 16, 0]],
    ),
    # The same rule; they differ in what steps of training do.
    Example(Dampened(), [[0.1, -0.5, 0.3, 1.5]], [[0, -1, 0, 1]]),
    Example(Freezing(), [[0.1, -0.5, 0.3, 1.5]], [[0, -1, 0, 1]]),
    Example(Tequila(), [[0.1, -0.5, 0.3, 1.5]], [[0, -1, 0, 1]]),
    # One mean of 5.3 for both rows, Delta 3.71; the mean of 20, 4, 12, 4 is 10.
    Example(
        Ternary("tensor"),
        [[0.1, -0.5, 0.3, 1.5], [20, -4, 12, 4]],
        [[0, 0, 0, 0], [10, -10, 10, 10]],
    ),
    Example(TernaryGamma(), [[20, -4, 12, 4]], [[16, 0, 16, 0]]),  # the second row above
    # Groups of two: mean|w| 0.3, 0.9, 12, 8; Delta 0.21, 0.63, 8.4, 5.6.
    Example(
        Ternary("group2"),
        [[0.1, -0.5, 0.3, 1.5], [20, -4, 12, 4]],
        [[0, -0.5, 0, 1.5], [20, 0, 12, 0]],
    ),
    # mean|w| 4, Delta 2, and a weight equal to it becomes zero; the scale is the mean of the row.
    Example(Ternary("channel", "absmean", "mean"), [[1, -4, 2, 9]], [[0, -4, 0, 4]]),
    # The exact rule maximizes S_k^2 / k, S_k the sum of the k largest magnitudes: 64, 60.5, 56.3,
    # 49 in the first row, so k is 1; 36, 40.5, 40.3, 36 in the second, so k is 2.
    Example(Ternary(threshold="exact"), [[8, -3, 2, 1], [6, -3, 2, 1]],
            [[8, 0, 0, 0], [4.5, -4.5, 0, 0]]),
    # Clipped to 0.5, -2, 2: mean 1.5, Delta 1.05.
    Example(Ternary(clip=2), [[0.5, -8, 2]], [[0, -2, 2]]),
    # Root mean square 1, so that the level is 1.224 and the threshold 0.612.
    Example(
        Quest(),
        [[0.6, -0.6, math.sqrt(1.64), -math.sqrt(1.64)], [2, 0, 0, 0]],
        [[0, 0, LEVEL, -LEVEL], [LEVEL, 0, 0, 0]],
        dw=[[1, 1, 1, 1], [0, 1, 1, 1]],  # 2 is 0.776 from its level, more than 0.612
    ),
    # Sums and differences over root 2 are 2, 0, 0, -2, of root mean square root 2: threshold 0.866,
    # level 1.731. Rotated back, these are 1.224, the level for root mean square 1.
    Example(Hadamard("channel", 2), [[math.sqrt(2), math.sqrt(2), -math.sqrt(2), math.sqrt(2)]],
            [[LEVEL, LEVEL, -LEVEL, LEVEL]]),
    # H_4 gives 2, 0, 0, 0, of root mean square 1: the levels 1.494 and, three times, a third of it
    # (0 rounds up). Then sums and differences, over 2.
    Example(HadamardAct(2, 4), [[1, 1, 1, 1]],
            [[ENDS[2], ENDS[2] / 3, ENDS[2] / 3, ENDS[2] / 3]]),
    # Root mean square 1: levels of 2 bits at +-1.494 and a third of it, thresholds 0 and +-0.996.
    Example(
        QuestAct(2),
        [[0.9, -0.9, math.sqrt(1.19), -math.sqrt(1.19)], [2, 0.1, 0, 0]],
        [[ENDS[2] / 3, -ENDS[2] / 3, ENDS[2], -ENDS[2]],
         [ENDS[2] * math.sqrt(4.01 / 4), *[ENDS[2] * math.sqrt(4.01 / 4) / 3] * 3]],
        dw=[[1, 1, 1, 1], [0, 1, 1, 1]],  # 2 is just beyond 4/3 of the end, 1.994
    ),
    # 1 is the smallest of its four; of equal magnitudes the first is dropped; 30 / 6 remains.
    Example(Sherry(), [[1, -4, 2, 9, 5, 5, 5, -5]], [[0, -5, 5, 5, 0, 5, 5, -5]]),
    # a is 3, the levels are -2, 0, 2; 1 is on a threshold.
    Example(SEQ(), [[3, 1, 0.9, -1.2], [0, 0, 0, 0]], [[2, 0, 0, -2], [0, 0, 0, 0]]),
    # a is 4, the levels are -3, -1, 1, 3.
    Example(SEQ(4, "tensor"), [[4, 1.6], [0, -2.5]], [[3, 1], [1, -3]]),
    # The mean magnitude is 3/2, and the end 3; thresholds at its half.
    Example(LSQ(), [[1, -2, 3, 0]], [[0, -3, 3, 0]]),
    # Q is 7, the mean magnitude root(7) / 2, and the step 2 root(7) / 2 / root(7) = 1.
    Example(LSQ(4), [[math.sqrt(7), -math.sqrt(7), 0, 0]], [[3, -3, 0, 0]]),
    # Mean 1 and deviation 1: 4 / 2^1 is the end of the first row; 0 and 3, 3 / 2 of the second.
    Example(LSQ(2, start="deviation"), [[2, 0, 2, 0], [1, -1, 1, -1]],
            [[2, 0, 2, 0], [1.5, -1.5, 1.5, -1.5]]),
    # Thresholds 0.2 and 0.5, which are 0: the means of 4 and 2 and of 1, of 0.6 and 10.
    Example(TTQ(), [[4, 0.2, 2, -1], [0.6, 10, 0.5, 0]], [[3, 0, 3, -1], [5.3, 5.3, 0, 0]]),
    # d are 2, 1, 1, 0. Of the k largest, the sums of d w are 8, 11, 13, 13 and of d 2, 3, 4, 4, and
    # 64 / 2, 121 / 3, 169 / 4 grow up to k = 3: the level is 13 / 4. With equal d it would be 3.
    Example(LAT(), [[4, -3, 2, 1]], [[3.25, -3.25, 3.25, 0]], buffers={"squares": [[4, 1, 1, 0]]}),
    # Delta 0.42 and alpha 1, as in the first example. The average of 0.1 is above it, that of -0.5
    # is not, and 1.5 is beyond alpha.
    Example(QEMA(), [[0.1, -0.5, 0.3, 1.5]], [[1, 0, 0, 1]],
            buffers={"average": [[0.5, -0.3, 0.3, -1]]}),
    # tanh w = 0.9, -0.65, 0.1, divided by 0.9: 1, -0.72, 0.11. Levels -1, -1/3, 1/3, 1.
    # Without tanh the second would be -0.53 and get the level -1/3.
    Example(
        DoReFa(2, scale="one"),
        [[math.atanh(t) for t in (0.9, -0.65, 0.1)]],
        [[1, -1, 1 / 3]],
    ),
    # v = 1, -1, 1/3, 1/3 (the half goes to the even level), c = sum(w v) / sum(v^2) = 2 / (20 / 9).
    Example(DoReFa(2), [[1, -1, 0, 0]], [[0.9, -0.9, 0.3, 0.3]]),
    # Steps 1 and 2; halves go to the even neighbour.
    Example(UniformWeight(), [[127, 0.5, 1.5, -2.5], [254, 1, 3, -5]],
            [[127, 0, 2, -2], [254, 0, 4, -4]]),
    # The largest is 7, the last level of 4 bits: step 1 for both rows.
    Example(UniformWeight(4, "tensor"), [[7, -2.5], [0.6, 1.5]], [[7, -2], [1, 2]]),
    # Steps 1 and 1/7 of the pairs, 7 levels on each side.
    Example(UniformWeight(4, "group2"), [[7, -2.5, 1, 0.15]], [[7, -2, 1, 1 / 7]]),
    Example(UniformAct(), [[-127, 0.5, 1.5], [254, 1, 3]], [[-127, 0, 2], [254, 0, 4]]),
    # -51 to 204 is 255 steps of 1, zero point 51. The range 1.2 to 255 is extended to 0.
    Example(UniformAct(8, "minmax"), [[-51, 204, 0.5, 1.5], [1.2, 3, 7, 255]],
            [[-51, 204, 0, 2], [1, 3, 7, 255]]),
    # Step 1; the zero point 0.4 is rounded to 0, so that 0 stays 0.
    Example(UniformAct(8, "minmax"), [[-0.4, 254.6, 0, 3]], [[0, 255, 0, 3]]),
    # The grid ends at 127 / 2; 0.5 and 2.5 steps are halves, -127.2 steps are clipped.
    Example(StaticAct(8, 0.5), [[0.25, 1.25, -63.6, 100]], [[0, 1, -63.5, 63.5]]),
    # The same grid, and one of 4 bits that ends at 7 / 2, with steps as calibrated (_STEP).
    Example(LSQAct(8), [[0.25, 1.25, -63.6, 100]], [[0, 1, -63.5, 63.5]]),
    Example(LSQPlusAct(4), [[0.25, 0.75, -9, 3]], [[0, 1, -3.5, 3]]),  # the offset starts at 0
    # -9 moves the end by -1, and the others, being inside, do not; with LSQ they would.
    Example(PACT(4), [[0.3, 0.6, -9, 3]], [[0.5, 0.5, -3.5, 3]], da=-1),
    # A quarter of the way from w to the first example's w_hat.
    Example(Blend(Ternary(), 0.25), [[0.1, -0.5, 0.3, 1.5]], [[0.075, -0.625, 0.225, 1.375]]),
)  # fmt: skip


def example_checks() -> Iterator[ValueCheck]:
    """Compare every example with its result by hand.  -> the worse of its forward and codes."""
    for example in EXAMPLES:
        w, expected = np.array(example.w, np.float64), np.array(example.w_hat, np.float64)
        quantizer = _prepared(example, w)
        checks = [ValueCheck(repr(quantizer), quantizer.forward(w)[0], expected)]
        if not isinstance(quantizer, WITHOUT_CODES):
            w_hat = quantizer.encode(w).dequantize()
            checks.append(ValueCheck(f"{quantizer!r} codes", w_hat, expected))
        yield max(checks, key=lambda check: check.error)
    yield from _scales()
    yield from _losses()


def gradient_examples() -> Iterator[ValueCheck]:
    """Compare gradients with those by hand, of quantizers whose forward decides what is masked.

    `frozen` takes that mask from the forward, so it cannot contradict it; nor does it contradict
    a rule that moves a learned end by the convention of another.
    """
    for example in EXAMPLES:
        w = np.array(example.w, np.float64)
        quantizer = _prepared(example, w)
        dw = quantizer.backward(np.ones_like(w), quantizer.forward(w)[1])
        if example.dw is not None:
            yield ValueCheck(f"{quantizer!r} dw by hand", dw, np.array(example.dw))
        if example.da is not None:
            da = quantizer.params()["end"].grad
            yield ValueCheck(f"{quantizer!r} da by hand", da, np.array([example.da]))


def _prepared(example: Example, w: Array) -> Quantizer:
    """Copy a quantizer, with what it learns at its start, and its buffers."""
    own = copy.deepcopy(example.quantizer)
    own.prepare(w)
    for name, rows in example.buffers.items():
        own.buffers()[name][...] = rows
    if isinstance(own, LSQAct):
        own.with_scale(_STEP)
    return own


def _scales() -> Iterator[ValueCheck]:
    """Compare the scales of static quantizers of 2 bits, where Q is 1 and s the grid's end."""
    # Ten magnitudes of 1 and one of 2. The last percentile of eleven values is a tenth of the way
    # from the tenth to the eleventh: 99 % of 10 steps are 9.9. A grid of s from 1 to 2 is off by
    # 10 (s - 1)^2 + (2 - s)^2, least at 12/11, and the nearest end is 2 (11/12)^7.
    values = np.array([-1.0] * 5 + [1.0] * 5 + [-2.0])
    by_hand = {"min-max": 2, "percentile": 1.9, "least-squares": 2 * (11 / 12) ** 7}
    for rule in CALIBRATIONS:
        scale = np.array(find_scale(values, 2, rule, percent=99))
        yield ValueCheck(f"{rule} scale", scale, np.array(by_hand[rule]))


def _losses() -> Iterator[ValueCheck]:
    """Compare the values of losses; finite differences check their gradients."""
    # p = (1/2, 1/4, 1/4), label 0, smoothing 0.3: q = (0.8, 0.1, 0.1), L = 0.8 ln 2 + 0.2 ln 4.
    logits = np.log([[0.5, 0.25, 0.25]])
    yield _value("cross_entropy", losses.cross_entropy(logits, np.array([0]), 0.3), 1.2)
    # T = 2, two images, p_t = (1/2, 1/2): KL = ln(1/2 / 1/4) / 2 + ln(1/2 / 3/4) / 2 for the
    # first image, 0 for the second; the loss is T^2 times their mean.
    student = 2 * np.log([[0.25, 0.75], [0.5, 0.5]])
    soft = losses.distillation(student, np.zeros((2, 2)), 2)
    yield _value("distillation", soft, 2 * (0.5 + 0.5 * math.log2(2 / 3)))
    # The teacher's largest logit is class 1, to which the student gives 1/4: ln 4.
    hard = losses.hard_distillation(logits, np.array([[0.0, 5.0, 1.0]]))
    yield _value("hard_distillation", hard, 2)


def _value(name: str, loss_and_gradient: tuple[float, Array], units_of_ln_2: float) -> ValueCheck:
    """Compare a loss with its value in units of ln 2."""
    return ValueCheck(name, np.array(loss_and_gradient[0]), np.array(units_of_ln_2 * math.log(2)))
