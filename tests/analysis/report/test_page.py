import json
import re

import numpy as np
import pytest
from PIL import Image

import tervit_np as tv
from data_tools import normalise
from data_tools.streamed import StreamedSet, read_streamed
from tervit_np.analysis.report import write_report
from tervit_np.analysis.report.pictures import MISTAKES
from tervit_np.analysis.surfaces.interpolation import interpolation
from tervit_np.analysis.surfaces.measure import run_models
from tervit_np.train import Data, Recipe, Stage, run
from tests.analysis.report.conftest import CLASSES, STAGES, small_model
from tests.analysis.report.page_structure import charts, check_page

EIGHT = Stage("8-bit", "int8", 1)
PNGS = {"classes", "confusion", "confusion_change", "curves", "layers", "recovery", "weights"}


def test_the_page_is_complete_and_self_contained(finished):
    text = check_page(finished.page)
    for words in (
        "colours: float, ternary",
        "Which classes pay",
        "The drop and the recovery",
        "What rounding does to each layer",
        "Where the ternary weights come from",
        "Most often confused are",
        "Where the model looks",
        "What to do next",
        "Quantizers of each layer",
        "a <b>long & odd</b> name",
    ):
        assert words in text, words
    assert {file.stem for file in finished.folder.glob("*.png")} == PNGS
    assert len(charts(finished.page)) == 2 * len(PNGS)


def test_pngs_are_not_blank(finished):
    for file in finished.folder.glob("*.png"):
        pixels = np.asarray(Image.open(file).convert("L"))
        assert (pixels < 200).mean() > 0.003, file.name
        assert min(pixels.shape) > 150


def test_numbers_are_stored_beside_the_page(finished, results):
    stored = json.loads((finished.folder / "report.json").read_text())
    assert [model["name"] for model in stored["models"]] == ["float", "ternary", "rounded"]
    assert stored["models"][1]["accuracy"] == results.last.evaluation.accuracy
    assert stored["models"][2]["accuracy"] == results.run.stages[1].start_accuracy
    assert [row["class"] for row in stored["classes"]] == list(CLASSES)
    assert sum(row["pictures"] for row in stored["classes"]) == 36
    mean = np.mean([row["accuracy"]["rounded"] for row in stored["classes"]])
    assert mean == pytest.approx(stored["models"][2]["accuracy"], abs=1e-5)
    names = [name for name, layer in results.last.model.quantizable() if layer.weight is not None]
    for kind in ("rounded", "ternary"):
        assert [error["layer"] for error in stored["layers"][kind]] == names


def test_a_hundred_classes_and_four_stages_have_a_page(trained):
    """Charts show what can be read of them, the table and the numbers show all."""
    stages = STAGES[0], EIGHT, Stage("4-bit", "int4", 1), STAGES[1]
    made = trained(stages, tuple(f"a rather long class number {i}" for i in range(100)), val=False)
    text = check_page(made.page)
    assert "A figure is missing" not in text
    assert "The rounded weights are those of the 4-bit stage" in text
    assert "Numbers of all 31 classes" in text  # those with test pictures
    assert "Test pictures of the 10 classes" in text
    stored = json.loads((made.folder / "report.json").read_text())
    assert len(stored["classes"]) == 100
    assert stored["classes"][-1]["accuracy"] == {"float": None, "rounded": None, "ternary": None}


def test_swin_with_one_ternary_stage_and_a_thousand_classes_has_a_page(trained):
    sizes = {"patch_size": 2, "dim": 8, "depths": (2, 1), "heads": (1, 2), "window": 2}
    model = tv.create_model("swin_cifar", image_size=8, num_classes=1000, seed=0, **sizes)
    made = trained(STAGES[1:], tuple(f"class {i}" for i in range(1000)), model)
    text = check_page(made.page)
    assert "A figure is missing" not in text
    assert "before training" in text
    assert "qkv: output" in text and "layers.0.downsample.reduction" in text
    assert not (made.folder / "recovery.png").exists()


def test_a_run_with_learned_inputs_has_a_page_and_a_line(trained):
    made = trained((STAGES[0], Stage("ternary", "ternary-int8-lsq", 2)))
    text = check_page(made.page)
    assert "A figure is missing" not in text
    assert "rounded to three values, not trained" in text
    models = run_models(made.folder).models
    images, labels = made.data.test.images, made.data.test.labels
    images = normalise(images, made.data.test.mean, made.data.test.std)
    curves = interpolation(models["float"], models["ternary"], images, labels, [0.0, 1.0]).curves
    assert all(np.isfinite(curve.loss).all() for curve in curves)


def test_streamed_pictures_without_a_ternary_stage_have_a_page(tmp_path):
    """One of them cannot be read and is left out."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 6)):
        for label in "ab":
            (tmp_path / "data" / split / label).mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 255, (130, 120, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "data" / split / label / f"{i}.jpg")
    (tmp_path / "data" / "val" / "a" / "0.jpg").write_bytes(b"no picture")
    name = f"imagenet:{tmp_path / 'data'},size=112"
    data = Data(read_streamed(name, "train"), None, read_streamed(name, "test"))
    assert isinstance(data.test, StreamedSet)
    model = small_model(2, image_size=112, patch_size=56)
    run(model, [STAGES[0], EIGHT], data, tmp_path / "run", recipe=Recipe(batch_size=8), quiet=True)
    text = check_page(write_report(tmp_path / "run", data.test).read_text("utf-8"))
    assert "A figure is missing" not in text
    assert "11 test pictures" in text
    assert "rounded to 8 bits, not trained" in text
    assert "Where the ternary weights come from" not in text


def test_mistakes_are_pictures_with_words(finished):
    grid = re.search(r'<div class="pictures">(.*?)</div>', finished.page, re.DOTALL)
    captions = re.findall(r"<figcaption>(.*?)<br>is (.*?)</figcaption>", grid[1])
    assert 0 < len(captions) <= MISTAKES
    assert all(guess.endswith(" %") and not guess.startswith(truth) for guess, truth in captions)
