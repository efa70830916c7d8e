import numpy as np
import pytest

from tervit_np import ops
from tervit_np.verify.operators import Operator, operators
from tests.checks import ROUNDOFF64, check

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "name", ["partition", "shift", "merge", "relative_bias", "window_attention"]
)
def test_each_operator_passes_all_checks(name):
    rng = np.random.default_rng(1)
    check(next(operator for operator in operators(rng) if operator.name == name))


def test_window_attention_works_without_a_mask():
    operator = Operator(
        "window_attention",
        {"qkv": RNG.normal(size=(3, 4, 12)), "bias": RNG.normal(size=(2, 4, 4))},
        lambda qkv, bias: ops.window_attention(qkv, bias, None),
        ops.window_attention_backward,
    )
    assert all(check.ok for check in operator.gradient_checks(np.random.default_rng(1)))


def test_windows_are_ordered_row_by_row():
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(ops.window_partition(x, 2)[1, :, 0], [2, 3, 6, 7])
    np.testing.assert_array_equal(ops.window_reverse(ops.window_partition(x, 2), x.shape), x)


def test_merging_gathers_down_first():
    x = np.arange(4.0).reshape(1, 2, 2, 1)
    np.testing.assert_array_equal(ops.merge(x)[0, 0, 0], [0, 2, 1, 3])


def test_the_index_matches_the_official_one():
    index = ops.relative_position_index(7)
    assert (index[0, 0], index[0, 48], index[48, 0]) == (84, 0, 168)


def test_pairs_with_one_relative_position_add_up():
    index = ops.relative_position_index(2)
    dtable = ops.relative_bias_backward(np.ones((1, 4, 4)), index, 9)[:, 0]
    np.testing.assert_array_equal(dtable, np.bincount(index.ravel(), minlength=9))


def test_masked_regions_of_a_window_do_not_attend_to_each_other():
    """A change on the far side of the seam leaves the outputs of the others as they were."""
    mask = ops.shift_mask(8, 8, 4, 2)
    qkv, bias = RNG.normal(size=(4, 16, 12)), RNG.normal(size=(2, 16, 16))
    before, _ = ops.window_attention(qkv, bias, mask)
    region = mask[3, 0] == 0  # whom the first token of the last window may see
    changed = qkv.copy()
    changed[3, ~region] += 5
    after, _ = ops.window_attention(changed, bias, mask)
    np.testing.assert_allclose(after[3, region], before[3, region], atol=ROUNDOFF64)
    assert np.abs(after[3, ~region] - before[3, ~region]).max() > 0.1
    assert 0 < region.sum() < 16


def test_without_a_shift_there_is_no_mask():
    assert ops.shift_mask(8, 8, 4, 0) is None
    x = RNG.normal(size=(1, 4, 4, 2))
    assert ops.cyclic_shift(x, 0) is x


@pytest.mark.parametrize(
    "call", [lambda x: ops.window_partition(x, 3), lambda x: ops.merge(x[:, :3])]
)
def test_maps_that_do_not_fit_are_refused(call):
    with pytest.raises(ValueError, match="does not split into windows|odd side"):
        call(np.zeros((1, 4, 4, 2)))
