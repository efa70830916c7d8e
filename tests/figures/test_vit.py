"""The transformer that runs in a page answers as the library does."""

import base64
import json
import re

import numpy as np
import pytest
from PIL import Image

import tervit_np as tv
from data_tools import load, normalise
from tests.figures.pages import FIGURES, ROOT
from tests.rounding import recorded

SAME = 1e-9  # float64 both times
MARGIN64 = 1e-9  # no value of any quantizer is nearer to a half, so that both round alike
FLIPPED = 4  # answers of 2,000 that a few tokens of other codes may change, without Numba
TRAINED = ROOT / "tervit_np" / "deploy" / "trained_models"
SETTINGS = [
    ("float", {"bits": 8, "granularity": "channel"}),
    ("float", {"bits": 2, "granularity": "layer"}),
    ("latent", {"bits": 4, "granularity": "channel"}),
    ("latent", {"bits": "ternary", "factor": 0.7, "granularity": "channel"}),
    ("float", {"bits": "ternary", "factor": 1.1, "granularity": "layer"}),
]


@pytest.fixture(scope="module")
def data():
    import figure_data
    from figure_data import vit

    names = ("models", "pictures", "cifar10")
    return vit, {name: figure_data.read(f"vit_{name}") for name in names}


@pytest.fixture(scope="module")
def page(browser):
    browser.open(FIGURES / "vit.html")
    return browser


def library_logits(model, images):
    """Logits of the library, if both must round alike."""
    with recorded() as record:
        found = model.predict(images)
    assert min(each.distance.min() for each in record) > MARGIN64
    return found


def logits_in_page(browser, model):
    """Logits of all pictures of the page."""
    script = f"pictures.map(({{pixels}}) => Array.from(classify(pixels, {model}).logits))"
    return np.array(browser.run(script))


# ------------------------------------------------------------------------------------ stored data
def test_ternary_models_are_the_files_of_the_package(data):
    _, stored = data
    files = {"shapes": stored["models"]["ternary"], "cifar10": stored["cifar10"]["packed"]}
    for name, packed in files.items():
        assert base64.b64decode(packed) == (TRAINED / f"{name}.safetensors").read_bytes()


def test_the_model_of_cifar10_has_the_accuracy_of_its_card(data):
    _, stored = data
    of = f"{stored['cifar10']['percent']:.2f} % of {stored['cifar10']['of']:,} pictures"
    assert of in (TRAINED / "cifar10.md").read_text(encoding="utf-8")


def test_the_page_says_how_large_the_models_are():
    text = " ".join((FIGURES / "vit.html").read_text(encoding="utf-8").split())
    sizes = []
    for name in ("shapes", "cifar10"):
        card = (TRAINED / f"{name}.md").read_text(encoding="utf-8")
        sizes.append(int(re.search(r"([\d,]+) parameters", card)[1].replace(",", "")))
    shapes, cifar = (f"{round(size, -4):,}" for size in sizes)
    assert f"some {shapes} parameters for shapes and {cifar} for CIFAR-10" in text


def test_pictures_and_logits_are_those_of_the_library(data):
    vit, stored = data
    with recorded() as record:
        made = vit.picture_data(stored["models"]["ternary"])
    assert min(each.distance.min() for each in record) > MARGIN64
    assert made["labels"] == stored["pictures"]["labels"]
    assert made["pixels"] == stored["pictures"]["pixels"]
    np.testing.assert_allclose(made["logits"], stored["pictures"]["logits"], rtol=0, atol=SAME)


def test_stored_accuracies_are_those_of_the_library(data):
    import figure_data

    vit, stored = data
    found, test = figure_data.read("vit_accuracy"), load("shapes", "test")
    names = {vit.key(source, s) for source in vit.SOURCES for s in vit.settings()}
    assert set(found["correct"]) == names | {"ternary"} and found["of"] == len(test)
    correct = vit.packed_answers(stored["models"]["ternary"], test)
    assert abs(correct - found["correct"]["ternary"]) <= FLIPPED
    source, setting = SETTINGS[3]
    correct = vit.correct_answers(stored["models"][source], setting, test)
    assert abs(correct - found["correct"][vit.key(source, setting)]) <= FLIPPED


def test_the_answer_quotes_stored_accuracies():
    import figure_data

    correct = figure_data.read("vit_accuracy")["correct"]
    text = " ".join((FIGURES / "vit.html").read_text(encoding="utf-8").split())
    rules = [f"{source} {rule}" for source in ("float", "latent") for rule in (8, "ternary 0.7")]
    for name in (*rules, "float 4", "float 3", "float 2"):
        percent = f"{correct[f'{name} channel'] / 20:.2f} %"
        assert percent in text.partition("Answer</summary>")[2], (name, percent)


def test_lines_of_the_library_are_up_to_date(data):
    import figure_data

    assert figure_data.read("vit_numpy") == data[0].numpy_lines()


# ------------------------------------------------------------------------------------- in the page
def test_the_page_computes_the_library_s_logits(page, data):
    _, stored = data
    found = logits_in_page(page, "models.ternary")
    np.testing.assert_allclose(found, stored["pictures"]["logits"], rtol=0, atol=SAME)


def test_the_library_s_integer_kernels_give_nearly_all_pictures_the_same_logits(data, tmp_path):
    """In float32 a few tokens round to other codes."""
    vit, stored = data
    file = tmp_path / "packed.safetensors"
    file.write_bytes(base64.b64decode(stored["models"]["ternary"]))
    pictures = vit.chosen_pictures()
    images = normalise(pictures.images, pictures.mean, pictures.std)
    packed = tv.load_packed(file).predict(images)
    distance = np.abs(packed - stored["pictures"]["logits"]).max(axis=1)
    assert (distance < 1e-4).mean() > 0.5
    assert distance.max() < 0.5


@pytest.mark.parametrize(("source", "setting"), SETTINGS)
def test_the_page_rounds_weights_as_the_library_does(page, data, source, setting):
    vit, stored = data
    pictures = vit.chosen_pictures()
    images = normalise(pictures.images, pictures.mean, pictures.std)
    expected = library_logits(vit.rounded_model(stored["models"][source], setting), images)
    found = logits_in_page(page, f"quantizeModel(models.{source}, {json.dumps(setting)})")
    np.testing.assert_allclose(found, expected, rtol=0, atol=SAME)


def test_the_page_runs_the_model_of_cifar10(page, data):
    """It has a stem of three convolutions."""
    vit, stored = data
    with recorded() as record:
        expected = vit.cifar10_model()["logits"]
    assert min(each.distance.min() for each in record) > MARGIN64
    np.testing.assert_allclose(stored["cifar10"]["logits"], expected, rtol=0, atol=SAME)
    first = "pictures.slice(0, 10)"
    script = f"{first}.map(({{pixels}}) => Array.from(classify(pixels, models.cifar10).logits))"
    np.testing.assert_allclose(page.run(script), expected, rtol=0, atol=SAME)


def test_the_model_of_cifar10_answers_with_its_own_classes(page, data):
    _, stored = data
    page.run("document.querySelector('input[value=cifar10]').click()")
    assert page.text("#accuracy") == f"{stored['cifar10']['percent']:.2f} %"
    assert page.text("#of") == f"{stored['cifar10']['of']:,}"
    columns = page.run("getComputedStyle(document.querySelector('#maps')).gridTemplateColumns")
    assert len(columns.split()) == 4  # its heads: a row of maps is a block
    assert page.text("#answers tbody tr:first-child th") == "airplane"
    assert page.run("byId('patch').max") == "63"
    assert not page.run("byId('pictures').checkVisibility()")
    page.run("document.querySelector('input[value=ternary]').click()")
    assert page.text("#answers tbody tr:first-child th") == "disk"
    assert page.run("byId('pictures').checkVisibility()")


def test_answers_of_the_pictures_are_counted(page, data):
    _, stored = data
    page.wait_for("/^\\d+$/.test(byId('right').textContent)")
    answers = np.argmax(stored["pictures"]["logits"], axis=1)
    right = int((answers == stored["pictures"]["labels"]).sum())
    assert page.text("#right") == str(right)
    assert page.run("document.querySelectorAll('#pictures .wrong').length") == 40 - right


def test_keys_move_the_sliders_and_the_numbers_follow(page):
    import figure_data

    correct = figure_data.read("vit_accuracy")["correct"]
    page.run("document.querySelector('input[value=float]').focus()")
    page.press(" ")
    assert page.text("#accuracy") == f"{correct['float ternary 0.7 channel'] / 20:.2f} %"
    page.run("byId('bits').focus()")
    page.press("Home")
    assert page.text("#bits-text") == "8 bits" and page.run("byId('factor').disabled")
    assert page.text("#accuracy") == f"{correct['float 8 channel'] / 20:.2f} %"
    page.press("End")
    page.run("byId('factor').focus()")
    page.press("ArrowRight", 4)
    assert page.text("#factor-text") == "1.1 mean |w|"
    assert page.text("#accuracy") == f"{correct['float ternary 1.1 channel'] / 20:.2f} %"


def test_a_picture_can_be_drawn_with_keys_and_with_a_pointer(page):
    page.click("#clear")
    empty = page.text("#answers tbody")
    page.run("byId('canvas').focus()")
    page.press("ArrowRight", 3)
    page.press(" ")
    dotted = page.text("#answers tbody")
    assert page.run("drawing.pixels.slice(3 * (16 * 32 + 19), 3 * (16 * 32 + 19) + 3).join()") == (
        "242,212,78"
    )
    page.click("#canvas", 0.25, 0.25)
    assert len({empty, dotted, page.text("#answers tbody")}) == 3
    page.click("#undo")
    assert page.run("drawing.pixels.join() === pictures[0].pixels.join()")


def test_a_picture_file_becomes_the_picture(page, tmp_path):
    """Its middle square, here of the size that the model takes."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    page.choose_file("#file", tmp_path / "wide.png")
    middle = ",".join(map(str, pixels[:, 4:36].ravel()))
    page.wait_for(f"drawing.pixels.join() === '{middle}'")


def test_attention_follows_the_chosen_patch(page):
    page.set("#patch", 5)
    rows = "Math.max(...view.result.probs[0][1].slice(5 * 16, 6 * 16)).toFixed(4)"
    most = float(page.run(rows))
    assert page.text("#maps figure:nth-child(2)") == f"block 1, head 2: at most {100 * most:.0f} %"
    page.click("#maps canvas", 0.9, 0.1)
    assert page.text("#patch-text") == "row 1, column 4"
