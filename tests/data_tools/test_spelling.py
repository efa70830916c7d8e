"""Misspelt names of every kind are answered with the nearest one, others with a list."""

import pytest

import data_tools
import tervit_np as tv
from data_tools.spelling import did_you_mean
from tervit_np.checkpoints.official import fetch_weights
from tervit_np.exercises.tasks import find_exercise
from tervit_np.quant import named_plan
from tervit_np.train import named_preset
from tervit_np.verify.mutants import find_mutant


@pytest.mark.parametrize(
    ("word", "suggestion"),
    [("trian", "; did you mean train?"), ("deit_sm", "; did you mean deit_small?"), ("zzz", "")],
)
def test_the_most_similar_name_is_suggested(word, suggestion):
    assert did_you_mean(word, ["train", "deit_small", "eval"]) == suggestion


@pytest.mark.parametrize(
    ("find", "word", "name"),
    [
        (named_plan, "flaot", "float"),
        (named_preset, "cifar11", "cifar10"),
        (tv.create_model, "deit_shape", "deit_shapes"),
        (data_tools.load, "cifra10", "cifar10"),
        (data_tools.fetch_dataset, "cifra10", "cifar10"),
        (fetch_weights, "deit_smal", "deit_small_patch16_224"),
        (find_exercise, "ternarise", "ternarize"),
        (find_mutant, "layernorm-man", "layernorm-mean"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(find, word, name):
    args = ("train",) if find is data_tools.load else ()
    with pytest.raises(ValueError, match=rf"{word}'; did you mean {name}\?"):
        find(word, *args)


def test_a_wrong_number_of_bits_is_answered_with_the_numbers_there_are():
    with pytest.raises(ValueError, match="unknown plan 'int9'; known: .* N = 2 to 8"):
        named_plan("int9")
