import numpy as np
import pytest

from tervit_np.quant import (
    Blend,
    Convention,
    Hadamard,
    HadamardAct,
    Identity,
    LSQPlusAct,
    QuantizedTensor,
    Quantizer,
    conventions,
)
from tervit_np.quant.protocol import require_residual
from tervit_np.verify.frozen import QUANTIZERS, prepared
from tests.checks import ROUNDOFF32, ROUNDOFF64, close

W = np.random.default_rng(0).normal(size=(3, 8))


def has_codes(quantizer):
    rule = getattr(quantizer, "inner", quantizer)
    return not isinstance(rule, Identity | LSQPlusAct | Hadamard | HadamardAct)


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=repr)
def test_every_quantizer_keeps_shape_and_type(quantizer):
    for dtype in ("float32", "float64"):
        quantizer = prepared(quantizer, W.astype(dtype))
        w_hat, cache = quantizer.forward(W.astype(dtype), keep_residual=True)
        dw = quantizer.backward(W.astype(dtype), cache)
        frozen = quantizer.frozen(W.astype(dtype), cache)
        for result in (w_hat, dw, frozen):
            assert result.shape == W.shape
            assert result.dtype == dtype
        close(frozen, w_hat, ROUNDOFF32 if dtype == "float32" else ROUNDOFF64)


@pytest.mark.parametrize("quantizer", [q for q in QUANTIZERS if has_codes(q)], ids=repr)
def test_codes_dequantize_to_the_forward(quantizer):
    quantizer = prepared(quantizer, W)
    quantized = quantizer.inner if isinstance(quantizer, Blend) else quantizer
    encoded = quantizer.encode(W)
    assert encoded.codes.dtype in (np.int8, np.uint8)
    np.testing.assert_array_equal(encoded.dequantize(), quantized.forward(W)[0])
    assert len(np.unique(encoded.codes)) <= 2**quantizer.bits


def test_codes_dequantize_as_computed_by_hand():
    weight = QuantizedTensor(
        np.array([[1, -1], [0, 1]], np.int8), np.array([2.0, 3.0]), np.zeros((), int)
    )
    assert weight.dequantize().tolist() == [[2, -2], [0, 3]]
    tokens = QuantizedTensor(np.array([[255, 0]], np.uint8), np.array([[0.5]]), np.array([[5]]))
    assert tokens.dequantize().tolist() == [[125, -2.5]]


def test_a_missing_residual_is_explained():
    assert require_residual(W) is W
    with pytest.raises(ValueError, match=r"forward\(w, keep_residual=True\)"):
        require_residual(None)


def test_an_unfinished_quantizer_cannot_be_built():
    class Half(Quantizer):
        def forward(self, w, keep_residual=False):
            return w, None

    with pytest.raises(TypeError, match="abstract"):
        Half()


def test_every_quantizer_states_its_convention():
    """Printed with `pytest -s`: every rule answers the four questions."""
    table = conventions()
    assert set(table) == {type(quantizer).__name__ for quantizer in QUANTIZERS}
    for name, convention in table.items():
        assert isinstance(convention, Convention)
        print(f"\n{name}")
        for question, answer in convention._asdict().items():
            assert answer
            print(f"  {question:<9} {answer}")
