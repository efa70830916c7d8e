"""The trained models of the package are what their cards say."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import tervit_np as tv
from data_tools import DataError, load, normalise
from tervit_np.deploy import TRAINED_MODELS, trained_model

ROOT = Path(__file__).parents[2]


def card(name):
    text = trained_model(name).with_suffix(".md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| ([^|]+) \| (.+) \|$", text, re.MULTILINE))


@pytest.mark.parametrize("name", TRAINED_MODELS)
def test_the_file_is_the_one_that_the_card_describes(name):
    content = trained_model(name).read_bytes()
    assert card(name)["SHA-256"] == hashlib.sha256(content).hexdigest()
    assert card(name)["size"].startswith(f"{len(content):,} bytes; ")
    assert len(content) < 500_000


@pytest.mark.parametrize("name", TRAINED_MODELS)
def test_readme_repeats_the_card(name):
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    told = readme.partition(f"deploy/trained_models/{name}.md), ")[2][:60]
    size, accuracy = (float(number) for number in re.findall(r"([\d.]+) (?:kB|%)", told))
    assert size == round(trained_model(name).stat().st_size / 1000)
    assert accuracy == round(float(card(name)["test accuracy"].split(" %")[0]), 1)


def test_the_page_of_results_repeats_the_card():
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    told = [card("shapes")[key].split(" %")[0] for key in ("test accuracy", "inverted")]
    command = card("shapes")["training"].partition(";")[0]
    assert f"| {command} | 31 | {told[0]} | {told[1]} |" in page


@pytest.mark.parametrize("name", TRAINED_MODELS)
def test_the_packed_file_reaches_the_accuracy_of_its_card(name):
    packed = tv.load_packed(name)
    try:
        test = load(name, "test")
    except DataError as error:
        pytest.skip(str(error))
    images, _ = test.pixels(np.arange(len(test)))
    logits = packed.predict(normalise(images, test.mean, test.std))
    accuracy = 100 * (logits.argmax(axis=1) == test.labels).mean()
    assert card(name)["test accuracy"].startswith(f"{accuracy:.2f} %")
    if name == "shapes":  # CIFAR-10 has five times as many pictures
        swapped = packed.predict(normalise(255 - images, test.mean, test.std))
        accuracy = 100 * (swapped.argmax(axis=1) == test.labels).mean()
        assert card(name)["inverted"].startswith(f"{accuracy:.2f} %")
    assert list(test.classes) == packed.extra["classes"]


@pytest.mark.parametrize(("pen", "paper"), [("black", "white"), ("white", "black")])
def test_plain_drawings_are_known_on_bright_and_on_dark_paper(pen, paper):
    """As docs/results.md says of the model of shapes."""
    packed = tv.load_packed("shapes")
    corners = [(16 + r * np.sin(a), 16 - r * np.cos(a))
               for r, a in zip((11, 4.4) * 5, np.arange(10) * np.pi / 5, strict=True)]  # fmt: skip
    drawings = {"disk": ("ellipse", (6, 6, 25, 25)), "square": ("rectangle", (7, 7, 24, 24)),
                "triangle": ("polygon", [(16, 6), (6, 25), (26, 25)]),
                "star": ("polygon", corners)}  # fmt: skip
    pictures = [Image.new("RGB", (32, 32), paper) for _ in drawings]
    for picture, (shape, where) in zip(pictures, drawings.values(), strict=True):
        getattr(ImageDraw.Draw(picture), shape)(where, fill=pen)
    images = np.stack([np.asarray(picture) for picture in pictures])
    mean, std = packed.extra["mean"], packed.extra["std"]
    answers = packed.predict(normalise(images, mean, std)).argmax(axis=1)
    assert [packed.extra["classes"][i] for i in answers] == list(drawings)


def test_other_names_are_those_of_files(tmp_path, monkeypatch):
    assert trained_model("cifar100") is None
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="cifar100"):
        tv.load_packed("cifar100")


def test_a_packed_model_predicts_on_several_threads():
    packed = tv.load_packed("shapes")
    images = np.random.default_rng(0).normal(size=(5, 3, 32, 32)).astype(np.float32)
    np.testing.assert_array_equal(packed.predict(images, 2, threads=2), packed.predict(images))
