"""Make a trained model of the package: train it, and write the packed file and its model card.

    python docs/make_trained_models.py cifar10      some hours; again: continues where it stopped
    python docs/make_trained_models.py shapes
    python docs/make_trained_models.py runs/mine    from the folder of a training of one of the two

The card repeats what the run's folder says, and adds what is measured here: the accuracy of the
packed file on the test pictures, and how many of them it gives the same class as the model that was
trained.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import tervit_np as tv
from data_tools import load, normalise
from data_tools.augment import invert
from tervit_np.checkpoints import load_model
from tervit_np.deploy import TRAINED_MODELS
from tervit_np.deploy.trained import FOLDER
from tervit_np.files import write_text
from tervit_np.train.run_config import without_options

TRAININGS = {  # arguments of `tervit train`
    "cifar10": "--preset cifar10-long",
    "shapes": "--invert 0.5 --optimizer muon --stages float:10@4e-3,int8:1@2e-3,ternary:20@4e-3",
}
DATA = {
    "cifar10": "CIFAR-10 (Krizhevsky 2009): 50,000 training pictures of 32 pixels, 10,000 for the "
    "test, read from copies in JPEG, whose pixels differ a little from the original's. They come "
    "without a licence; their author asks to cite the technical report.",
    "shapes": "Drawn by this package (data_tools/shapes.py): 16,000 training pictures of 32 pixels "
    "and 2,000 for the test. MIT, as the package.",
}
LIMITS = {
    "cifar10": "It answers one of its ten classes for every picture, also where there is none of "
    "them. It has seen pictures of 32 x 32 pixels that an object fills: a small object in a large "
    "picture, or a drawing, is often mistaken. It is for learning and teaching, not for decisions.",
    "shapes": "It answers one of its ten classes for every picture, also where there is none of "
    "them. It has seen one striped shape on a busy ground, brighter or darker than that: a plain "
    "drawing is sometimes mistaken. A shape of a few pixels it has not seen.",
}


def main() -> None:
    """Train the model if it is named, then write the packed file and its card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="cifar10, shapes, or the folder of a finished `tervit train`")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder (default: the package's)")
    args = parser.parse_args()
    run = train(args.run) if args.run in TRAININGS else Path(args.run)
    config = json.loads((run / "run.json").read_text())
    data = config["data"]
    if data["name"] not in TRAINED_MODELS:
        parser.error(f"the data are {data['name']}; expected {' or '.join(TRAINED_MODELS)}")
    trained, _ = load_model(run / f"{config['stages'][-1]['name']}.npz")
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / f"{data['name']}.safetensors"
    extra = {"data": data["name"]} | {key: data[key] for key in ("classes", "mean", "std")}
    tv.export(trained, file, extra=extra)
    text = card(config, file, test_results(trained, file, data["name"]))
    write_text(file.with_suffix(".md"), text)
    print(text)


def train(name: str) -> Path:
    """Train a model of the package in runs/NAME, or continue; a finished run is left as it is."""
    run = Path("runs") / name
    new = [*TRAININGS[name].split(), "--out", str(run)]
    arguments = ["--resume", str(run)] if (run / "run.json").exists() else new
    subprocess.run([sys.executable, "-m", "tervit_np", "train", *arguments], check=True)
    return run


def test_results(trained: Any, file: Path, data: str) -> dict[str, Any]:
    """Classify the test pictures with the trained model and with its packed file."""
    test = load(data, "test")
    pixels, _ = test.pixels(np.arange(len(test)))
    images = normalise(pixels, test.mean, test.std)
    model = tv.load_packed(file)
    packed = model.predict(images).argmax(axis=1)
    equal = packed == trained.predict(images).argmax(axis=1)
    inverted = model.predict(normalise(invert(pixels), test.mean, test.std)).argmax(axis=1)
    return {
        "count": len(test),
        "correct": int((packed == test.labels).sum()),
        "inverted": int((inverted == test.labels).sum()),
        "equal": int(equal.sum()),
    }


def card(config: dict[str, Any], file: Path, result: dict[str, Any]) -> str:
    """Write the model card, in Markdown."""
    data, model, count = config["data"], config["model"], result["count"]
    inverted = f"{100 * result['inverted'] / count:.2f} %"
    stages = ", ".join(f"{stage['name']} {stage['epochs']:g}" for stage in config["stages"])
    command = without_options(config["command"], "--out", "--threads", "--workers")
    facts = {
        "data": DATA[data["name"]],
        "classes": ", ".join(data["classes"]),
        "model": f"{model['model']}, {model['parameters']:,} parameters: {_shape(model['config'])}",
        "weights": "ternary in all blocks, with a threshold and a scale for each output channel; "
        "8 bits in the stem and the head; inputs of all matrices 8 bits, a scale for each token",
        "training": f"`{command}`; epochs: {stages}; seed {config['seed']}; the same "
        "bits on every processor, on any number of threads",
        "test accuracy": f"{100 * result['correct'] / count:.2f} % of {count:,} pictures",
        "inverted": f"{inverted} of them with bright and dark swapped",
        "packed and trained": f"the same class for {result['equal']:,} of these pictures",
        "size": f"{file.stat().st_size:,} bytes; {4 * model['parameters']:,} in float32",
        "SHA-256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "limits": LIMITS[data["name"]],
        "licence": "MIT, as the package",
        "made by": f"`python docs/make_trained_models.py {data['name']}`",
    }
    lines = [f"| {key} | {value} |" for key, value in facts.items()]
    title = f"# {data['name']}: a ternary vision transformer"
    return "\n".join([title, "", "| | |", "| --- | --- |", *lines, ""])


def _shape(config: dict[str, Any]) -> str:
    keys = ("image_size", "patch_size", "dim", "depth", "depths", "heads", "mlp_ratio", "stem")
    return ", ".join(f"{key} {config[key]}" for key in keys if key in config)


if __name__ == "__main__":
    main()
