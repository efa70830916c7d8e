from tervit_np.analysis.history import COLUMNS, Epoch, cells, epochs
from tervit_np.analysis.run_record import RunRecord


def step(stage, number, loss, **more):
    return {"kind": "step", "stage": stage, "step": number, "loss": loss, **more}


def record(records, stages=("float", "ternary"), images=40, batch=10):
    config = {
        "stages": [{"name": name} for name in stages],
        "data": {"train": images},
        "recipe": {"batch_size": batch},
    }
    return RunRecord(None, config, [], records, 0)


def test_steps_are_averaged_over_epochs_and_counted_from_the_start_of_a_stage():
    """Four steps are an epoch; the second stage begins after the sixth step."""
    val = {"kind": "eval", "stage": "float", "step": 4, "loss": 0.8, "accuracy": 0.5}
    steps = [step("float", n, float(n), lr=n / 10) for n in range(1, 7)]
    rows = epochs(record([*steps[:4], val, *steps[4:], step("ternary", 7, 3.0)]))
    assert rows == [
        Epoch("float", 1, 4, 2.5, 0.4, 0.8, 0.5),
        Epoch("float", 2, 6, 5.5, 0.6, None, None),
        Epoch("ternary", 1, 7, 3.0, None, None, None),
    ]


def test_an_epoch_of_which_only_the_evaluation_is_left_has_no_training_loss():
    val = {"kind": "eval", "stage": "float", "step": 4, "loss": 0.8, "accuracy": 0.5}
    assert epochs(record([val])) == [Epoch("float", 1, 4, None, None, 0.8, 0.5)]
    assert epochs(record([])) == []


def row(record):
    """The cells of a record that have a value."""
    return {name: cell for name, cell in zip(COLUMNS, cells(record), strict=True) if cell != ""}


def test_the_columns_are_the_fields_of_records():
    line = step("a", 3, 0.5, grad_norm=2.0)
    assert row(line) == line
    assert row({"kind": "run", "seconds": 4.5}) == {"kind": "run", "seconds": 4.5}


def test_a_stage_has_columns_for_both_ends():
    line = {"kind": "stage", "start": {"test_accuracy": 0.1}, "end": {"test_loss": 1.5}}
    assert row({**line, "seconds": None, "ramp": 0.5}) == {
        "kind": "stage",
        "start_test_accuracy": 0.1,
        "end_test_loss": 1.5,
    }
