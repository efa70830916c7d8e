import pytest

from tervit_np.quant import (
    Blend,
    Identity,
    StaticAct,
    Ternary,
    UniformAct,
    UniformWeight,
    fixed_scale,
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
        (Ternary(), StaticAct(8), True),
        (Ternary(), StaticAct(4), False),
        (Ternary(), Identity(), False),
        (UniformWeight(8), UniformAct(8), False),
        (Blend(Ternary()), UniformAct(8), False),
    ],
)
def test_only_ternary_weights_and_8_bit_tokens_are_integers(weight, act, expected):
    assert is_integer_matmul(weight, act) == expected


def test_only_static_inputs_have_a_fixed_scale():
    assert fixed_scale(StaticAct(8, 0.5)) == 0.5
    assert fixed_scale(UniformAct(8)) == fixed_scale(Identity()) == 0
    with pytest.raises(ValueError, match="no scale yet"):
        fixed_scale(StaticAct(8))
