import math
import os
import pickle
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from data_tools.lock import locked
from tervit_np import train
from tervit_np.analysis.comparison import compare, read_record
from tervit_np.analysis.comparison.plan import Arm
from tervit_np.analysis.comparison.progress import Progress
from tervit_np.analysis.comparison.running import (
    choose_multipliers,
    final_trials,
    search_rates,
    search_trials,
    trained,
    widened,
)
from tervit_np.analysis.comparison.trials import Trials
from tervit_np.train import Interrupted
from tests.analysis.comparison.conftest import CountedTestSet, colours, untimed


def trial(arm, multiplier, accuracy, loss=1.0):
    return {"arm": arm, "multiplier": multiplier, "accuracy": accuracy, "loss": loss}


def test_an_error_ends_the_progress(test_set, plan, tmp_path, monkeypatch):
    def fail(*_):
        raise ValueError("a stage is missing")

    ended = []
    monkeypatch.setattr(Progress, "end", lambda progress: ended.append(progress))
    monkeypatch.setattr("tervit_np.analysis.comparison.running._compare", fail)
    with pytest.raises(ValueError, match="a stage is missing"):
        compare(plan, tmp_path, quiet=True)
    assert len(ended) == 1


def test_every_arm_has_the_same_search(plan):
    plan = replace(plan, search_seeds=(7, 8))
    tried = [(t.multiplier, t.seed) for t in search_trials(plan) if t.arm is plan.arms[0]]
    assert tried == [(0.5, 7), (1, 7), (0.5, 8), (1, 8)]
    for arm in plan.arms:
        assert [(t.multiplier, t.seed) for t in search_trials(plan) if t.arm is arm] == tried


def test_trials_leave_the_rates_of_fixed_stages_alone(plan):
    plan = replace(plan, fixed_rates=("float",))
    halved = dict.fromkeys((arm.name for arm in plan.arms), 0.5)
    for one in search_trials(plan) + final_trials(plan, halved):
        for stage, given in zip(one.stages, one.arm.stages, strict=True):
            factor = 1 if stage.name == "float" else one.multiplier
            assert stage == replace(given, lr=given.lr * factor)


def test_the_choice_is_the_best_mean_then_the_least_loss(plan):
    search = [
        *(trial("direct", 0.5, a) for a in (0.2, 0.9)),
        *(trial("direct", 1, a) for a in (0.5, 0.5)),
        *(trial("progressive", 0.5, 0.7, loss) for loss in (1, 3)),
        *(trial("progressive", 1, 0.7, loss) for loss in (1.5, 2)),
        *(trial("layer", 0.5, 0.1, 0.0), trial("layer", 1, 0.2, 9.0)),
    ]
    assert choose_multipliers(plan, search) == {"direct": 0.5, "progressive": 1, "layer": 1}


@pytest.mark.parametrize(
    ("chosen", "wider"),
    [({1}, ()), ({0.5}, (0.25,)), ({1, 4}, (8,)), ({0.5, 4}, (0.25, 8))],
)
def test_a_grid_grows_beyond_an_end_that_an_arm_chose(chosen, wider):
    assert widened((0.5, 1, 4 / 2, 4), chosen) == (0.5, 1, 2, 4, *wider)


def test_a_search_goes_on_until_the_best_rates_are_inside(test_set, plan, tmp_path, monkeypatch):
    """All arms get the wider grid, at most `widen` times, and stored trials are not repeated."""
    best = {"direct": 2, "progressive": 1, "layer": 64}

    def result(self, trial):
        trained.append(trial)
        quality = -abs(math.log(trial.multiplier / best[trial.arm.name]))
        return {"arm": trial.arm.name, "multiplier": trial.multiplier, "seed": trial.seed,
                "stages": [], "accuracy": quality, "loss": 0.0}  # fmt: skip

    trained = []
    monkeypatch.setattr(Trials, "result", result)
    trials = Trials(plan, tmp_path, threads=1, workers=1, quiet=True)
    search, multipliers = search_rates(replace(plan, widen=3), trials)
    assert multipliers == {"direct": 2, "progressive": 1, "layer": 8}
    for arm in plan.arms:
        assert [t["multiplier"] for t in search if t["arm"] == arm.name] == [0.5, 1, 2, 4, 8]
    assert search_rates(plan, trials)[1] == {"direct": 1, "progressive": 1, "layer": 1}


def test_compare_runs_from_plan_to_record(test_set, plan, tmp_path):
    record = compare(plan, tmp_path, quiet=True)
    assert len(record.search) == 2 * 3
    assert {t["seed"] for t in record.search} == {7}
    assert [(t["arm"], t["seed"]) for t in record.tested] == [
        (t.arm.name, t.seed) for t in final_trials(plan, record.multipliers)
    ]
    for t in record.tested:
        assert t["multiplier"] == record.multipliers[t["arm"]]
        assert 0 <= t["test_accuracy"] <= 1
        assert t["cpu_seconds"] > 0
    assert record.multipliers == choose_multipliers(plan, record.search)
    assert record.data == {"train": 48, "validation": 24, "test": 24}
    assert read_record(tmp_path) == replace(record, plan=read_record(tmp_path).plan)


def test_a_plan_that_does_not_fit_is_refused_before_any_training(test_set, plan, tmp_path):
    bad = replace(plan.arms[2].stages[1], plan="ternary-group48")
    arms = *plan.arms[:2], replace(plan.arms[2], stages=(plan.arms[2].stages[0], bad))
    with pytest.raises(ValueError, match="arm 'layer', stage ternary-layer: its plan does not fit"):
        compare(replace(plan, arms=arms), tmp_path / "out", quiet=True)
    assert not list(tmp_path.iterdir())


class Elsewhere(ThreadPoolExecutor):
    """Runs tasks at once, with plan and stages as another process gets them."""

    def submit(self, function, /, *args):
        return super().submit(*pickle.loads(pickle.dumps((function, *args))))


def test_an_executor_gives_the_same_record(test_set, plan, tmp_path):
    plan = replace(plan, arms=plan.arms[:2], multipliers=(1.0,), seeds=(0,))
    expected = compare(plan, tmp_path / "in turn", quiet=True)
    with Elsewhere(2) as executor:
        record = compare(plan, tmp_path / "elsewhere", quiet=True, executor=executor)
    assert untimed(record.search) == untimed(expected.search)
    assert untimed(record.tested) == untimed(expected.tested)
    folders = [sorted(x.name for x in tmp_path.glob(f"{y}/stages/*")) for y in ("in*", "else*")]
    assert folders[0] == folders[1]  # shared stages are shared
    record = compare(plan, tmp_path / "elsewhere", quiet=True, executor=executor)
    assert untimed(record.tested) == untimed(expected.tested)  # from the disk


def test_dask_gives_the_same_record(test_set, plan, tmp_path):
    distributed = pytest.importorskip("distributed")
    plan = replace(plan, arms=plan.arms[:2], multipliers=(1.0,), seeds=(0,))
    expected = compare(plan, tmp_path / "in turn", quiet=True)
    options = {"processes": False, "n_workers": 2, "dashboard_address": None}
    with distributed.Client(**options) as client, client.get_executor() as executor:
        record = compare(plan, tmp_path / "dask", quiet=True, executor=executor)
    assert untimed(record.search) == untimed(expected.search)
    assert untimed(record.tested) == untimed(expected.tested)


@pytest.fixture
def wild(plan):
    """A plan whose second multiplier lets the float stage diverge, which both arms share."""
    return replace(plan, arms=plan.arms[:2], multipliers=(1.0, 1e30), seeds=(0,))


def test_a_multiplier_that_diverges_is_not_chosen(test_set, wild, tmp_path, capsys, monkeypatch):
    with np.errstate(all="ignore"):
        record = compare(wild, tmp_path / "in turn", quiet=True)
    assert record.multipliers == {"direct": 1.0, "progressive": 1.0}
    diverged = [t for t in record.search if "diverged" in t]
    assert [(t["arm"], t["multiplier"]) for t in diverged] == [
        ("direct", 1e30),
        ("progressive", 1e30),
    ]
    assert diverged[0]["diverged"] == diverged[1]["diverged"]  # of the shared stage
    assert "--resume" not in diverged[0]["diverged"]
    notes = capsys.readouterr().err
    assert "progressive, rates x 1e+30, seed 7: stage float, step" in notes
    assert notes.count("not chosen") == 2

    with np.errstate(all="ignore"), Elsewhere(2) as executor:
        same = compare(wild, tmp_path / "elsewhere", quiet=True, executor=executor)
    assert untimed(same.search) == untimed(record.search)
    assert untimed(same.tested) == untimed(record.tested)
    monkeypatch.setattr(train, "run", None)  # all is stored
    again = compare(wild, tmp_path / "in turn", quiet=True)
    assert (again.search, again.tested) == (record.search, record.tested)

    more = CountedTestSet(*vars(colours(27, "test", 3)).values())  # pictures were added
    monkeypatch.setattr("data_tools.load", lambda name, split: more)
    later = compare(wild, tmp_path / "in turn", quiet=True)
    assert later.data["test"] == 27
    losses = [[t["test_loss"] for t in each.tested] for each in (record, later)]
    assert not set(losses[0]) & set(losses[1])
    assert compare(wild, tmp_path / "in turn", quiet=True).tested == later.tested


def test_an_arm_that_diverges_with_every_multiplier_is_named(test_set, wild, tmp_path):
    arm = Arm("wild", (replace(wild.arms[0].stages[0], epochs=3, lr=1e30),))
    wild = replace(wild, arms=(arm, wild.arms[0]), multipliers=(0.5,), baseline="wild")
    words = "arm 'wild' diverged with every .* lower .*wild, rates x 0.5, seed 7: stage float"
    with np.errstate(all="ignore"), Elsewhere(1) as executor:
        with pytest.raises(ValueError, match=words):
            compare(wild, tmp_path, quiet=True, executor=executor)


def test_a_seed_that_diverges_is_not_left_out(test_set, plan, tmp_path, monkeypatch):
    record = {"arm": "direct", "multiplier": 1, "seed": 0, "diverged": "stage float, step 2"}
    monkeypatch.setattr(Trials, "result", lambda self, trial: record)
    trials = Trials(plan, tmp_path, threads=1, workers=1, quiet=True)
    with pytest.raises(ValueError, match=r"direct, rates x 1, seed 0: stage float.*all seeds"):
        trained(trials, final_trials(plan, dict.fromkeys(("direct", "progressive", "layer"), 1))[0])


def test_the_test_split_is_read_once_for_each_arm_and_seed_after_training(
    test_set, plan, tmp_path, monkeypatch
):
    passes = []
    step = Progress.step
    monkeypatch.setattr(
        Progress, "step", lambda self, done: (passes.append(test_set.passes), step(self, done))
    )
    compare(plan, tmp_path, quiet=True)
    assert set(passes) == {0}  # during no step of training
    assert test_set.passes == 3 * 2
    compare(plan, tmp_path, quiet=True)
    assert test_set.passes == 3 * 2  # stored, not measured again


def test_a_stopped_comparison_continues(test_set, plan, tmp_path, monkeypatch):
    """Stopped in a shared stage, in the middle of a trial, and at the end of one."""
    taken, stops = [], set()
    step = Progress.step

    def counted(self, done):
        step(self, done)
        taken.append(done)
        if len(taken) in stops:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Progress, "step", counted)
    uninterrupted = compare(plan, tmp_path / "uninterrupted", quiet=True)
    steps = len(taken)
    taken.clear()
    stops |= {3, 15, 30, 60}
    for _ in stops:
        with pytest.raises(Interrupted, match=r"stopped in .*seed \d.*repeat the command"):
            compare(plan, tmp_path / "stopped", quiet=True)
    resumed = compare(plan, tmp_path / "stopped", quiet=True)
    assert untimed(resumed.search) == untimed(uninterrupted.search)
    assert untimed(resumed.tested) == untimed(uninterrupted.tested)
    assert len(taken) == steps  # not one was taken twice


def test_a_new_arm_trains_alone(test_set, plan, tmp_path, monkeypatch):
    before = compare(plan, tmp_path, quiet=True)
    new = Arm("long", (replace(plan.arms[0].stages[0], epochs=3),))
    taken = []
    monkeypatch.setattr(Progress, "step", lambda self, done: taken.append(done))
    after = compare(replace(plan, arms=(*plan.arms, new)), tmp_path, quiet=True)
    assert len(taken) == 3 * 6 * (2 + 2)  # two multipliers, two seeds
    assert [t for t in after.tested if t["arm"] != "long"] == before.tested


def test_a_comparison_locks_its_folder(test_set, plan, tmp_path):
    errors = []

    def other():
        try:
            compare(plan, tmp_path, quiet=True)
        except ValueError as error:
            errors.append(str(error))

    with locked(tmp_path):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert "is in use by process" in errors[0]
    assert not (tmp_path / "stages").exists()
