import numpy as np
import pytest

from tervit_np.quant.channels import (
    as_rows,
    broadcast_scale,
    check_granularity,
    group_size,
    scale_shape,
)


def test_a_channel_is_one_index_of_axis_0():
    w = np.arange(24.0).reshape(2, 3, 2, 2)
    np.testing.assert_array_equal(as_rows(w, "channel"), [np.arange(12), np.arange(12, 24)])
    np.testing.assert_array_equal(as_rows(w, "tensor"), [np.arange(24)])
    assert as_rows(w[0, 0, 0], "channel").shape == (2, 1)


def test_strided_weights_give_the_same_rows():
    w = np.arange(6.0).reshape(2, 3).T
    np.testing.assert_array_equal(as_rows(w, "tensor"), [[0, 3, 1, 4, 2, 5]])


def test_scales_multiply_along_axis_0():
    codes = np.ones((2, 3, 4))
    assert (codes * broadcast_scale(np.array([1.0, 2.0]), codes.shape))[:, 0, 0].tolist() == [1, 2]
    assert broadcast_scale(np.array(2.0), codes.shape).shape == ()
    assert broadcast_scale(np.ones((2, 3, 1)), codes.shape).shape == (2, 3, 1)


def test_a_group_is_some_inputs_of_one_channel():
    w = np.arange(24.0).reshape(2, 3, 2, 2)
    rows = as_rows(w, "group4")
    np.testing.assert_array_equal(rows, np.arange(24).reshape(6, 4))
    scale = np.arange(6.0).reshape(scale_shape(w.shape, "group4"))
    assert scale.shape == (2, 3)
    expected = np.repeat(np.arange(6.0), 4).reshape(w.shape)
    np.testing.assert_array_equal(broadcast_scale(scale, w.shape), expected)
    np.testing.assert_array_equal(broadcast_scale(scale[:, :1], (2, 5)), [[0] * 5, [3] * 5])


def test_scales_are_counted():
    shapes = [scale_shape((4, 6), each) for each in ("tensor", "channel", "group3", "group6")]
    assert shapes == [(), (4,), (4, 2), (4, 1)]
    with pytest.raises(ValueError, match="6 inputs cannot be cut into groups of 4"):
        scale_shape((4, 6), "group4")


@pytest.mark.parametrize("granularity", ["row", "group", "group1", "group01", "group-4", 4, None])
def test_unknown_granularities_are_refused(granularity):
    assert group_size(granularity) is None
    with pytest.raises(ValueError, match="at least 2, as in 'group64'"):
        check_granularity(granularity)


@pytest.mark.parametrize(
    ("w", "words"),
    [
        (np.zeros((0, 2)), "expected at least one"),
        (np.array(1.0), "no channels"),
        (np.array([True]), "bool, expected real"),
    ],
)
def test_weights_without_channels_are_refused(w, words):
    with pytest.raises(ValueError, match=words):
        as_rows(w, "channel")
