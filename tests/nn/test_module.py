import numpy as np
import pytest

from tervit_np.nn import Linear, Module
from tervit_np.param import Param
from tervit_np.quant import LSQ


class Pair(Module):
    """Two layers and a token, deliberately not in alphabetical order."""

    def __init__(self, dtype="float32"):
        self.token = Param(np.full((1, 2), 3, dtype))
        self.layers = [Linear(2, 3, dtype), Linear(3, 2, dtype)]
        self.alone = Linear(2, 1, dtype)
        self.option = 5


NAMES = [
    "token",
    "layers.0.weight",
    "layers.0.bias",
    "layers.1.weight",
    "layers.1.bias",
    "alone.weight",
    "alone.bias",
]


def ones(module):
    return {name: np.ones(param.shape) for name, param in module.named_params()}


def test_names_follow_the_order_of_assignment():
    assert [name for name, _ in Pair().named_params()] == NAMES
    assert [name for name, _ in Pair().named_modules()] == ["", "layers.0", "layers.1", "alone"]
    assert [name for name, _ in Pair().quantizable()] == ["layers.0", "layers.1", "alone"]
    assert Pair().num_params() == 2 + 9 + 8 + 3


def test_state_dict_round_trip_copies_and_keeps_identity():
    model = Pair()
    arrays = [param.data for _, param in model.named_params()]
    model.load_state_dict(ones(model))
    state = model.state_dict()
    assert list(state) == NAMES
    for (_, param), data in zip(model.named_params(), arrays, strict=True):
        assert param.data is data
        assert (data == 1).all()
    state["token"][...] = 7
    assert (model.token.data == 1).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_are_cast_to_the_models_dtype(dtype):
    model = Pair(dtype)
    third = {name: np.full_like(a, 1 / 3) for name, a in ones(model).items()}
    model.load_state_dict(third)
    assert model.token.data.dtype == dtype
    assert model.token.data[0, 0] == np.dtype(dtype).type(1 / 3)
    model.load_state_dict({name: a.astype(np.float16) for name, a in third.items()})
    model.load_state_dict({name: a.astype(np.int64) for name, a in third.items()})
    assert not model.token.data.any()


def changed(**entries):
    """Return a change of a state: None removes an entry."""

    def change(state):
        for name, value in entries.items():
            name = name.replace("__", ".")
            if value is None:
                del state[name]
            else:
                state[name] = value

    return change


def test_a_shared_parameter_is_trained_once_and_saved_under_each_name():
    """AdamW moved the weights of a layer that two places share twice, and clipped them twice."""
    model = Pair()
    model.layers.append(model.layers[0])
    assert [name for name, _ in model.named_params()] == NAMES
    assert model.num_params() == Pair().num_params()
    state = model.state_dict()
    assert set(state) - set(NAMES) == {"layers.2.weight", "layers.2.bias"}
    model.load_state_dict({name: np.ones_like(array) for name, array in state.items()})
    assert (model.layers[2].weight.data == 1).all()


def test_a_state_that_differs_in_quantizers_alone_says_so():
    own, learned = Pair(), Pair()
    learned.alone.weight_quant = quantizer = LSQ()
    quantizer.prepare(np.ones((1, 2)))
    for model, other in ((own, learned), (learned, own)):
        with pytest.raises(
            ValueError, match=r"alone\.weight_quant\.end; only what quantizers learn"
        ):
            model.load_state_dict(other.state_dict())


REFUSED = {
    "missing token;.*another architecture": changed(token=None),
    r"missing layers\.0\.bias, layers\.1\.bias, alone\.bias; ": changed(
        layers__0__bias=None, layers__1__bias=None, alone__bias=None
    ),
    "missing .* and 1 more;": changed(
        token=None, layers__0__bias=None, layers__1__bias=None, alone__bias=None
    ),
    "unexpected extra;": changed(extra=np.ones(2)),
    r"missing token; unexpected tokens;": changed(token=None, tokens=np.ones((1, 2))),
    r"layers\.0\.weight is \(2, 3\) in the checkpoint, \(3, 2\) in the model": changed(
        layers__0__weight=np.ones((2, 3))
    ),
    r"token is \(2,\) in the checkpoint, \(1, 2\)": changed(token=np.ones(2)),
    "alone.bias holds NaN or infinite values": changed(alone__bias=np.array([np.nan])),
    "token holds NaN or infinite values": changed(token=np.array([[1, -np.inf]])),
    "token holds values beyond the range of float32": changed(token=np.array([[1, 1e300]])),
    "token holds complex128 values, expected real numbers": changed(token=np.ones((1, 2)) * 1j),
    "token holds <U1 values, expected real numbers": changed(token=np.array([["a", "b"]])),
    "token holds object values, expected real numbers": changed(token=np.array([[1, None]])),
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_refused_state_dict_changes_nothing(message):
    model = Pair()
    before, state = model.state_dict(), ones(model)
    REFUSED[message](state)
    with pytest.raises(ValueError, match=message):
        model.load_state_dict(state)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_zero_grad_works_in_place():
    model = Pair()
    arrays = [param.grad for _, param in model.named_params()]
    for grad in arrays:
        grad += 1
    model.zero_grad()
    for (_, param), grad in zip(model.named_params(), arrays, strict=True):
        assert param.grad is grad
        assert not grad.any()
