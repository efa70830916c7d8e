"""Published weights: their accuracy, predictions, size and fine-tuning."""

import argparse
import hashlib
import re

import numpy as np
import pytest
from PIL import Image

import tervit_np as tv
from data_tools.mirrors import Mirror
from data_tools.wordnet import imagenet_classes
from tervit_np.checkpoints import official
from tervit_np.cli.model_images import images_for
from tervit_np.cli.models import open_model
from tervit_np.models import CONFIGS
from tests.checkpoints.torch_writer import write_torch

IDS = ("n01440764", "n01443537", "n02102040")


@pytest.fixture
def net(tmp_path):
    """An ImageNet of three classes; one picture is damaged."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4)):
        for level, name in enumerate(IDS):
            for i in range(count):
                file = tmp_path / "net" / split / name / f"{i}.JPEG"
                file.parent.mkdir(parents=True, exist_ok=True)
                pixels = rng.normal(60 + 60 * level, 20, (40, 50, 3)).clip(0, 255)
                Image.fromarray(pixels.astype(np.uint8)).save(file, "JPEG")
    (tmp_path / "net" / "val" / IDS[2] / "3.JPEG").write_bytes(b"")
    return tmp_path / "net"


@pytest.fixture
def file(monkeypatch, tmp_path):
    """Weights of a small Swin of a thousand classes, which has a name."""
    config = tv.SwinConfig(32, 4, 1000, 8, (1, 1), (2, 2), window=4, mlp_ratio=2.0)
    monkeypatch.setitem(CONFIGS, "small", config)
    tv.save_safetensors(tv.create_model("small", seed=1).state_dict(), tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def test_weights_are_evaluated_on_some_of_the_thousand_classes(tervit, file, net):
    code, out, _ = tervit("eval", file, "--data", f"imagenet:{net}")
    assert code == 0
    assert re.search(r"n02102040 +\d", out) is None  # a thousand classes are not listed
    assert "pictures: 11 RGB; 1 unreadable, the first:" in out
    assert re.search(r"accuracy \d+\.\d\d (± \d|% \(95 % interval)", out)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--plan", "ternary"), "accuracy"),
        (("--window", 2), "49 -> 9 relative positions, interpolated"),
        (("--image-size", 16), "accuracy"),
    ],
)
def test_plan_window_and_image_size_are_options(tervit, file, net, options, words):
    code, out, _ = tervit("eval", file, "--data", f"imagenet:{net}", *options)
    assert code == 0
    assert words in out


def test_unreadable_pictures_count_in_no_class(tervit, monkeypatch, tmp_path, net):
    """Three classes; the damaged picture of the last is neither correct nor wrong."""
    config = tv.SwinConfig(32, 4, 3, 8, (1, 1), (2, 2), window=4, mlp_ratio=2.0)
    monkeypatch.setitem(CONFIGS, "small", config)
    tv.save_safetensors(tv.create_model("small").state_dict(), tmp_path / "w.safetensors")
    out = tervit("eval", tmp_path / "w.safetensors", "--data", f"imagenet:{net}")[1]
    assert [int(n) for n in re.findall(r"%  of (\d+)", out)] == [4, 4, 3]


def predicted(out):
    return [re.sub(r" \d+\.\d %$", "", part) for part in out.split(": ", 1)[1].strip().split(", ")]


def test_a_thousand_classes_are_not_called_imagenets_by_guess(tervit, file, net, tmp_path):
    picture = net / "val" / IDS[0] / "0.JPEG"
    code, out, error = tervit("predict", file, picture, "--top", 2)
    assert code == 0
    assert all(name.isdigit() for name in predicted(out))
    assert "note: w.safetensors does not name its 1000 classes, so that they are numbered" in error
    (tmp_path / "names").write_bytes(b"".join(b"breed %d\r\n" % i for i in range(1000)))
    named = tervit("predict", file, picture, "--top", 2, "--classes", tmp_path / "names")[1]
    assert predicted(named) == [f"breed {name}" for name in predicted(out)]
    words = tervit("predict", file, picture, "--top", 2, "--classes", "imagenet")[1]
    assert predicted(words) == [imagenet_classes()[int(name)][1] for name in predicted(out)]


def test_official_weights_have_imagenets_words(tervit, file, net, monkeypatch):
    own = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    for digest, is_known in ((own, True), ("", True), ("0" * 8, False)):
        mirror = Mirror(file.as_uri(), None, "sha256", digest)
        monkeypatch.setitem(official.OFFICIAL, "small", mirror)
        out = tervit("predict", file, net / "val" / IDS[0] / "0.JPEG")[1]
        assert not is_known == all(name.isdigit() for name in predicted(out))


@pytest.mark.parametrize(
    ("source", "words"),
    [("names", "has 2 names, .* 1,000 classes"), ("nowhere", "nowhere")],
)
def test_names_that_do_not_fit_are_refused(tervit, file, net, tmp_path, source, words):
    (tmp_path / "names").write_text("a\nb\n")
    picture = net / "val" / IDS[0] / "0.JPEG"
    code, _, error = tervit("predict", file, picture, "--classes", tmp_path / source)
    assert (code, len(error.splitlines())) == (2, 1)
    assert re.search(words, error)


NUMBERS = [str(i) for i in range(1000)]


@pytest.mark.parametrize(
    ("folders", "labels"),
    [
        (["n01443537", "n01440764", "n02102040"], [0, 1, 217]),
        (["n02102040-English_springer", "n01440764_tench"], [0, 217]),
        (["tench", "Great White Shark", "english_springer"], None),
        (["goldfish, Carassius auratus", "TENCH"], None),
        (NUMBERS, range(1000)),
        ([f"{i:04}" for i in range(1000)], range(1000)),
    ],
)
def test_folders_are_labelled_as_imagenet_numbers_its_classes(
    file, monkeypatch, tmp_path, folders, labels
):
    """By WordNet ids, by numbers in the order of their values, or by English names."""
    for name in folders:
        (tmp_path / "v2" / "val" / name).mkdir(parents=True)
        (tmp_path / "v2" / "val" / name / "a.png").touch()
    monkeypatch.setenv("TERVIT_DATA", str(tmp_path / "data"))
    images = images_for(open_model(str(file)), f"imagenet:{tmp_path}/v2", "test")
    for i, label in enumerate(images.labels):
        folder = images.listing.name(i).split("/")[1]
        expected = int(folder) if folder.isdigit() else None
        assert expected in (label, None)
        words = {"great white shark": 2, "english_springer": 217, "tench": 0, "goldfish": 1}
        assert words.get(folder.lower().split(",")[0], label) == label
    if labels is not None:
        assert sorted(images.labels.tolist()) == list(labels)


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        (["cat", "dog"], "'cat' is not one of ImageNet's thousand classes; expected WordNet ids"),
        (["n01440764", "n00000001"], "'n00000001' is not one of"),
        (["n01440764", "goldfish"], "is not one of"),
        (["n01440764-a", "n01440764-b"], "'n01440764-a' and 'n01440764-b' are one class"),
        (["tench", "crane"], "'crane' is not one of"),  # a bird, and a machine
        (["0", "1", "2"], "found 3: 0, 1, 2"),
        (NUMBERS[1:] + ["1000"], "found 1000: 1, 2, 3, ..."),
        ([f"breed{i}" for i in range(1000)], "found 1000: breed0, breed1, breed10, ..."),
    ],
)
def test_other_folders_are_refused_with_what_was_seen(
    tervit, file, monkeypatch, tmp_path, folders, words
):
    for name in folders:
        (tmp_path / "v2" / "val" / name).mkdir(parents=True)
        (tmp_path / "v2" / "val" / name / "a.png").touch()
    monkeypatch.setenv("TERVIT_DATA", str(tmp_path / "data"))
    code, _, error = tervit("eval", file, "--data", f"imagenet:{tmp_path}/v2")
    assert (code, len(error.splitlines())) == (2, 1)
    assert words in error


def test_weights_of_other_numbers_of_classes_are_taken_in_order(tervit, monkeypatch, tmp_path, net):
    config = tv.SwinConfig(32, 4, 3, 8, (1, 1), (2, 2), window=4, mlp_ratio=2.0)
    monkeypatch.setitem(CONFIGS, "small", config)
    tv.save_safetensors(tv.create_model("small").state_dict(), tmp_path / "w.safetensors")
    code, _, error = tervit("eval", tmp_path / "w.safetensors", "--data", f"imagenet:{net}")
    assert code == 0
    assert "outputs are taken for the classes in their order: n01440764, n01443537, n02" in error


def test_size_lists_layers_and_activations(tervit, file):
    out = tervit("size", file, "--layers")[1]
    assert re.search(r"layers\.1\.blocks\.0\.mlp\.fc1 +32 x 16 +ternary / 8 +\d", out)
    out = tervit("size", file, "--activations", "--batch", 3)[1]
    assert re.search(r"with --recompute: \d", out)
    assert tervit("size", file, "--activations", "--batch", 0)[0] == 2


def test_train_fine_tunes_weights(tervit, file, net, tmp_path):
    run = tmp_path / "run"
    code, out, error = tervit(
        "train", "--data", f"imagenet:{net},size=32,per_class=6", "--weights", file, "--validation",
        4, "--stages", "float:2,ternary:1", "--freeze", "patch_embed|layers.0.", "--batch-size", 6,
        "--accumulate", 2, "--recompute", "--workers", 1, "--threads", 1, "--out", run, "--quiet",
    )  # fmt: skip
    assert code == 0, error
    assert "head.weight: 1000 -> 3 classes, drawn anew" in error
    assert "test accuracy: float" in out
    started, (ended, _) = tv.load_checkpoint(file), tv.load_model(run / "ternary.npz")
    for name, value in ended.state_dict().items():
        frozen = re.search(r"patch_embed|layers.0.", name) is not None
        same = started[name].shape == value.shape and (started[name] == value).all()
        assert same == frozen, name
    assert (run / "report.html").exists()
    assert tervit("eval", run)[0] == 0


def test_official_weights_are_fetched_by_name(tervit, file, net, monkeypatch, tmp_path):
    monkeypatch.setenv("TERVIT_DATA", str(tmp_path / "data"))
    monkeypatch.setitem(official.OFFICIAL, "small", Mirror(file.as_uri(), None, "sha256", ""))
    code, _, error = tervit("eval", "small", "--data", f"imagenet:{net}")
    assert (code, len(error.splitlines())) == (2, 1)
    assert "tervit data get-weights small" in error
    code, out, _ = tervit("data", "get-weights", "small", "--from", file)
    assert code == 0
    assert "weights of small, checked" in out
    assert tervit("eval", "small", "--data", f"imagenet:{net}")[0] == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("eval", "FILE"), "name one with --data"),
        (("eval", "FILE", "--data", "shapes"), "'disk' is not one of ImageNet's thousand classes"),
        (
            ("eval", "FILE", "--data", "imagenet:NET", "--window", "3"),
            "does not split into windows of 3",
        ),
        (("eval", "FILE", "--data", "imagenet:NET,classes=dog"), "no class 'dog'"),
        (("train", "--weights", "FILE", "--model", "deit_shapes"), "weights of a Swin of width 8"),
        (
            ("train", "--weights", "nowhere", "--stages", "float:1"),
            "or model; expected a file, the folder of a run",
        ),
        (("data", "get-weights", "vgg"), "no official weights of 'vgg'"),
    ],
)
def test_wrong_arguments_are_refused(tervit, file, net, args, words):
    words_of = {"FILE": str(file)}
    args = [words_of.get(arg, arg.replace("NET", str(net))) for arg in args]
    code, _, error = tervit(*args)
    assert (code, len(error.splitlines())) == (2, 1), error
    assert words in error


@pytest.mark.parametrize("command", ["eval", "size"])
def test_a_training_checkpoint_is_read(tervit, file, net, tmp_path, command):
    """Its training state is skipped; no option is needed."""
    state = {f"module.{name}": array for name, array in tv.load_checkpoint(file).items()}
    value = {"state_dict": state, "args": argparse.Namespace(lr=0.1), "epoch": 3}
    path = write_torch(value, tmp_path / "checkpoint.pth")
    data = ("--data", f"imagenet:{net}") if command == "eval" else ()
    code, out, error = tervit(command, path, *data)
    assert code == 0, error
    assert "checkpoint.pth: read the tensors whose names begin with 'state_dict.module.'" in out


def test_weights_without_a_head_are_trained_but_not_evaluated(tervit, file, net, tmp_path):
    state = tv.load_checkpoint(file)
    path = tmp_path / "headless.safetensors"
    tv.save_safetensors({k: v for k, v in state.items() if not k.startswith("head")}, path)
    code, _, error = tervit("eval", path, "--data", f"imagenet:{net}")
    assert (code, len(error.splitlines())) == (2, 1)
    assert "headless.safetensors: head.weight is missing" in error
    assert "`tervit train --weights FILE --data SET` draws and trains one" in error
    code, _, error = tervit(
        "train", "--data", f"imagenet:{net},size=32,per_class=6", "--weights", path, "--stages",
        "float:0.5", "--batch-size", 6, "--workers", 1, "--threads", 1, "--validation", 4,
        "--out", tmp_path / "run", "--quiet",
    )  # fmt: skip
    assert code == 0, error
    assert "head.weight: absent, drawn anew for 3 classes" in error


@pytest.mark.parametrize(
    "args", [("eval", "FILE"), ("train", "--data", "shapes", "--model", "deit_shapes")]
)
def test_options_of_the_other_model_are_refused(tervit, monkeypatch, tmp_path, args):
    monkeypatch.setitem(CONFIGS, "small", tv.DeiTConfig(32, 16, 2, 8, 1, 2))
    path = tmp_path / "deit.safetensors"
    tv.save_safetensors(tv.create_model("small").state_dict(), path)
    args = [str(path) if arg == "FILE" else arg for arg in args]
    code, _, error = tervit(*args, "--window", 7)
    assert (code, len(error.splitlines())) == (2, 1)
    assert "window is an option of a Swin, and this model is a DeiT" in error


def test_only_weights_from_elsewhere_are_interpolated(tervit, tmp_path):
    model = tv.create_model("deit_shapes", depth=1)
    description = {"data": "shapes", "classes": ["a"] * 10, "mean": [0] * 3, "std": [1] * 3}
    tv.save_checkpoint(model, tmp_path / "own.npz", extra=description)
    for size in (64, 0):
        code, _, error = tervit("eval", tmp_path / "own.npz", "--image-size", size)
        assert code == 2
        assert "has a fixed size" in error
