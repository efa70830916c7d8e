"""A plan small enough to run in a test, on images whose class is their strongest channel."""

import numpy as np
import pytest

from data_tools import ImageSet
from tervit_np.analysis.comparison import Record
from tervit_np.analysis.comparison.reading import plan_from_table
from tervit_np.train import Data

SMALL = {"patch_size": 4, "dim": 16, "depth": 1, "heads": 2}


def colours(count, split, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    images = rng.integers(0, 160, (count, 8, 8, 3))
    images[np.arange(count), :, :, labels] += 60
    numbers = (0.4, 0.4, 0.4), (0.2, 0.2, 0.2)
    return ImageSet(
        "colours", split, images.astype(np.uint8), labels, ("red", "green", "blue"), *numbers
    )


class CountedTestSet(ImageSet):
    """A test split that counts how often a pass over it begins."""

    passes = 0

    def pixels(self, indices):
        CountedTestSet.passes += indices[0] == 0
        return super().pixels(indices)


@pytest.fixture
def test_set(monkeypatch):
    """Patch the splits named "shapes".  -> the class that counts passes over the test split."""
    test = CountedTestSet(*vars(colours(24, "test", 2)).values())
    splits = {"train": colours(64, "train", 0), "val": colours(24, "val", 1), "test": test}
    monkeypatch.setattr("tervit_np.train.load_data", lambda *args: Data(*splits.values()))
    monkeypatch.setattr("data_tools.load", lambda name, split: splits[split])
    monkeypatch.setattr(CountedTestSet, "passes", 0)
    return CountedTestSet


@pytest.fixture
def table():
    """A plan as a TOML file gives it."""
    return {
        "name": "small",
        "data": "shapes",
        "config": dict(SMALL),
        "recipe": {"batch_size": 8},
        "images": 48,
        "multipliers": [0.5, 1],
        "search_seeds": [7],
        "seeds": [0, 1],
        "baseline": "direct",
        "arms": [
            {"name": "direct", "stages": [stage("float", 1), stage("ternary", 2)]},
            {
                "name": "progressive",
                "stages": [stage("float", 1), stage("int8", 1), stage("ternary", 1)],
            },
            {"name": "layer", "stages": [stage("float", 1), stage("ternary-layer", 2)]},
        ],
    }


def stage(plan, epochs, **options):
    return {"name": plan, "plan": plan, "epochs": epochs, "lr": 4e-3, **options}


def untimed(trials):
    """Return the records of trials without their times, which no two trainings have in common."""
    return [{k: v for k, v in trial.items() if k != "cpu_seconds"} for trial in trials]


@pytest.fixture
def plan(table):
    return plan_from_table(table)


@pytest.fixture
def record(plan):
    """A record with chosen test accuracies and validation accuracies ten points below."""
    numbers = {"direct": (80, 82), "progressive": (81, 81), "layer": (79, 79.5)}
    tested = [
        {
            "arm": arm.name,
            "seed": seed,
            "accuracy": x / 100 - 0.1,
            "test_accuracy": x / 100,
            "stages": [{"start_accuracy": i / 10 + seed / 100} for i in range(len(arm.stages))],
        }
        for arm in plan.arms
        for seed, x in zip(plan.seeds, numbers[arm.name], strict=True)
    ]
    chosen = {"direct": 0.5, "progressive": 1.0, "layer": 1.0}
    data = {"train": 48, "validation": 24, "test": 24}
    return Record(plan, [], chosen, tested, data, {"numpy": "2"})
