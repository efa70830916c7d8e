"""Exercise: the backward pass of a transformer block."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from types import ModuleType
from typing import Any

import numpy as np

from tervit_np.arrays import Array, read_only
from tervit_np.exercises.comparison import wrong_array
from tervit_np.exercises.exercise import Exercise, Finding, WrongAnswer
from tervit_np.exercises.gradients import check_backward
from tervit_np.exercises.numbers import check_rng
from tervit_np.exercises.tasks.block_on_paper import paper_fault
from tervit_np.nn.block import Block, BlockCache
from tervit_np.ops.drop_path import drop_path_backward
from tervit_np.verify.operators import Operator

TASK = """
A block adds two branches to its input x (B, T, D), one after the other:

    x' = x  + drop1(attn(norm1(x)))
    y  = x' + drop2(mlp(norm2(x')))

Write its backward pass: dy is dL/dy, return dx, which is dL/dx. All parts have
a backward pass. It takes the gradient of the part's output and the part's
cache, and returns the gradient of its input:

    self.norm1.backward(d, cache.norm1)     self.attn.backward(d, cache.attn)
    self.norm2.backward(d, cache.norm2)     self.mlp.backward(d, cache.mlp)
    drop_path_backward(d, cache.drop1)      drop_path_backward(d, cache.drop2)

It also adds into the gradients of the part's parameters, so call each once.
drop1 and drop2 leave a branch out for some of the images, in training only.
Do not write into dy.

The check begins with parts that multiply by a number, for paper. Then it
compares with finite differences and a random dy.
"""

HINTS = (
    "Go from the last line to the first. y is a sum, and the gradient of a sum goes to both terms: "
    "to x' as it is, and through the branch, whose parts follow in reverse order. x' occurs in "
    "both terms, so its gradient is the sum of the two. Then the other line, with dx' for dy.",
    "  dx' = dy  + norm2_backward(mlp_backward(drop2_backward(dy)))\n"
    "  dx  = dx' + norm1_backward(attn_backward(drop1_backward(dx')))",
    "  d = drop_path_backward(dy, cache.drop2)\n"
    "  d = self.mlp.backward(d, cache.mlp)\n"
    "  dx_mid = dy + self.norm2.backward(d, cache.norm2)\n"
    "and the same with dx_mid in place of dy, drop1, attn and norm1.",
)

PLAIN = """
# y = x' + drop2(mlp(norm2(x')))
d = drop_path_backward(dy, cache.drop2)
d = self.mlp.backward(d, cache.mlp)
dx_mid = dy + self.norm2.backward(d, cache.norm2)       # the skip, and the branch

# x' = x + drop1(attn(norm1(x)))
d = drop_path_backward(dx_mid, cache.drop1)
d = self.attn.backward(d, cache.attn)
dx = dx_mid + self.norm1.backward(d, cache.norm1)

return dx
"""


def check(module: ModuleType) -> Iterator[Finding]:
    """Check numbers on paper, random blocks without and with dropped branches, parameters."""
    what = "on paper, norm1, attn, norm2 and mlp multiply by 2, 3, 5 and 7, dy 1"
    yield Finding(what, paper_fault(module))
    pairs = [_Pair(module, 0.0), _Pair(module, 0.5)]
    for images, pair in zip((2, 8), pairs, strict=True):
        x = check_rng(2).normal(size=(images, 3, 4))
        operator = Operator("block", {"x": x}, pair.forward, pair.backward)
        for finding in check_backward([operator], pair.known_mistakes):
            dropped = ", half of the branches dropped" if images == 8 else ""
            yield finding._replace(what=f"{finding.what}{dropped}")
    yield Finding("the gradients of the parameters", pairs[0].parameter_fault())


class _Pair:
    """The library's block and the student's, with the same random parameters, in both types."""

    def __init__(self, module: ModuleType, drop_rate: float) -> None:
        shape = (4, 2, 5, drop_rate)
        self.blocks: dict[Any, tuple[Block, Any]] = {}
        for dtype in (np.float64, np.float32):
            blocks = Block(*shape, dtype=dtype), module.Block(*shape, dtype=dtype)
            for block in blocks:
                rng = check_rng(1)
                for _, param in block.named_params():
                    param.data[...] = rng.normal(size=param.shape)
            self.blocks[np.dtype(dtype)] = blocks

    def forward(self, x: Array) -> tuple[Array, BlockCache]:
        """Run the library's forward pass; the same branches are dropped each time."""
        return self.blocks[x.dtype][0].forward(x, train=True, rng=np.random.default_rng(1))

    def backward(self, dy: Array, cache: BlockCache) -> Any:
        """Run the student's backward pass."""
        return self.blocks[dy.dtype][1].backward(dy, cache)

    def known_mistakes(self, dy: Array, cache: BlockCache) -> dict[str, dict[str, Array]]:
        """Return dx under mistakes that parts on paper do not show."""
        block = deepcopy(self.blocks[dy.dtype][0])

        def mlp(d: Array) -> Array:
            return block.norm2.backward(block.mlp.backward(d, cache.mlp), cache.norm2)

        def attn(d: Array) -> Array:
            return block.norm1.backward(block.attn.backward(d, cache.attn), cache.norm1)

        def dx(
            drop1: Callable[[Array], Array], drop2: Callable[[Array], Array], skip: Array = dy
        ) -> Array:
            dx_mid = skip + mlp(drop2(dy))
            return dx_mid + attn(drop1(dx_mid))

        def drop1(d: Array) -> Array:
            return drop_path_backward(d, cache.drop1)

        def drop2(d: Array) -> Array:
            return drop_path_backward(d, cache.drop2)

        def nothing(d: Array) -> Array:
            return d

        return {
            "dx": {
                "drop_path_backward is missing: a dropped branch has no gradient": (
                    dx(nothing, nothing)
                ),
                "drop_path_backward of the attention branch is missing": dx(nothing, drop2),
                "drop_path_backward of the MLP branch is missing": dx(drop1, nothing),
                "cache.drop1 and cache.drop2 are exchanged; drop1 is attention's": dx(drop2, drop1),
                "cache.drop1 is used for both branches; drop2 is the MLP's": dx(drop1, drop1),
                "cache.drop2 is used for both branches; drop1 is attention's": dx(drop2, drop2),
                "the skip around the MLP is dropped too; only the branch is": (
                    dx(drop1, drop2, drop2(dy))
                ),
            }
        }

    def parameter_fault(self) -> str:
        """Compare the gradients of all parameters with the library's; empty if they are right."""
        ours, theirs = map(deepcopy, self.blocks[np.dtype(np.float64)])
        n = check_rng(3).normal
        _, cache = ours.forward(n(size=(2, 3, 4)))
        dy = read_only(n(size=(2, 3, 4)))
        for block in (ours, theirs):
            block.zero_grad()
            block.backward(dy, cache)
        for (name, true), (_, param) in zip(
            ours.named_params(), theirs.named_params(), strict=True
        ):
            known = {
                "it is in it twice: call each backward pass once": 2 * true.grad,
                "it is 0; the backward passes of the parts add into it": np.zeros_like(true.grad),
            }
            if fault := wrong_array(param.grad, true.grad, f"the gradient of {name}", known):
                return fault
        return ""


BLOCK_BACKWARD = Exercise(
    name="block_backward",
    module="nn.block",
    chapter="06_block",
    title="the backward pass of a block",
    task=TASK,
    hints=HINTS,
    check=check,
    plain=(PLAIN,),
    wrong_answers=(
        WrongAnswer(
            "the skip is forgotten",
            "dx_mid = dy + self.norm2",
            "dx_mid = self.norm2",
            "the skip around the MLP is missing: the skip hands its gradient on unchanged",
        ),
        WrongAnswer(
            "dy is added once more at the end",
            "dx = dx_mid + self.norm1",
            "dx = dy + dx_mid + self.norm1",
            "dy is in it twice: dx' has it already",
        ),
        WrongAnswer(
            "both branches begin with dy",
            "drop_path_backward(dx_mid, cache.drop1)",
            "drop_path_backward(dy, cache.drop1)",
            "attention begins with dy; y depends on x' twice",
        ),
        WrongAnswer(
            "norm1 for norm2",
            "dy + self.norm2.backward(d, cache.norm2)",
            "dy + self.norm1.backward(d, cache.norm1)",
            "norm1.backward is called for norm2: each branch has a norm and a cache",
        ),
        WrongAnswer(
            "the cache of the other norm",
            "dy + self.norm2.backward(d, cache.norm2)",
            "dy + self.norm2.backward(d, cache.norm1)",
            "norm2.backward gets cache.norm1; each part needs its own",
        ),
        WrongAnswer(
            "the branches that were dropped are those of the other half",
            "d = drop_path_backward(dy, cache.drop2)",
            "d = drop_path_backward(dy, cache.drop1)",
            "cache.drop1 is used for both branches",
        ),
        WrongAnswer(
            "the sum is written into dy",
            "dx_mid = dy + self.norm2.backward(d, cache.norm2)",
            "dx_mid = dy\n        dx_mid += self.norm2.backward(d, cache.norm2)",
            "this writes into an array that the caller still needs",
        ),
    ),
)
