"""Exercise: one step of AdamW."""

import math
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import wrong_array
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.numbers import check_rng
from tervit_np.param import Param

TASK = """
AdamW keeps two running means for each array p of parameters: m of its gradient
g, and v of g^2, element by element.

    m = b1 m + (1 - b1) g          v = b2 v + (1 - b2) g^2

* Both begin at 0, so at first they are too small. Divided by 1 - b1^t and
  1 - b2^t in step t they are means of the gradients so far. The arguments
  m_scale and v_scale are these two numbers.
* p moves against the corrected m, divided by the root of the corrected v. eps
  is added to that root. The learning rate lr multiplies the step.
* Before that, the weight decay makes p smaller by lr * decay * p. It does not
  enter the gradient.

Write one step for one parameter. lr and eps are self.lr and self.eps. p, m and
v are the arrays of the model and of the optimizer: change them in place
(`m[...] = x` or `m *= x`), because `m = x` makes a new array that nobody else
sees. Do not change g, and return nothing.

The check begins with one number for paper. Then it takes several steps with
random gradients.
"""

HINTS = (
    "Four lines: the decay, m, v, the step. m and v stay as they are, without the correction: the "
    "next step goes on with them. Only p uses the corrected ones.",
    "  p = p (1 - lr decay)\n"
    "  m = b1 m + (1 - b1) g\n"
    "  v = b2 v + (1 - b2) g^2\n"
    "  p = p - lr m^ / (sqrt(v^) + eps)        m^ = m / m_scale,  v^ = v / v_scale",
    "  p *= 1 - self.lr * decay\n"
    "  m[...] = b1 * m + (1 - b1) * g\n"
    "  v[...] = b2 * v + (1 - b2) * g * g\n"
    "  p -= self.lr * (m / m_scale) / (np.sqrt(v / v_scale) + self.eps)",
)

PLAIN = """
p *= 1 - self.lr * decay

m[...] = b1 * m + (1 - b1) * g
v[...] = b2 * v + (1 - b2) * g**2

# Both began at 0. m and v themselves stay uncorrected for the next step.
m_hat = m / m_scale
v_hat = v / v_scale
p -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
"""


class _Setting(NamedTuple):
    """The numbers of one step; all but t stay the same."""

    lr: float
    decay: float
    eps: float
    t: int
    b1: float = 0.9
    b2: float = 0.999

    @property
    def scales(self) -> tuple[float, float]:
        """1 - b1^t and 1 - b2^t."""
        return 1 - self.b1**self.t, 1 - self.b2**self.t


def check(module: ModuleType) -> Iterator[Finding]:
    """Check one step on paper, several with a large eps, of a bias, and with gradients of 0."""
    n = check_rng(1).normal
    few = n(size=(3, 2, 3))
    few[:, 0] = 0
    cases: dict[str, tuple[Array, Array, _Setting]] = {
        "on paper, p 1, g -2, lr 0.1, decay 0.5, eps 0.5, so m -0.2, v 0.004": (
            np.array([[1.0]]),
            np.array([[[-2.0]]]),
            _Setting(0.1, 0.5, 0.5, 1),
        ),
        "eps 0.1, random p (2, 3)": (
            n(size=(2, 3)),
            n(size=(3, 2, 3)),
            _Setting(0.05, 0.3, 0.1, 1),
        ),
        "a bias (4,), which has no decay": (
            n(size=4),
            n(size=(2, 4)),
            _Setting(0.05, 0.0, 1e-8, 1),
        ),
        "a gradient of 0 in the first row": (few[1], few, _Setting(0.05, 0.3, 1e-8, 1)),
    }
    for what, (p, gradients, setting) in cases.items():
        param = Param(p.copy())
        lr, decay, eps, _, *betas = setting
        optimizer = module.AdamW([("w", param)], lr, tuple(betas), eps, decay)
        for t, g in enumerate(gradients, 1):
            step = f", step {t}" if len(gradients) > 1 else ""
            yield Finding(f"{what}{step}", _fault(optimizer, param, g, setting._replace(t=t)))


def _fault(optimizer: object, param: Param, g: Array, setting: _Setting) -> str:
    """Take one step and compare m, v and p with the formulas; empty if they are right."""
    m, v = optimizer.first["w"], optimizer.second["w"]  # type: ignore[attr-defined]
    p_before, m_before, v_before = (a.copy() for a in (param.data, m, v))
    p, param.grad = param.data, read_only(g)
    optimizer.step()  # type: ignore[attr-defined]
    b1, b2 = setting.b1, setting.b2
    true_m = b1 * m_before + (1 - b1) * g
    true_v = b2 * v_before + (1 - b2) * g * g
    decayed = g + setting.decay * p_before
    in_gradient = "the decay is in the gradient: that is L2, and Adam divides it away"
    of_m = {
        in_gradient: b1 * m_before + (1 - b1) * decayed,
        "it is g; m is b1 m + (1 - b1) g, and stays uncorrected for the next step": g,
        "1 - b1 is missing: m is a mean of gradients": b1 * m_before + g,
        "b1 is missing: the old m counts b1 times": m_before + (1 - b1) * g,
        "b1 and 1 - b1 are exchanged": (1 - b1) * m_before + b1 * g,
        "the corrected m is stored; the next step needs it uncorrected": true_m / setting.scales[0],
    }
    of_v = {
        in_gradient: b2 * v_before + (1 - b2) * decayed**2,
        "it is g^2; v is b2 v + (1 - b2) g^2, and stays uncorrected for the next step": g * g,
        "v is a mean of g^2, not of g": b2 * v_before + (1 - b2) * g,
        "1 - b2 is missing: v is a mean of g^2": b2 * v_before + g * g,
        "b2 is missing: the old v counts b2 times": v_before + (1 - b2) * g * g,
        "b2 and 1 - b2 are exchanged": (1 - b2) * v_before + b2 * g * g,
        "it decays with b1; v has b2": b1 * v_before + (1 - b1) * g * g,
        "it is a mean of |g|; take the square": b2 * v_before + (1 - b2) * np.abs(g),
        "the corrected v is stored; the next step needs it uncorrected": true_v / setting.scales[1],
    }
    true_p = _step(p_before, true_m, true_v, setting)
    return (
        _wrong(m, true_m, m_before, "m", of_m)
        or _wrong(v, true_v, v_before, "v", of_v)
        or _wrong(p, true_p, p_before, "p", _wrong_steps(p_before, true_m, true_v, setting))
    )


def _wrong(value: Array, true: Array, before: Array, name: str, known: dict[str, Array]) -> str:
    unchanged = (
        f"it has not changed: `{name} = ` makes a new array; write into the old one, "
        f"`{name}[...] = ` or `{name} *= `"
    )
    return wrong_array(value, true, name, {unchanged: before, **known})


def _step(p: Array, m: Array, v: Array, setting: _Setting) -> Array:
    """Move p by the formula, with m and v after this step."""
    of_m, of_v = setting.scales
    decayed = p * (1 - setting.lr * setting.decay)
    return np.asarray(decayed - setting.lr * (m / of_m) / (np.sqrt(v / of_v) + setting.eps))


def _wrong_steps(p: Array, m: Array, v: Array, setting: _Setting) -> dict[str, Array]:
    """Return p after the steps of known mistakes."""
    lr, eps, (of_m, of_v) = setting.lr, setting.eps, setting.scales
    decayed, root = p * (1 - lr * setting.decay), np.sqrt(v / of_v)
    small = "it began at 0, and is too small at first"
    return {
        "neither m nor v is corrected: they began at 0, and are too small at first": (
            decayed - lr * m / (np.sqrt(v) + eps)
        ),
        f"v is not corrected by 1 - b2^t: {small}": decayed - lr * m / of_m / (np.sqrt(v) + eps),
        f"m is not corrected by 1 - b1^t: {small}": decayed - lr * m / (root + eps),
        "eps is under the root; it is added to the root": (
            decayed - lr * m / of_m / np.sqrt(v / of_v + eps)
        ),
        "eps is added to the root of v before the correction; it is added after it": (
            decayed - lr * m / of_m / ((np.sqrt(v) + eps) / math.sqrt(of_v))
        ),
        "eps is missing": decayed - lr * m / of_m / root,
        "the root is missing": decayed - lr * m / of_m / (v / of_v + eps),
        "the decay is missing": p - lr * m / of_m / (root + eps),
        "the decay lacks its factor lr": (p * (1 - setting.decay) - lr * m / of_m / (root + eps)),
        "the decay comes after the step; it comes first": (
            (p - lr * m / of_m / (root + eps)) * (1 - lr * setting.decay)
        ),
        "the sign: p moves against the gradient": decayed + lr * m / of_m / (root + eps),
        "lr is missing": decayed - m / of_m / (root + eps),
        "only the decay has reached it: `p = ` makes a new array; write `p -= ` or `p[...] = `": (
            decayed
        ),
        "they are corrected by 1 - b1 and 1 - b2 in each step; in step t it is 1 - b1^t": (
            decayed - lr * m / (1 - setting.b1) / (np.sqrt(v / (1 - setting.b2)) + eps)
        ),
        "m_scale and v_scale are exchanged": (decayed - lr * m / of_v / (np.sqrt(v / of_m) + eps)),
    }


ADAMW = Exercise(
    name="adamw",
    module="train.adamw",
    chapter="07_training",
    title="one step of the optimizer AdamW",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=(PLAIN,),
    wrong_answers=(
        WrongAnswer(
            "neither mean is corrected",
            "m_hat = m / m_scale\n        v_hat = v / v_scale",
            "m_hat = m\n        v_hat = v",
            "neither m nor v is corrected: they began at 0",
        ),
        WrongAnswer(
            "the decay is a part of the gradient",
            "p *= 1 - self.lr * decay",
            "g = g + decay * p",
            "that is L2, and Adam divides it away",
        ),
        WrongAnswer(
            "eps is under the root",
            "np.sqrt(v_hat) + self.eps",
            "np.sqrt(v_hat + self.eps)",
            "eps is under the root; it is added to the root",
        ),
        WrongAnswer(
            "v is not corrected",
            "v_hat = v / v_scale",
            "v_hat = v",
            "v is not corrected by 1 - b2^t",
        ),
        WrongAnswer(
            "a new array for m",
            "m[...] = b1",
            "m = b1",
            "m: it has not changed: `m = ` makes a new array",
        ),
        WrongAnswer(
            "the corrected mean is stored",
            "m_hat = m / m_scale",
            "m /= m_scale\n        m_hat = m",
            "m is b1 m + (1 - b1) g, and stays uncorrected for the next step",
        ),
    ),
)
