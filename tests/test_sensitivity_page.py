"""docs/sensitivity.md says what docs/mixed_plans.json holds."""

import importlib.util
import json
from pathlib import Path
from statistics import fmean

import pytest

from tervit_np.analysis.comparison.statistics import summarize

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("page", ROOT / "docs" / "make_sensitivity.py")
page = importlib.util.module_from_spec(spec)
spec.loader.exec_module(page)
STORED = json.loads(page.STORE.read_text())
SEEDS = STORED["seeds"].values()
SHARES = (0.1, 0.25, 0.5)


def untrained(score, share):
    """Return the mean loss and accuracy (percent) of the plans by one score."""
    plans = [
        [p for p in seed["untrained"] if (p["score"], p["share"]) == (score, share)]
        for seed in SEEDS
    ]
    loss, accuracy = (fmean(fmean(p[k] for p in of) for of in plans) for k in ("loss", "accuracy"))
    return loss, 100 * accuracy


def trained(arm):
    """Return the accuracy (percent) of an arm for each seed."""
    return [100 * seed["arms"][arm]["accuracy"] for seed in SEEDS]


def test_the_tables_are_those_of_the_record():
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.remade(text) == text


def test_every_seed_has_every_plan():
    for seed in SEEDS:
        assert set(seed["arms"]) == set(page.ARMS)
        assert len(seed["layers"]) == 18
        for share in SHARES:
            counts = [
                sum((p["score"], p["share"]) == (score, share) for p in seed["untrained"])
                for score in page.SCORES
            ]
            assert counts == [6, 1, 1, 1]


def test_chosen_and_random_layers_have_equal_bytes():
    for seed in SEEDS:
        chosen, drawn = (seed["arms"][arm]["bytes"] for arm in ("sensitive", "random"))
        assert abs(chosen - drawn) <= 1000


class TestClaims:
    """Of the list "What they show"."""

    def test_untrained_the_choice_matters(self):
        text = " ".join(page.PAGE.read_text(encoding="utf-8").split())
        ternary = fmean(100 * seed["arms"]["all_ternary"]["start_accuracy"] for seed in SEEDS)
        chosen, drawn = (untrained(score, 0.25)[1] for score in ("mean of both", "random"))
        assert f"from {ternary:.1f} to {chosen:.1f} %, random ones" in text
        assert f"with the same bytes to {drawn:.1f} %" in text
        for seed in SEEDS:
            plans = [p for p in seed["untrained"] if p["share"] == 0.25]
            (best,) = (p["accuracy"] for p in plans if p["score"] == "mean of both")
            assert best > max(p["accuracy"] for p in plans if p["score"] == "random")

    def test_the_score_matters_less(self):
        scores = ("rise", "relief", "mean of both")
        quarter = [untrained(score, 0.25)[1] for score in scores]
        assert max(quarter) - min(quarter) < 1.05
        losses = {score: untrained(score, 0.1)[0] for score in scores}
        assert max(losses, key=losses.get) == "rise"

    def test_training_evens_the_plans_out(self):
        sizes = {arm: fmean(s["arms"][arm]["bytes"] for s in SEEDS) / 1e3 for arm in page.ARMS}
        assert f"{sizes['sensitive'] - sizes['all_ternary']:.1f}" == "39.8"
        assert f"{100 * (sizes['sensitive'] / sizes['all_ternary'] - 1):.0f}" == "57"
        assert f"{sizes['paper'] - sizes['all_ternary']:.1f}" == "10.3"
        gains = {
            arm: [a - b for a, b in zip(trained("sensitive"), trained(arm), strict=True)]
            for arm in ("all_ternary", "random")
        }
        assert min(gains["all_ternary"]) > 0
        assert fmean(gains["all_ternary"]) == pytest.approx(0.83, abs=0.01)
        assert fmean(gains["random"]) == pytest.approx(0.18, abs=0.01)
        total = summarize(gains["random"])
        assert total.mean < total.margin
        paper = fmean(trained("paper")) - fmean(trained("all_ternary"))
        assert paper == pytest.approx(0.30, abs=0.01)
        assert paper / 10.3 > fmean(gains["all_ternary"]) / 39.8
