"""Rooms hold what kernels read beyond the tokens, which nothing else would notice."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("numba")

from tervit_np.kernels.attention import reach
from tervit_np.kernels.tiles import LANES, MR, TILES
from tervit_np.kernels.workspace import BENCH, make_shared_workspace


@pytest.mark.parametrize("tokens", [1, 5, 16, 17, 49, 64, 65, 197, 257])
def test_the_last_group_can_be_attended(tokens):
    weights = SimpleNamespace(
        qkv=SimpleNamespace(weight=SimpleNamespace(inputs=20)), places=np.zeros((3, tokens))
    )
    bench = make_shared_workspace(weights, TILES["generic"])
    last = (max(BENCH // tokens, 1) - 1) * tokens
    assert len(bench.qkv) >= last + reach(tokens)
    assert reach(tokens) > tokens
    assert reach(tokens) >= -(-tokens // MR) * MR
    assert reach(tokens) >= -(-tokens // LANES) * LANES
