"""A run of two stages on small pictures, trained once, and its report."""

from types import SimpleNamespace

import numpy as np
import pytest

import tervit_np as tv
from data_tools import ImageSet
from tervit_np.analysis.report import write_report
from tervit_np.analysis.report.results import gather
from tervit_np.analysis.run_record import read_run
from tervit_np.train import Data, Recipe, Stage, run
from tests.rounding import generator

CLASSES = ("red", "green", "a <b>long & odd</b> name of a class $5")
STAGES = (Stage("float", "float", 3), Stage("ternary", "ternary", 2))


def colours(count, split, seed, classes=CLASSES):
    """Noisy 8-pixel images whose class is the brighter channel; some test labels are wrong."""
    rng = generator(seed)
    labels = np.arange(count) % len(classes)
    images = rng.integers(0, 160, (count, 8, 8, 3))
    for i, label in enumerate(labels):
        images[i, 4 * (label // 3 % 2) :, :, label % 3] += 70
    if split == "test":
        labels[::7] = (labels[::7] + 1) % len(classes)
    mean, std = (0.4, 0.4, 0.4), (0.2, 0.2, 0.2)
    return ImageSet("colours", split, images.astype(np.uint8), labels, classes, mean, std)


def small_model(classes, **options):
    config = {"image_size": 8, "patch_size": 4, "dim": 16, "depth": 2, "heads": 2} | options
    return tv.DeiT(tv.DeiTConfig(num_classes=classes, init="xavier", **config), generator(0))


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Train stages on some classes and write the report.  -> folder, data, page."""

    def train(stages=STAGES, classes=CLASSES, model=None, val=True):
        out = tmp_path_factory.mktemp("report") / "run"
        splits = (64, "train", 0), (24, "val", 1), (36, "test", 2)
        train_set, val_set, test_set = (colours(*split, classes) for split in splits)
        data = Data(train_set, val_set if val else None, test_set)
        model = model or small_model(len(classes))
        run(model, list(stages), data, out, recipe=Recipe(batch_size=16), quiet=True)
        page = write_report(out, test_set).read_text("utf-8")
        return SimpleNamespace(folder=out, data=data, page=page)

    return train


@pytest.fixture(scope="session")
def finished(trained):
    return trained()


@pytest.fixture(scope="session")
def results(finished):
    return gather(read_run(finished.folder), finished.data.test, threads=1)
