"""The workspace has all the rows that attention reads beyond the tokens of a window."""

import pytest

pytest.importorskip("numba")

from tervit_np.kernels.attention import rows_read
from tervit_np.kernels.tiles import LANES, MR, TILES
from tervit_np.kernels.workspace import make_shared_workspace, windows_per_pass


@pytest.mark.parametrize("tokens", [1, 2, 3, 5, 16, 17, 49, 64, 65, 197, 257])
def test_attention_in_the_last_window_stays_in_the_workspace(tokens):
    for tile in TILES.values():
        shared = make_shared_workspace(tile, tokens, 20)
        last = (windows_per_pass(tokens) - 1) * tokens
        assert len(shared.qkv) >= last + rows_read(tokens)
        assert len(shared.x) >= last + tokens


@pytest.mark.parametrize("tokens", [1, 5, 16, 17, 49, 64, 65, 197, 257])
def test_attention_reads_whole_tiles_of_queries_and_keys(tokens):
    assert rows_read(tokens) > tokens
    assert rows_read(tokens) >= -(-tokens // MR) * MR
    assert rows_read(tokens) >= -(-tokens // LANES) * LANES
