"""Numbers and words of single sections."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tervit_np.analysis.report import classes, confusion, ending, layers
from tervit_np.analysis.report.classes import ClassAccuracies
from tervit_np.analysis.report.curves import centred_mean
from tervit_np.analysis.report.results import gather
from tervit_np.analysis.run_record import read_run
from tervit_np.analysis.svg import Chart
from tervit_np.train import Stage, evaluate
from tervit_np.train.progress import clock
from tests.analysis.report.conftest import CLASSES


def test_the_rounded_model_is_the_one_that_the_last_stage_began_with(results):
    stage = results.run.stages[-1]
    evaluation = results.rounded.evaluation
    assert (evaluation.accuracy, evaluation.loss) == (stage.start_accuracy, stage.start_loss)
    assert [result.name for result in results.shown] == ["float", "rounded", "ternary"]


def test_a_stage_may_be_called_rounded(trained):
    """As that of a plan file rounded.toml; the rounded model then has a name that no stage has."""
    stages = (Stage("float", "float", 1), Stage("rounded", "ternary", 1))
    run = trained(stages)
    found = gather(read_run(run.folder), run.data.test, 1)
    names = ["float", "rounded, not trained", "rounded"]
    assert [result.name for result in found.shown] == names
    assert list(classes.class_accuracies(found).models) == names
    errors = layers.measure_layers(found)
    assert list(errors) == names[1:]
    assert "layer</th>" in "".join(layers.layers_section(found, errors))
    assert [layers._word(found, name) for name in errors] == ["not trained", "trained as rounded"]
    stored = json.loads((run.folder / "report.json").read_text())
    assert sorted(stored["layers"]) == sorted(names[1:])
    assert all(sorted(row["accuracy"]) == sorted(names) for row in stored["classes"])


def test_class_accuracies_average_to_the_accuracy(results):
    found = classes.class_accuracies(results)
    assert found.models == ("float", "rounded", "ternary")
    mean = (found.accuracy * found.pictures).sum(axis=1) / found.pictures.sum()
    expected = [result.evaluation.accuracy for result in results.shown]
    np.testing.assert_allclose(mean, expected, rtol=1e-12)


def test_classes_are_ordered_by_what_rounding_costs(results):
    accuracy = np.array([[0.9, 0.8, 0.7], [0.8, 0.1, 0.75], [0.9, 0.9, 0.9]])
    found = ClassAccuracies(("float", "rounded", "ternary"), accuracy, np.array([9, 9, 9]))
    order = classes.class_order(results, found)
    assert order.tolist() == [1, 0, 2]
    assert classes.describe(results, found, order) == (
        f"Rounding does not hurt all classes alike: {CLASSES[1]} falls from 80 % to 10 %, "
        f"{CLASSES[2]} goes from 70 % to 75 %. After training as ternary, {CLASSES[1]} has 90 %."
    )
    without = results._replace(rounded=None)
    two = found._replace(accuracy=accuracy[[0, 2]], models=("float", "ternary"))
    assert classes.class_order(without, two).tolist() == [2, 1, 0]
    one = found._replace(accuracy=accuracy[:1], models=("float",))
    assert classes.class_order(without, one).tolist() == [2, 1, 0]
    assert 1 not in classes.class_order(results, found._replace(pictures=np.array([9, 0, 9])))


@pytest.mark.parametrize("change", [0.0, -0.004, 0.1])
def test_no_class_falls_where_rounding_costs_nothing(results, change):
    before, after = np.array([0.9, 0.8, 0.7]), np.array([0.7, 0.8, 0.9])
    found = ClassAccuracies(
        ("float", "rounded", "8-bit"), np.array([before, before + change, after]), np.full(3, 9)
    )
    assert classes.describe(results, found, classes.class_order(results, found)) == (
        "Rounding costs no class half a point of accuracy or more."
    )


def test_classes_that_fall_alike_are_said_to(results):
    accuracy = np.array([[0.9, 0.8, 0.7], [0.5, 0.4, 0.3], [0.9, 0.9, 0.9]])
    found = ClassAccuracies(("float", "rounded", "ternary"), accuracy, np.full(3, 9))
    for order in ([0, 1, 2], [0]):
        assert classes.describe(results, found, np.array(order)) == (
            f"Rounding hurts all classes alike: {CLASSES[0]} falls from 90 % to 50 %. After "
            f"training as ternary, {CLASSES[0]} has 90 %."
        )


def test_the_caption_says_which_classes_are_drawn(results, monkeypatch):
    monkeypatch.setattr(classes, "MAX_ROWS", 2)
    three = classes.class_accuracies(results)
    without = results._replace(rounded=None)
    two = three._replace(models=("float", "ternary"), accuracy=three.accuracy[[0, 2]])
    one = three._replace(models=("ternary",), accuracy=three.accuracy[2:])
    monkeypatch.setattr(classes, "draw_classes", lambda *_: Chart("<svg />", "<svg />"))
    for each, found, words in (
        (results, three, "The 2 of 3 that lose most by rounding."),
        (without, two, "The 2 of 3 that change most."),
        (without, one, "The 2 of 3 that the model knows least."),
    ):
        order = classes.class_order(each, found)
        assert words in " ".join(classes.classes_section(each, found, order))


def test_classes_that_stay_level_are_not_said_to_change(results):
    without, row = results._replace(rounded=None), np.array([0.9, 0.8, 0.7])
    found = ClassAccuracies(("float", "8-bit"), np.array([row, row]), np.full(3, 9))
    assert classes.describe(without, found, classes.class_order(without, found)) == (
        "From float to 8-bit, no class changes by half a point."
    )


def test_the_most_confused_pair_counts_both_directions():
    counts = np.array([[9, 3, 0], [3, 9, 0], [5, 0, 9]])
    assert confusion.most_confused(counts) == (0, 1)
    assert confusion.confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist() == [
        [1, 1],
        [0, 1],
    ]


def test_a_model_without_mistakes_confuses_no_two_classes(results):
    assert confusion.most_confused(np.diag([5, 5, 5])) is None
    right = np.eye(len(CLASSES))[results.test.labels]
    last = results.last._replace(evaluation=results.last.evaluation._replace(logits=right))
    without = results._replace(stages=[*results.stages[:-1], last])
    assert confusion.describe(without) == "The ternary model confuses no two classes."


def test_of_many_classes_those_of_the_worst_pairs_are_shown():
    counts = np.diag(np.full(40, 9))
    counts[30, 7], counts[7, 30], counts[12, 3], counts[5, 6] = 5, 3, 7, 1
    assert confusion._worth_showing(counts, 4).tolist() == [3, 7, 12, 30]
    assert confusion._worth_showing(counts, 40).tolist() == list(range(40))


def test_long_names_keep_both_ends():
    assert classes.shortened("short", 6) == "short"
    name = classes.shortened("a very long name of a class 17", 12)
    assert (name, len(name)) == ("a very … 17"[:7] + "…s 17", 12)


def test_the_centred_mean_of_a_line_is_the_line():
    """A trailing mean of falling values lies above them."""
    line = np.linspace(3.0, 1.0, 40)
    np.testing.assert_allclose(centred_mean(line, 15), line, atol=1e-12)
    assert centred_mean(np.array([2.0]), 15).tolist() == [2.0]
    assert centred_mean(np.array([0.0, 3.0, 0.0, 1.0]), 3) == pytest.approx([0, 1, 4 / 3, 1])


def test_layers_are_measured_before_and_after_training(results):
    errors = layers.measure_layers(results)
    assert list(errors) == ["rounded", "ternary"]
    named = {error.layer: error for error in errors["ternary"]}
    assert named["blocks.0.mlp.fc1"].weight > 0.3  # three values
    assert 0 < named["head"].weight < 0.01  # 8 bits
    assert "Rounded alone, the layer blocks." in layers.describe(results, errors)


@pytest.mark.parametrize(
    ("began_on", "words"),
    [
        ({}, " on 1 thread<"),
        ({"threads": 4}, " on 4 threads<"),
        ({"ranks": 2, "threads": 4}, " on 2 ranks of 4 threads each<"),
        ({"ranks": 3}, " on 3 ranks of 1 thread each<"),
    ],
)
def test_ranks_and_threads_of_a_run_are_said(results, began_on, words):
    run = replace(results.run, config=results.run.config | began_on)
    assert words in "".join(ending.provenance(results._replace(run=run)))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [((17_000, 1_753), "5:12:33 on"), ((60, 140), "3:20 on"), ((60, None), "unknown time on")],
)
def test_the_time_of_training_is_that_of_all_stages(results, seconds, words):
    pairs = zip(results.run.stages, seconds, strict=True)
    run = replace(results.run, stages=[stage._replace(seconds=each) for stage, each in pairs])
    page = "".join(ending.provenance(results._replace(run=run)))
    assert f"training</dt><dd>{words} " in page


def test_the_cpu_time_is_said_where_it_is_known(results):
    def stated(cpu_seconds, **config):
        stages = [stage._replace(cpu_seconds=cpu_seconds) for stage in results.run.stages]
        run = replace(results.run, stages=stages, config=results.run.config | config)
        return "".join(ending.provenance(results._replace(run=run)))

    minutes = clock(60 * len(results.run.stages))
    assert f"CPU time</dt><dd>{minutes}</dd>" in stated(60.0)
    assert f"{minutes} of rank 0<" in stated(60.0, ranks=2)
    assert "CPU time" not in stated(None)


def test_evaluations_are_those_of_the_library(results):
    again = evaluate(results.last.model, results.test)
    assert again.accuracy == results.last.evaluation.accuracy
