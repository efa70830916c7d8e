import numpy as np
import pytest

from tervit_np.quant.channels import as_rows, broadcast_scale


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
    assert (codes * broadcast_scale(np.array([1.0, 2.0]), 3))[:, 0, 0].tolist() == [1, 2]
    assert broadcast_scale(np.array(2.0), 3).shape == ()
    assert broadcast_scale(np.ones((2, 3, 1)), 3).shape == (2, 3, 1)


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
