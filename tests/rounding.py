"""Assertions for two ways to compute the same thing with a rounding on the way.

Two correct programs, and two processors, differ in the last bits of their sums: about 1e-7. Where
x / s is not near a half, both sides round it to the same code and the difference stays 1e-7. Where
it is near a half, their codes may differ by one: this changes a token by a hundredth, and all that
follows by 1e-5 to 1.5e-2. Nothing is in between. A tolerance between 1e-6 and 1e-2 is therefore
wrong twice: it fails on another processor without a mistake, and it hides mistakes of a thousandth.

Three kinds of assertions hold on every processor. Use the first that is possible:

    (a) layer by layer     Each layer gets the input that the reference layer got. Codes are equal
                           except within FLIP of a half, where they are off by at most one; outputs
                           from equal codes agree to ROUNDOFF32.
    (b) proven margin      `clear_images` draws images until it has some of which, in float64, no
                           value of any quantizer is within MARGIN of a half. No code of theirs can
                           differ, so all outputs agree to SAME.
    (c) excused images     An image agrees to SAME, unless one of its codes has flipped (`flips`)
                           within MARGIN of a half; then FLIP_DECIBELS of signal to noise remain.

TERVIT_TEST_SEED=n gives every `generator` another seed. `python -m tests.processors` runs the tests
that are marked `rounding` with many seeds, and as if on other processors.
"""

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from tervit_np.nn import LayerNorm
from tervit_np.quant import IDENTITY, StaticAct, UniformAct
from tervit_np.quant.uniform import largest_code
from tests.checks import ROUNDOFF32

FLIP = 2e-5  # float32 rounds s and x / s: 1.2e-7 of a code up to 127
MARGIN = 1e-4  # the same behind a whole float32 model, whose errors add up
SAME = 1e-5  # of the largest output of a model
FLIP_DECIBELS = 35.0  # what a few codes that are off by one leave of a model's logits
BATCH, ATTEMPTS = 32, 200  # of images that are drawn until enough of them are clear


def generator(seed=0):
    """Return a random generator; TERVIT_TEST_SEED gives all of them other seeds."""
    shift = int(os.environ.get("TERVIT_TEST_SEED", "0"))
    return np.random.default_rng([shift, seed] if shift else seed)


class Rounded(NamedTuple):
    """What a quantizer did with its input."""

    codes: np.ndarray  # int64 (B, ...)
    distance: np.ndarray  # float64 (B, ...): |frac(x / s) - 1/2|


_records: list[list[Rounded]] = []


def from_half(steps):
    """Measure how far x / s is from the next number that is rounded to another code."""
    steps = np.asarray(steps, np.float64)
    return np.abs(steps - np.floor(steps) - 0.5)


def record_rounding(codes, distance):
    """Add what was rounded to the lists of `recorded`."""
    for record in _records:
        record.append(Rounded(np.asarray(codes, np.int64), distance))


@contextmanager
def recorded() -> Iterator[list[Rounded]]:
    """List what activation quantizers do in the enclosed lines, in the order of their calls."""
    record, forwards = [], {rule: rule.forward for rule in (UniformAct, StaticAct)}

    def recording(self, x, *args, **options):
        codes, scale, _ = self.encode(x)
        steps = x / np.where(scale == 0, 1, scale)
        if isinstance(self, StaticAct):
            steps = np.clip(steps, -largest_code(self.bits), largest_code(self.bits))
        record.append(Rounded(codes.astype(np.int64), from_half(steps)))
        return forwards[type(self)](self, x, *args, **options)

    for rule in forwards:
        rule.forward = recording
    _records.append(record)
    try:
        yield record
    finally:
        for rule, forward in forwards.items():
            rule.forward = forward
        _records.pop()


def in_float64(module):
    """Copy a module to float64, with the weights that its quantizers round to in float32.

    Weights are rounded from the same float32 numbers everywhere, by operations that all processors
    compute alike, so their codes cannot differ: only activations are rounded in float64.
    """
    wide = copy.deepcopy(module)
    for _, layer in wide.quantizable():
        if layer.weight is not None:
            layer.weight.data = layer.weight_quant.forward(layer.weight.data)[0]
            layer.weight_quant = IDENTITY
    for _, param in wide.named_params():
        param.data = param.data.astype(np.float64)
    if hasattr(wide, "dtype"):
        wide.dtype = np.dtype(np.float64)
    return wide


def margins(module, x):
    """Return the smallest distance from a half in each image.  (B, ...) -> float64 (B,)."""
    with recorded() as record:
        in_float64(module).forward(x.astype(np.float64))
    smallest = [each.distance.reshape(len(x), -1).min(axis=1) for each in record]
    return np.min([np.full(len(x), 0.5), *smallest], axis=0)


def constant_margin(module, x):
    """Return the smallest distance from a half among values that all images share.

    A class token is the same in all of them before the first attention. Where it is within MARGIN,
    no image is clear, and the test needs other weights.
    """
    with recorded() as record:
        in_float64(module).forward(x.astype(np.float64))
    distances = [each.distance.reshape(len(x), -1) for each in record]
    shared = [d[0][np.ptp(d, axis=0) < 1e-9] for d in distances]
    return min((d.min(initial=0.5) for d in shared), default=0.5)


def clear(modules, x):
    """Tell which images keep MARGIN in all modules.  (B, ...) -> bool (B,)."""
    return np.min([margins(module, x) for module in modules], axis=0) > MARGIN


def clear_images(modules, count, shape, seed=0):
    """Draw normal images and keep the first that are clear in all modules.  -> (count, *shape)."""
    rng, kept = generator(seed), []
    for _ in range(ATTEMPTS):
        images = rng.normal(size=(BATCH, *shape)).astype(np.float32)
        kept.extend(images[clear(modules, images)])
        if len(kept) >= count:
            return np.stack(kept[:count])
    raise AssertionError(f"only {len(kept)} of {BATCH * ATTEMPTS} images keep the margin")


def errors(found, expected):
    """Return each image's largest error, relative to its largest output.  (B, ...) -> (B,)."""
    found, expected = _flat(found), _flat(expected)
    assert found.shape == expected.shape
    return np.abs(found - expected).max(axis=1) / np.maximum(np.abs(expected).max(axis=1), 1e-300)


def decibels(found, expected):
    """Return each image's ratio of signal to noise.  (B, ...) -> (B,)."""
    found, expected = _flat(found), _flat(expected)
    noise = np.linalg.norm(found - expected, axis=1)
    return 20 * np.log10(np.linalg.norm(expected, axis=1) / np.maximum(noise, 1e-300))


def _flat(x):
    return np.asarray(x, np.float64).reshape(len(x), -1)


def assert_same(found, expected, limit=SAME, name=""):
    """Outputs agree in each image: no code of theirs can differ."""
    error = errors(found, expected)
    assert (error <= limit).all(), f"{name}: relative errors {error} are not below {limit:g}"


def assert_same_codes(found, expected, distance, within=FLIP):
    """Codes are equal, except near a half, where they are off by at most one."""
    difference = np.abs(np.asarray(found, np.int64) - np.asarray(expected, np.int64))
    assert difference.max(initial=0) <= 1, f"codes differ by {difference.max()}"
    worst = np.max(distance, where=difference == 1, initial=0)
    assert worst < within, f"codes differ where x / s is {worst:.1e} from a half"


def flips(found, expected, count):
    """Compare two records of a model.  -> bool (count,): images of which a code has flipped.

    In each image, the first quantizer whose codes differ must have rounded a value next to a half;
    the quantizers after it get other inputs.
    """
    flipped = np.zeros(count, bool)
    for one, two in zip(found, expected, strict=True):
        mine, theirs, distance = (
            a.reshape(count, -1)[~flipped] for a in (one.codes, two.codes, two.distance)
        )
        assert_same_codes(mine, theirs, distance, MARGIN)
        flipped[~flipped] = (mine != theirs).any(axis=1)
    return flipped


def assert_same_or_flipped(found, expected, flipped):
    """Each image agrees, or has a flipped code and keeps FLIP_DECIBELS.  `flipped` bool (B,)."""
    error, ratio = errors(found, expected), decibels(found, expected)
    different = error > SAME
    unexplained = different & ~flipped
    assert not unexplained.any(), f"relative errors {error[unexplained]} without a flipped code"
    assert (ratio[different] > FLIP_DECIBELS).all(), f"signal to noise is {ratio} decibels"


def layer_inputs(model, images):
    """Run a model.  -> {name of a layer: the arguments that its forward got}."""
    inputs, layers = {}, _layers(model)
    for name, layer in layers.items():
        layer.forward = _remembering(inputs, name, layer.forward)
    try:
        model.forward(images)
    finally:
        for layer in layers.values():
            del layer.forward
    return inputs


def _layers(model):
    """Return all LayerNorms and all layers that take quantizers, by name."""
    norms = {name: m for name, m in model.named_modules() if isinstance(m, LayerNorm)}
    return norms | dict(model.quantizable())


def _remembering(inputs, name, forward):
    def remembering(*args):
        inputs[name] = tuple(a.copy() if isinstance(a, np.ndarray) else a for a in args)
        return forward(*args)

    return remembering


def assert_same_layers(found, expected, images, limit=ROUNDOFF32):
    """Each layer of `found` gives what its namesake gives, from the input of that namesake."""
    inputs = layer_inputs(expected, images)
    ours, theirs = (dict(model.named_modules()) for model in (found, expected))
    for name, arguments in inputs.items():
        outputs = [layers[name].forward(*arguments)[0] for layers in (ours, theirs)]
        assert_same(*outputs, limit, name)
