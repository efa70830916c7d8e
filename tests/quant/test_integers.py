import pytest

from tervit_np.quant import (
    Blend,
    Identity,
    Ternary,
    UniformAct,
    UniformWeight,
    is_integer_matmul,
)


@pytest.mark.parametrize(
    ("weight", "act", "expected"),
    [
        (Ternary(), UniformAct(8), True),
        (Ternary("tensor", "absmean", "mean"), UniformAct(8), True),
        (Ternary(), UniformAct(4), False),
        (Ternary(), UniformAct(8, "minmax"), False),
        (Ternary(), UniformAct(8, per="tensor"), False),
        (Ternary(), Identity(), False),
        (UniformWeight(8), UniformAct(8), False),
        (Blend(Ternary()), UniformAct(8), False),
    ],
)
def test_only_ternary_weights_and_8_bit_tokens_are_integers(weight, act, expected):
    assert is_integer_matmul(weight, act) == expected
