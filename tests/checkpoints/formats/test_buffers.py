import numpy as np
import pytest

from tervit_np import ops
from tervit_np.checkpoints.formats.buffers import Map, drop_buffers

INDEX, MASK = "layers.0.blocks.1.attn.relative_position_index", "layers.0.blocks.1.attn_mask"


def good():
    """The buffers of a block on 8 x 8 tokens with windows of 4, as the authors store them."""
    mask = np.array(ops.shift_mask(8, 8, 4, 2), np.float32)
    return {"w": np.ones(2), INDEX: np.array(ops.relative_position_index(4), np.int64), MASK: mask}


def test_correct_buffers_are_dropped():
    parameters, maps = drop_buffers(good())
    assert list(parameters) == ["w"]
    assert maps == [Map(MASK, 0, 8, 4)]


@pytest.mark.parametrize(("side", "window"), [(4, 2), (12, 4), (21, 7)])
def test_the_masks_of_every_map_are_known(side, window):
    mask = np.array(ops.shift_mask(side, side, window, window // 2), np.float32)
    assert drop_buffers({MASK: mask})[1] == [Map(MASK, 0, side, window)]


def test_a_window_that_would_fill_memory_is_refused():
    """The index of a window of 90 tokens has 65 million numbers of eight bytes."""
    for name, shape in ((INDEX, (90**2, 90**2)), (MASK, (4, 40**2, 40**2))):
        with pytest.raises(ValueError, match="fits no square window of at most 32 tokens"):
            drop_buffers({name: np.broadcast_to(np.int8(0), shape)})


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
