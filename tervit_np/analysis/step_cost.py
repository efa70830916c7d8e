"""A model of the time of one training step on many ranks (train/gradient_sum.py).

A batch of B images is cut into P parts, which N ranks of C cores compute, a part on a core:

    compute    ceil(P / NC) B/P f / F        f operations of an image, F of a core in a second
    exchange   ceil(P / N) g (N-1)/N / W     g bytes of a gradient, W bytes a second to other ranks
    gather     g (N-1)/N / W                 the sums, after the last part
    update     28 bytes of each parameter / M       AdamW reads w, g, m, v and writes w, m, v

A part's gradient travels while the next part is computed, except the last one's:

    step = max(compute, exchange) + g (N-1)/N / W + gather + update + latency of all messages
"""

from math import ceil, log2
from typing import NamedTuple

from tervit_np.train.parts import part_count_of

_UPDATE_BYTES = 28  # of each float32 parameter


class Machine(NamedTuple):
    """One rank."""

    cores: int
    operations: float  # of a core in a second, multiplications and additions
    network: float  # bytes a second, to all other ranks together
    memory: float  # bytes a second
    latency: float  # seconds of a message


class Work(NamedTuple):
    """A model and a batch."""

    operations: float  # of one image, forward and backward: 6 for each multiply-accumulate
    parameters: int
    patches: int  # of one image
    batch: int


class StepCost(NamedTuple):
    """Seconds of a step."""

    compute: float
    exchange: float
    gather: float
    update: float
    latency: float
    exposed: float  # of the exchange, which no computation hides

    @property
    def seconds(self) -> float:
        """The whole step."""
        return self.compute + self.exposed + self.gather + self.update + self.latency


def step_cost(work: Work, machine: Machine, ranks: int) -> StepCost:
    """Compute the parts of a step's time.

    Raises
    ------
    ValueError
        If there are no ranks.
    """
    if ranks < 1:
        raise ValueError(f"step_cost: ranks is {ranks}; expected at least 1")
    parts = part_count_of(work.batch * work.patches)
    a_part = work.batch / parts * work.operations / machine.operations
    compute = ceil(parts / (ranks * machine.cores)) * a_part
    one = 4 * work.parameters * (ranks - 1) / ranks / machine.network
    rounds = ceil(parts / ranks)
    exchange = rounds * one
    messages = rounds * (ranks - 1) + log2(ranks)
    update = _UPDATE_BYTES * work.parameters / machine.memory
    exposed = max(exchange - compute, 0.0) + one
    return StepCost(compute, exchange, one, update, messages * machine.latency, exposed)
