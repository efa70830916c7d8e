"""An exponential moving average of the weights, often better than the last weights.

    a = d a + (1 - d) p,   d = min(decay, (1 + t) / (10 + t))

At first d is small, so that the average quickly loses the random initial values. This is the rule
of TensorFlow's `ExponentialMovingAverage` with `num_updates`; DeiT has d = 0.99996 from the start.
"""

from collections.abc import Iterable, Mapping

from tervit_np.arrays import Array
from tervit_np.dispatch import compiled
from tervit_np.param import Param, copy_state, distinctly_named


class EMA:
    """Average of named parameters; `steps` counts updates.

    Raises
    ------
    ValueError
        If two parameters have the same name, or `decay` is not at least 0 and below 1.
    """

    def __init__(self, named_params: Iterable[tuple[str, Param]], decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"EMA: decay is {decay}, expected at least 0 and below 1")
        self.named_params = distinctly_named(named_params)
        self.decay, self.steps = decay, 0
        self.average = {name: p.data.copy() for name, p in self.named_params}

    def update(self) -> None:
        """Add the current parameters to the average."""
        d = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        for name, param in self.named_params:
            a, p = self.average[name].reshape(-1), param.data.reshape(-1)
            if (compiled_ops := compiled(a, p)) is not None:
                compiled_ops.ema_(a, p, d)
            else:
                a += (1 - d) * (p - a)  # d and 1 - d, each rounded, do not add up to 1

    def swap(self) -> None:
        """Exchange averages and parameters, in place; a second call undoes it."""
        for name, param in self.named_params:
            data = param.data.copy()
            param.data[...] = self.average[name]
            self.average[name][...] = data

    def load(self, average: Mapping[str, Array], steps: int) -> None:
        """Continue from saved averages after `steps` updates; ValueError if they do not fit."""
        copy_state(average, self.average)
        self.steps = steps
