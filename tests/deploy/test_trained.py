"""The trained models of the package are what their cards say."""

import hashlib
import re

import numpy as np
import pytest

import tervit_np as tv
from data_tools import DataError, load, normalise
from tervit_np.deploy import TRAINED_MODELS, trained_model


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
    assert list(test.classes) == packed.extra["classes"]


def test_other_names_are_those_of_files(tmp_path, monkeypatch):
    assert trained_model("cifar100") is None
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="cifar100"):
        tv.load_packed("cifar100")
