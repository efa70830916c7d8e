import numpy as np
import pytest

import tervit_np as tv
from tervit_np.nn import Linear
from tervit_np.quant import Hadamard, HadamardAct, Quest, QuestAct
from tervit_np.quant.hadamard import hadamard
from tests.checks import EXACT, ROUNDOFF64, close

RNG = np.random.default_rng(0)


def matrix(block):
    """Follow the definition: H_2B = [[H_B, H_B], [H_B, -H_B]] / sqrt(2)."""
    h = np.ones((1, 1))
    while len(h) < block:
        h = np.block([[h, h], [h, -h]]) / np.sqrt(2)
    return h


@pytest.mark.parametrize("block", [2, 8, 32])
def test_the_product_is_that_of_the_matrix(block):
    x = RNG.normal(size=(2, 3, 64))
    expected = (x.reshape(-1, block) @ matrix(block)).reshape(x.shape)
    close(hadamard(x, block), expected, ROUNDOFF64)
    close(hadamard(hadamard(x, block), block), x, ROUNDOFF64)
    assert hadamard(x.astype(np.float32), block).dtype == np.float32


def test_a_block_is_a_power_of_two():
    """Blocks of 6 were sums of eight values, of two rows."""
    with pytest.raises(ValueError, match="block is 6; expected a power of two, at least 2"):
        hadamard(np.ones((2, 12)), 6)


def test_a_layer_multiplies_rotated_codes():
    """If weights and inputs are rotated alike, H drops out of their product."""
    layer = Linear(32, 5, "float64", Hadamard(block=16), HadamardAct(3, block=16))
    layer.weight.data[...] = RNG.normal(size=(5, 32))
    x = RNG.normal(size=(4, 32))
    codes = [
        rule.encode(hadamard(values, 16)).dequantize()
        for rule, values in ((QuestAct(3), x), (Quest(), layer.weight.data))
    ]
    close(layer.forward(x)[0], codes[0] @ codes[1].T, ROUNDOFF64)


def test_one_large_weight_hurts_less():
    w = RNG.normal(size=(8, 64))
    w[:, 0] = 40
    error = {rule: np.square(q.forward(w)[0] - w).sum() / np.square(w).sum()
             for rule, q in {"plain": Quest(), "rotated": Hadamard(block=64)}.items()}  # fmt: skip
    assert error["rotated"] < error["plain"] / 2


def test_one_large_weight_still_gets_a_gradient():
    w, dw_hat = RNG.normal(size=(8, 64)), RNG.normal(size=(8, 64))
    w[:, 0] = 40
    plain, rotated = Quest(), Hadamard(block=64)
    assert not plain.backward(dw_hat, plain.forward(w)[1])[:, 0].any()
    assert rotated.backward(dw_hat, rotated.forward(w)[1])[:, 0].all()


def test_filters_are_rotated_as_rows():
    w = RNG.normal(size=(3, 4, 2, 2))
    rule = Hadamard(block=8)
    close(rule.forward(w)[0].reshape(3, -1), rule.forward(w.reshape(3, -1))[0], EXACT)


@pytest.mark.parametrize("block", [0, 1, 3, 48, -2, 2.0, "4"])
def test_blocks_that_are_not_powers_of_two_are_refused(block):
    for rule in (Hadamard, HadamardAct):
        with pytest.raises(ValueError, match=r"block is .*; expected a power of two, at least 2"):
            rule(block=block)


def test_inputs_that_are_no_whole_blocks_are_refused():
    with pytest.raises(ValueError, match="48 inputs cannot be cut into blocks of 32"):
        Hadamard().prepare(np.zeros((2, 48)))
    with pytest.raises(ValueError, match="6 inputs cannot be cut into blocks of 4"):
        HadamardAct(block=4).forward(np.zeros((2, 6)))


def test_a_model_runs_and_has_no_packed_form(tmp_path):
    model = tv.quantize(tv.create_model("deit_shapes", depth=1), "hadamard-int4-hadamard")
    assert np.isfinite(model.predict(np.ones((2, 3, 32, 32), np.float32))).all()
    with pytest.raises(ValueError, match="Hadamard 32.* have no packed form"):
        tv.export(model, tmp_path / "x")
