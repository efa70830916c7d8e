"""The sentence at the top, for every order of the three accuracies."""

from types import SimpleNamespace

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.analysis.report.ending import next_steps
from tervit_np.analysis.report.results import Result, Results
from tervit_np.analysis.report.summary import (
    _chance,
    _file_size,
    _origin,
    _table,
    bytes_text,
    meaning,
)
from tervit_np.analysis.run_record import StageRecord
from tervit_np.deploy.writing import can_be_packed
from tervit_np.quant import PLANS, TTQ, Hadamard, LSQPlusAct, Plan, UniformAct, UniformWeight
from tervit_np.quant.plan import ENCODER
from tervit_np.train.evaluate import Evaluation
from tests.analysis.report.conftest import small_model


def results(first, rounded, last, plan="ternary"):
    """Results of two stages with these accuracies on 200 pictures."""

    def result(name, accuracy, plan):
        evaluation = SimpleNamespace(
            accuracy=accuracy, loss=1.0, readable=np.ones(200, bool), accuracy_text=str
        )
        return Result(name, tv.quantize(small_model(3), plan), evaluation)

    stages = [result("float", first, "float"), result("ternary", last, plan)]
    record = [StageRecord(n, 0.3, 1.0, 0.5, 1.0, 1.0, 2.0) for n in ("float", "ternary")]
    run = SimpleNamespace(
        stages=record,
        config={"command": ""},
        stage_names=["float", "ternary"],
        folder=SimpleNamespace(path="run"),
    )
    between = None if rounded is None else result("rounded", rounded, plan)
    return Results(run, stages, [], between, None)


@pytest.mark.parametrize("command", ["", "Ada's notebook", "python study.py --weights mine.npz"])
def test_a_command_of_ones_own_says_nothing_of_the_first_weights(command):
    """As run takes it from Python: it may be any text, also with a single quotation mark."""
    found = results(0.9, 0.6, 0.95)
    found.run.config["command"] = command
    assert _origin(found) == ""


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("tervit train --quiet", " from random weights"),
        ("tervit train --weights 'my runs/a.npz'", ", beginning with a.npz"),
        ("tervit train --weights=b.npz --quiet", ", beginning with b.npz"),
    ],
)
def test_a_command_of_tervit_says_which_weights_it_began_with(command, words):
    found = results(0.9, 0.6, 0.95)
    found.run.config["command"] = command
    assert _origin(found) == words


@pytest.mark.parametrize(
    ("accuracies", "sentence"),
    [
        (
            (0.9, 0.6, 0.95),
            "Rounding the weights to three values costs 30.0 points of accuracy; training with the "
            "rounded weights wins them back and adds 5.0.",
        ),
        (
            (0.9, 0.6, 0.9),
            "Rounding the weights to three values costs 30.0 points of accuracy; training with the "
            "rounded weights wins them back.",
        ),
        (
            (0.9, 0.6, 0.8),
            "Rounding the weights to three values costs 30.0 points of accuracy; training with the "
            "rounded weights wins 20.0 of them back.",
        ),
        (
            (0.9, 0.6, 0.5),
            "Rounding the weights to three values costs 30.0 points of accuracy; training with the "
            "rounded weights wins nothing back.",
        ),
        (
            (0.6, 0.65, 0.8),
            "Rounding the weights to three values costs no accuracy here; training with them ends "
            "20.0 points above the float model.",
        ),
        (
            (0.6, 0.65, 0.6),
            "Rounding the weights to three values costs no accuracy here; training with them ends "
            "level with the float model.",
        ),
        (
            (0.9, None, 0.8),
            "After all stages 80.0 % of 200 test pictures are classified correctly, 10.0 points "
            "below the float model.",
        ),
    ],
)
def test_the_sentence_follows_the_numbers(accuracies, sentence):
    assert meaning(results(*accuracies)).replace("\N{NO-BREAK SPACE}", " ") == sentence


@pytest.mark.parametrize("plan", ["quest", "sherry", "seq", "ttq", "lat", "qema", "lsq2"])
def test_every_rule_of_three_values_is_called_so(plan):
    assert "weights to three values costs" in meaning(results(0.9, 0.6, 0.8, plan))


def test_bits_are_named_where_no_weight_is_ternary():
    assert "weights to 2 bits costs" in meaning(results(0.9, 0.6, 0.8, "seq4"))
    assert "weights to 8 bits costs" in meaning(results(0.9, 0.6, 0.8, "int8"))


PACKED = PLANS["ternary"]
TWO_SCALES = Plan([(ENCODER, TTQ(), UniformAct(8))])
ROTATED = Plan([(ENCODER, Hadamard("channel", 16), UniformAct(8))])
OFFSET = Plan([(ENCODER, UniformWeight(4), LSQPlusAct(4))])


@pytest.mark.parametrize("plan", [TWO_SCALES, ROTATED, OFFSET, PACKED])
def test_a_packed_file_is_promised_where_one_can_be_written(plan):
    """`tervit export` refuses two scales for each output, rotated inputs and learned offsets."""
    found = results(0.9, None, 0.8, plan)
    tv.models.calibration.assume_scales(found.last.model)
    commands, tile = "".join(next_steps(found)), _file_size(found.last.model)
    is_promised = [
        "tervit export" in commands,
        "times smaller" in tile.words,
        "no packed form" not in tile.words,
        "no packed form" not in "".join(_table(found)),
    ]
    assert is_promised == [plan is PACKED] * 4
    assert can_be_packed(found.last.model) == (plan is PACKED)
    assert can_be_packed(found.stages[0].model)


def test_sizes_are_kilobytes_or_megabytes():
    assert [bytes_text(n) for n in (1, 999_000, 1_234_567)] == ["1 kB", "999 kB", "1.23 MB"]


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [
        (0.9, "and chance alone moves it by about 2.1 points"),
        (1.0, "and the 95 % interval of the float model is 98.1 to 100.0 %"),
        (0.0, "and the 95 % interval of the float model is 0.0 to 1.9 %"),
    ],
)
def test_chance_is_not_said_to_move_nothing(accuracy, words):
    evaluation = Evaluation(accuracy, 1.0, np.zeros((200, 3)), np.ones(200, bool))
    assert _chance(Result("float", None, evaluation)) == words
