"""What optimizers and averages keep for each parameter, under its name."""

import copy

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.param import Param
from tervit_np.train import EMA


def step(state):
    state.update() if isinstance(state, EMA) else state.step()


def load(state, arrays):
    (state.load if isinstance(state, EMA) else state.load_state_dict)(arrays, 1)


def arrays_of(state):
    if isinstance(state, EMA):
        return {name: array.copy() for name, array in state.average.items()}
    return state.state_dict()


@pytest.mark.parametrize(
    "make", [lambda n: tv.AdamW(n, 1e-3), lambda n: tv.train.Muon(n, 1e-3), lambda n: EMA(n, 0.9)]
)
class TestStateByName:
    def test_two_models_need_names_of_their_own(self, make):
        """Their parameters would share moments, and each would move by the other's gradients."""
        models = [tv.create_model("deit_shapes", seed=seed) for seed in (0, 1)]
        params = [named for model in models for named in model.named_params()]
        with pytest.raises(ValueError, match="two parameters are called cls_token|pos_embed"):
            make(params)

    def test_prefixes_tell_two_models_apart(self, make):
        """Each is trained as by itself, its head by the same rule."""
        pairs = {"a.": Param(np.ones((4, 4), "f4")), "b.": Param(np.ones((4, 4), "f4"))}
        pairs["b."].grad[...] = np.random.default_rng(0).normal(size=(4, 4))
        for last in ("head.weight", "fc1.weight"):
            alone = Param(np.ones((4, 4), "f4"))
            alone.grad[...] = pairs["b."].grad
            together = {key: copy.deepcopy(param) for key, param in pairs.items()}
            step(make([(last, alone)]))
            step(make([(key + last, param) for key, param in together.items()]))
            np.testing.assert_array_equal(together["b."].data, alone.data)

    def test_an_iterator_is_as_good_as_a_list(self, make):
        listed, read_once = (Param(np.ones((4, 4), "f4")) for _ in range(2))
        for param in (listed, read_once):
            param.grad[...] = np.random.default_rng(0).normal(size=(4, 4))
        states = [make([("fc1.weight", listed)]), make(iter([("fc1.weight", read_once)]))]
        for state in states:
            step(state)
        np.testing.assert_array_equal(read_once.data, listed.data)
        assert len(state.named_params if isinstance(state, EMA) else state.state_dict()) > 0

    def test_a_state_of_other_parameters_is_refused(self, make):
        """Moments (1, 4) were repeated for all rows of a matrix (4, 4)."""
        saved = make([("fc1.weight", Param(np.ones((1, 4), "f4")))])
        state = make([("fc1.weight", Param(np.ones((4, 4), "f4")))])
        with pytest.raises(ValueError, match=r"fc1.weight is \(1, 4\), expected \(4, 4\)"):
            load(state, saved.average if isinstance(saved, EMA) else saved.state_dict())
        with pytest.raises(ValueError, match=r"fc1.weight is missing, expected \(4, 4\)"):
            load(state, {})

    def test_a_state_that_lacks_an_array_changes_nothing(self, make):
        """AdamW then had the first moments of the file, and the second ones of before."""
        params = [("norm.weight", Param(np.ones(4, "f4"))), ("fc1.weight", Param(np.eye(4)))]
        saved, state = make(params), make(copy.deepcopy(params))
        for _, param in params:
            param.data.fill(2)
            param.grad.fill(1)
        step(saved)
        incomplete, before = arrays_of(saved), arrays_of(state)
        incomplete.popitem()
        with pytest.raises(ValueError, match="is missing, expected"):
            load(state, incomplete)
        for name, array in arrays_of(state).items():
            np.testing.assert_array_equal(array, before[name])
