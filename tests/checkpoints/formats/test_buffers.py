import numpy as np
import pytest

from tervit_np import ops
from tervit_np.checkpoints.formats.buffers import drop_buffers

INDEX, MASK = "layers.0.blocks.1.attn.relative_position_index", "layers.0.blocks.1.attn_mask"


def good():
    """The buffers of a block on 8 x 8 tokens with windows of 4, as the authors store them."""
    mask = np.array(ops.shift_mask(8, 8, 4, 2), np.float32)
    return {"w": np.ones(2), INDEX: np.array(ops.relative_position_index(4), np.int64), MASK: mask}


def test_correct_buffers_are_dropped():
    assert list(drop_buffers(good())) == ["w"]


@pytest.mark.parametrize("name", [INDEX, MASK])
def test_every_changed_value_is_refused(name):
    rng = np.random.default_rng(0)
    for _ in range(20):
        arrays = good()
        arrays[name].reshape(-1)[rng.integers(arrays[name].size)] += 1
        with pytest.raises(ValueError, match=f"{name} differs from the one expected for its shape"):
            drop_buffers(arrays)


def test_a_transposed_index_is_refused():
    arrays = good()
    arrays[INDEX] = arrays[INDEX].T
    with pytest.raises(ValueError, match="in another order"):
        drop_buffers(arrays)


@pytest.mark.parametrize(
    ("name", "shape"),
    [(INDEX, (16, 15)), (INDEX, (15, 15)), (INDEX, (16,)), (INDEX, ()), (MASK, (4, 16)),
     (MASK, (3, 16, 16)), (MASK, (4, 16, 9)), (MASK, (1, 16, 16)), (MASK, (4, 1, 1))],
)  # fmt: skip
def test_shapes_that_fit_no_window_are_refused(name, shape):
    with pytest.raises(ValueError, match="fits no square window"):
        drop_buffers(good() | {name: np.zeros(shape)})
