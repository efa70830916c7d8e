"""What quantizers do in a step of training and to a bias, on numbers small enough for paper.

`forward` and `backward` do not show how a rule against oscillation moves weights, what an average
remembers, or what Tequila adds to a bias. A comment derives the numbers of each example.
"""

from collections.abc import Iterator

import numpy as np

from tervit_np.arrays import Array
from tervit_np.param import Param
from tervit_np.quant import LAT, QEMA, Dampened, Freezing, Quantizer, Tequila
from tervit_np.verify.golden import ValueCheck

W = [0.1, -0.5, 0.3, 1.5]  # codes 0, -1, 0, 1, and alpha 1: the first example of hand_examples.py
# With 0.9 in front mean|w| is 1.725, Delta 1.2075, and the codes are 0, 1, -1, 1; with 1.5 they are
# 1.875, 1.3125 and 1, 1, -1, 1; with -1.5 the first code is -1.
LOW, HIGH = 0.9, 1.5
REST = [2.0, -2.0, 2.0]


def step_examples() -> Iterator[ValueCheck]:
    """Compare what steps do with results by hand."""
    yield from _dampened()
    yield from _freezing()
    yield from _averages()
    yield from _bias()


def _dampened() -> Iterator[ValueCheck]:
    """The pull is 2 strength (w - w_hat), added to the gradient; 1.5 is beyond alpha."""
    quantizer, weight = Dampened(strength=0.5), _weight(W, 1.0)
    quantizer.before_step(weight)
    yield ValueCheck("dampened: a step's gradient", weight.grad, np.array([[1.1, 1.5, 1.3, 1]]))


def _freezing() -> Iterator[ValueCheck]:
    """Frequencies are averages of 0.98; two oscillations in a row give 0.0396."""
    # Codes 1, 0, 1, 0: the second and the third change turn back. The code was 1 most of the time,
    # and with LOW in front alpha is 2. An optimizer then moves the weight to -3; alpha becomes 9/4.
    quantizer, weight = _after([HIGH, LOW, HIGH, LOW])
    yield ValueCheck("freezing: the weight that stops", weight.data.copy(), _row(2))
    weight.data[0, 0] = -3
    quantizer.after_step(weight)
    yield ValueCheck("freezing: it is put back", weight.data, _row(2.25))
    # Codes 0, -1, 0, 1: one turn, then on in the same direction.
    quantizer, weight = _after([LOW, -HIGH, LOW, HIGH])
    frequency = quantizer.buffers()["frequencies"]
    yield ValueCheck("freezing: a weight that passes by", weight.data, _row(HIGH))
    yield ValueCheck("freezing: its frequency", frequency, np.array([[0.0196, 0, 0, 0]]))


def _averages() -> Iterator[ValueCheck]:
    """Both averages take a hundredth of what is new."""
    quantizer: Quantizer = QEMA()
    quantizer.prepare(np.array([W]))
    quantizer.after_step(_weight([1.1, -0.5, 0.3, 0.5]))
    average = quantizer.buffers()["average"]
    yield ValueCheck("qema: the average", average, np.array([[0.11, -0.5, 0.3, 1.49]]))
    quantizer = LAT()
    quantizer.prepare(np.array([W]))
    quantizer.after_step(_weight(W, 3.0))
    squares = quantizer.buffers()["squares"]
    yield ValueCheck("lat: squared gradients", squares, np.full((1, 4), 0.09))


def _bias() -> Iterator[ValueCheck]:
    """The zeros of W add up to 0.4, half of which is added to the bias."""
    quantizer, w = Tequila(strength=0.5), np.array([W])
    _, cache = quantizer.forward(w)
    yield ValueCheck("tequila: the bias", quantizer.bias(w, cache), np.array([0.2]))


def _after(first: list[float]) -> tuple[Freezing, Param]:
    """Give a first weight these values, one after another.  -> the quantizer, the weights."""
    quantizer, weight = Freezing(limit=0.03), _weight([first[0], *REST])
    quantizer.prepare(weight.data)
    for value in first[1:]:
        weight.data[0, 0] = value
        quantizer.after_step(weight)
    return quantizer, weight


def _row(first: float) -> Array:
    return np.array([[first, *REST]])


def _weight(values: list[float], gradient: float = 0.0) -> Param:
    """Make a parameter of one row.  -> (1, 4), float64."""
    weight = Param(np.array([values]))
    weight.grad.fill(gradient)
    return weight
