import numpy as np
import pytest

from tervit_np.ops import add_tokens, add_tokens_backward
from tervit_np.verify.operators import Operator
from tests.checks import check


@pytest.mark.parametrize("extra", [0, 1, 2])
def test_add_tokens_passes_all_checks(extra):
    n = np.random.default_rng(0).normal
    inputs = {"patches": n(size=(2, 3, 4)), "pos": n(size=(1, extra + 3, 4))}
    inputs |= {f"token{i}": n(size=(1, 1, 4)) for i in range(extra)}

    def forward(patches, pos, *tokens):
        return add_tokens(patches, list(tokens), pos), extra

    def backward(dz, extra):
        dpatches, dtokens, dpos = add_tokens_backward(dz, extra)
        return dpatches, dpos, *dtokens

    check(Operator(f"add_tokens {extra}", inputs, forward, backward))


def test_tokens_are_prepended_before_positions_are_added():
    patches, cls, dist = np.full((1, 2, 1), 100.0), np.full((1, 1, 1), 7.0), np.full((1, 1, 1), 8.0)
    z = add_tokens(patches, [cls, dist], np.arange(4.0).reshape(1, 4, 1))
    np.testing.assert_array_equal(z.ravel(), [7, 9, 102, 103])


@pytest.mark.parametrize("shape", [(1, 3, 4), (1, 4, 3), (4, 4), (2, 4, 4)])
def test_wrong_positions_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected \(1, 4, 4\)"):
        add_tokens(np.ones((2, 3, 4)), [np.ones((1, 1, 4))], np.ones(shape))
