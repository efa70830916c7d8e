"""Every differentiable operator in the form that checks take: inputs, a forward, a backward.

The sizes are small and, within an operator, all different, so that exchanged axes show. Each
operator names the lengths by which a wrong backward may be off as a factor.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tervit_np import losses, ops
from tervit_np.arrays import Array
from tervit_np.verify.gradcheck import GradientCheck, numerical_gradient


class Operator(NamedTuple):
    """`forward(*inputs) -> y, cache`; `backward(dy, cache) -> one gradient for each input`."""

    name: str
    inputs: dict[str, Array]
    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[[Array, Any], Any]
    factors: dict[str, float] | None = None  # {"K": 3}: lengths that may be missing as a factor

    def gradient_checks(self, rng: np.random.Generator) -> list[GradientCheck]:
        """Compare each gradient with finite differences, under a random upstream.

        This checks values alone: the operator gets copies, so writing into them does no harm.
        """
        y, cache = self.forward(*(x.copy() for x in self.inputs.values()))
        dy = rng.normal(size=np.shape(y))
        analytic = as_tuple(self.backward(dy.copy(), cache))
        numeric = self.numerical_gradients(dy)
        return [
            GradientCheck(f"{self.name} d{name}", a, n)
            for name, a, n in zip(self.inputs, analytic, numeric, strict=True)
        ]

    def numerical_gradients(self, dy: Array) -> list[Array]:
        """Differentiate sum(dy y) by every input.  -> one array for each, like the inputs."""
        values = list(self.inputs.values())
        gradients = []
        for i, x in enumerate(values):

            def output(z: Array, i: int = i) -> Array:
                return np.asarray(self.forward(*values[:i], z, *values[i + 1 :])[0])

            gradients.append(numerical_gradient(output, x, dy))
        return gradients


def as_tuple(arrays: Any) -> tuple[Array, ...]:
    """Return a tuple of arrays as it is, one array alone in a tuple."""
    return arrays if isinstance(arrays, tuple) else (arrays,)


def operators(rng: np.random.Generator) -> Iterator[Operator]:
    """Yield all operators with random inputs."""
    n = rng.normal
    x = n(size=(2, 3, 5))
    yield Operator(
        "linear",
        {"x": x, "w": n(size=(4, 5)), "b": n(size=4)},
        ops.linear,
        ops.linear_backward,
        {"rows": 6, "batch": 2, "tokens": 3},
    )
    yield Operator(
        "layernorm",
        {"x": 2 * x + 1, "gamma": n(size=5), "beta": n(size=5)},
        ops.layernorm,
        ops.layernorm_backward,
        {"D": 5, "rows": 6},
    )
    yield Operator(
        "softmax",
        {"x": x},
        lambda x: ops.softmax(x, scale=0.4),
        lambda dy, y: ops.softmax_backward(dy, y, scale=0.4),
        {"the scale": 0.4},
    )
    for form in ("erf", "tanh"):
        yield Operator(
            f"gelu {form}",
            {"x": 2 * x},
            partial(ops.gelu, form=form),
            partial(ops.gelu_backward, form=form),
        )
    yield Operator(
        "attention",
        {"q": n(size=(2, 4, 6)), "k": n(size=(2, 4, 6)), "v": n(size=(2, 4, 6))},
        lambda q, k, v: ops.attention(np.concatenate([q, k, v], axis=-1), heads=2),
        lambda dy, cache: tuple(np.split(ops.attention_backward(dy, cache), 3, axis=-1)),
        {"K": 3, "heads": 2, "tokens": 4},
    )
    yield from _reshaping(rng)
    yield from _windows(rng)
    yield from _losses(rng)


def _reshaping(rng: np.random.Generator) -> Iterator[Operator]:
    """Yield operators that reorder, gather, average or drop."""
    n = rng.normal
    images = n(size=(2, 3, 4, 6))
    yield Operator(
        "patchify",
        {"images": images},
        lambda x: (ops.patchify(x, 2), x.shape),
        ops.unpatchify,
    )
    yield Operator(
        "im2col",
        {"maps": n(size=(2, 5, 4, 3))},
        lambda x: (ops.im2col(x, 3, 2, 1), x.shape),
        lambda dy, shape: ops.col2im(dy, shape, 3, 2, 1),
    )
    yield Operator(
        "add_tokens",
        {
            "patches": n(size=(2, 3, 4)),
            "cls": n(size=(1, 1, 4)),
            "dist": n(size=(1, 1, 4)),
            "pos": n(size=(1, 5, 4)),
        },
        lambda x, cls, dist, pos: (ops.add_tokens(x, [cls, dist], pos), 2),
        _tokens_backward,
        {"batch": 2, "tokens": 5},
    )
    yield Operator(
        "mean_pool",
        {"x": n(size=(2, 3, 4))},
        ops.mean_pool,
        ops.mean_pool_backward,
        {"tokens": 3, "batch": 2},
    )
    yield Operator(
        "drop_path",
        {"x": n(size=(6, 2, 3))},
        lambda x: ops.drop_path(x, 0.4, True, np.random.default_rng(1)),
        ops.drop_path_backward,
        {"the keep rate": 0.6},
    )


def _windows(rng: np.random.Generator) -> Iterator[Operator]:
    """Yield Swin's operators. The bias (H, T, T) is an input (H, T T): no two axes are equal."""
    mask, index = ops.shift_mask(4, 4, 2, 1), ops.relative_position_index(2)

    def backward(dy: Array, cache: Any) -> tuple[Array, Array]:
        dqkv, dbias = ops.window_attention_backward(dy, cache)
        return dqkv, dbias.reshape(2, 16)

    yield Operator(
        "window_attention",
        {"qkv": rng.normal(size=(8, 4, 18)), "bias": rng.normal(size=(2, 16))},
        lambda qkv, bias: ops.window_attention(qkv, bias.reshape(2, 4, 4), mask),
        backward,
        {"K": 3, "heads": 2, "windows": 8, "tokens": 4},
    )
    yield Operator(
        "relative_bias",
        {"table": rng.normal(size=(9, 3))},
        lambda table: (ops.relative_bias(table, index), index),
        lambda dy, index: ops.relative_bias_backward(dy, index, 9),
    )
    maps = rng.normal(size=(2, 4, 6, 3))
    yield Operator(
        "merge",
        {"maps": maps},
        lambda x: (ops.merge(x), None),
        lambda dy, _: ops.merge_backward(dy),
    )
    yield Operator(
        "partition",
        {"maps": maps},
        lambda x: (ops.window_partition(x, 2), x.shape),
        ops.window_reverse,
    )
    yield Operator(
        "shift",
        {"maps": maps},
        lambda x: (ops.cyclic_shift(x, 1), 1),
        lambda dy, by: ops.cyclic_shift(dy, -by),
    )


def _tokens_backward(dy: Array, extra: int) -> tuple[Array, ...]:
    dpatches, (dcls, ddist), dpos = ops.add_tokens_backward(dy, extra)
    return dpatches, dcls, ddist, dpos


def _losses(rng: np.random.Generator) -> Iterator[Operator]:
    """Yield the losses; their cache is the gradient, and the upstream scales it."""
    student, teacher = rng.normal(size=(2, 4, 5))
    labels, soft = np.array([0, 4, 2, 2]), rng.dirichlet(np.ones(5), 4)

    def loss(name: str, function: Callable[[Array], tuple[float, Array]]) -> Operator:
        factors = {"T": 3.0, "batch": 4, "classes": 5}
        return Operator(
            name, {"logits": student}, function, lambda dy, gradient: dy * gradient, factors
        )

    yield loss("cross_entropy", lambda z: losses.cross_entropy(z, labels, smoothing=0.2))
    yield loss("cross_entropy soft", lambda z: losses.cross_entropy(z, soft))
    yield loss("distillation", lambda z: losses.distillation(z, teacher, temperature=3.0))
    yield loss("hard_distillation", lambda z: losses.hard_distillation(z, teacher))
