from dataclasses import replace

import numpy as np
import pytest

import tervit_np as tv
from tervit_np import train
from tervit_np.analysis.comparison.plan import Arm
from tervit_np.analysis.comparison.trials import Trial, Trials, data_without_test
from tests.analysis.comparison.conftest import untimed

STEPS = 6  # of an epoch: 48 images, 8 at a time


@pytest.fixture
def trials(test_set, plan, tmp_path):
    return Trials(plan, tmp_path, threads=1, workers=1, quiet=True)


def counted(trials):
    """Return a list that grows by every step trained from now on."""
    steps = []
    trials.progress.step = steps.append
    return steps


def test_trials_have_no_test_split(test_set, plan):
    data = data_without_test(plan)
    assert data.val is None
    assert [split.split for split in (data.train, data.test)] == ["train", "val"]


def test_all_trials_have_the_same_images(test_set, plan):
    one, two = data_without_test(plan).train, data_without_test(replace(plan, seeds=(5,))).train
    assert len(one) == plan.images == 48
    np.testing.assert_array_equal(one.images, two.images)
    assert len(data_without_test(replace(plan, images=0)).train) == 64
    with pytest.raises(ValueError, match="images is 65; colours has 64 to train on"):
        data_without_test(replace(plan, images=65))


@pytest.mark.parametrize("arm", [0, 1, 2])
def test_shared_stages_end_in_the_same_bits(trials, plan, tmp_path, arm):
    """Compared with one run of all stages: weights, and accuracies of every stage."""
    for other in plan.arms:
        record = trials.result(Trial(other, 0.5, 3))
        if other is plan.arms[arm]:
            shared = record
    trial = Trial(plan.arms[arm], 0.5, 3)
    model = tv.create_model("deit_shapes", seed=3, num_classes=3, image_size=8, **plan.config)
    out = tmp_path / "alone"
    results = train.run(
        model, trial.stages, trials.data, out, recipe=plan.recipe, seed=3, quiet=True
    )
    for name, array in tv.load_checkpoint(trials.model_file(trial)).items():
        np.testing.assert_array_equal(array, model.state_dict()[name], err_msg=name)
    assert shared["stages"] == [result._asdict() for result in results]
    assert (shared["accuracy"], shared["loss"]) == results[-1][3:]


def test_a_shared_stage_brings_its_teacher_and_optimizer(trials, plan, tmp_path):
    first, second = plan.arms[0].stages
    taught = Arm("taught", (first, replace(second, teacher="float", optimizer="keep", ramp=0.5)))
    trial = Trial(taught, 1, 3)
    trials.result(Trial(plan.arms[0], 1, 3))  # stores the float stage
    trials.result(trial)
    model = tv.create_model("deit_shapes", seed=3, num_classes=3, image_size=8, **plan.config)
    train.run(
        model, trial.stages, trials.data, tmp_path / "x", recipe=plan.recipe, seed=3, quiet=True
    )
    for name, array in tv.load_checkpoint(trials.model_file(trial)).items():
        np.testing.assert_array_equal(array, model.state_dict()[name], err_msg=name)


def test_shared_stages_are_trained_once(trials, plan):
    every = [Trial(arm, 1, 0) for arm in plan.arms]
    trials.announce(every)
    assert trials.progress.remaining == STEPS * (1 + 2 + 2 + 2)  # one float stage, not three
    steps = counted(trials)
    for trial in every:
        trials.result(trial)
    assert len(steps) == trials.progress.remaining
    trials.announce(every)
    assert trials.progress.remaining == 0
    first = [trials.result(trial) for trial in every]
    assert len(steps) == STEPS * 7  # read, not trained again
    assert [record["arm"] for record in first] == ["direct", "progressive", "layer"]


def test_seeds_and_rates_share_no_model(trials, plan):
    files = {
        trials.model_file(Trial(plan.arms[0], multiplier, seed))
        for multiplier in (0.5, 1)
        for seed in (0, 1)
    }
    assert len(files) == 4
    other = Trials(
        replace(plan, images=40), trials.folder, threads=1, workers=1, quiet=True
    ).model_file(Trial(plan.arms[0], 0.5, 0))
    assert other not in files


def test_stored_trials_keep_their_names(test_set, plan, tmp_path, monkeypatch):
    """Another hash of the same training would train every stored trial again."""
    monkeypatch.setattr("tervit_np.train.run_config.backend_name", lambda: "numba")
    for threads in (1, 2):
        trials = Trials(plan, tmp_path, threads=threads, workers=1, quiet=True)
        monkeypatch.setattr(trials, "_model", pytest.fail)  # a hash builds no model
        stages = Trial(plan.arms[0], 0.5, 3).stages
        assert trials.key(3, stages) == "1afd18f684bd9bfb"
        assert trials.key(3, stages[:1]) == "5bd48d15865a3601"


def test_a_model_that_was_deleted_is_trained_again(trials, plan):
    trial = Trial(plan.arms[0], 1, 0)
    before = trials.result(trial)
    trials.announce([trial])
    assert trials.progress.remaining == 0
    trials.model_file(trial).unlink()
    trials.announce([trial])
    assert trials.progress.remaining == sum(trials.steps(trial.arm))
    assert untimed([trials.result(trial)]) == untimed([before])
    assert trials.model_file(trial).exists()


def test_a_renamed_arm_is_not_trained_again(trials, plan):
    first = trials.result(Trial(plan.arms[0], 1, 0))
    steps = counted(trials)
    again = trials.result(Trial(replace(plan.arms[0], name="new"), 1, 0))
    assert steps == []
    assert again == {**first, "arm": "new"}


def test_arms_with_equal_rates_share_a_training(trials, plan):
    """2 x 2e-3 is 1 x 4e-3: one training, each under its own name."""
    halved = Arm("halved", tuple(replace(s, lr=s.lr / 2) for s in plan.arms[0].stages))
    one, two = trials.result(Trial(plan.arms[0], 1, 0)), trials.result(Trial(halved, 2, 0))
    assert two == {**one, "arm": "halved", "multiplier": 2}


def test_a_trial_that_diverges_is_a_result_that_is_stored(trials, plan):
    with np.errstate(all="ignore"):
        result = trials.result(Trial(plan.arms[0], 1e30, 0))
    assert (result["arm"], result["multiplier"], result["seed"]) == ("direct", 1e30, 0)
    assert result["diverged"].startswith("stage float, step")
    trials.announce([Trial(plan.arms[0], 1e30, 0)])
    assert trials.progress.remaining == 0
    (stored,) = trials.folder.glob("stages/*/diverged.json")
    stored.write_text("{}")
    with pytest.raises(ValueError, match="problem is missing; delete it"):
        trials.result(Trial(plan.arms[0], 1e30, 0))


def test_budgets_that_rounding_makes_unequal_are_refused(test_set, plan, tmp_path):
    """A quarter of six steps is rounded to two: 1.5 + 1.5 + 15 steps become 19."""
    quarters = tuple(
        replace(plan.arms[0].stages[0], name=f"s{i}", epochs=epochs)
        for i, epochs in enumerate((0.25, 0.25, 2.5))
    )
    arms = (plan.arms[0], Arm("quarters", quarters))
    with pytest.raises(ValueError, match="'quarters' takes 19 steps, 'direct' takes 18: an epoch"):
        Trials(replace(plan, arms=arms), tmp_path, threads=1, workers=1, quiet=True)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"accuracy": "high"}', "[" * 99_999])
def test_a_damaged_result_says_what_to_do(trials, plan, text):
    trial = Trial(plan.arms[0], 1, 0)
    before = trials.result(trial)
    (file,) = (trials.folder / "trials").iterdir()
    file.write_text(text)
    with pytest.raises(ValueError, match=f"{file.name} is damaged: .*; delete it, and the same"):
        trials.result(trial)
    file.unlink()
    assert untimed([trials.result(trial)]) == untimed([before])
