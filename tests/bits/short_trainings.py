"""Short trainings and predictions whose bits are the same on every processor: their hashes.

python tests/bits/short_trainings.py            print the hashes
python tests/bits/short_trainings.py --threads 3 --only swin
"""

import argparse
import hashlib
import io
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import tervit_np as tv
from data_tools import Augment, ImageSet, shapes
from data_tools.crops import center_crop
from data_tools.pictures import decode
from tervit_np.environment import difference_of_predictions
from tervit_np.train import Data, Recipe, Stage, run

CLASSES = tuple("abcd")


def images(count: int, size: int, seed: int) -> ImageSet:
    """Make bytes without the C library: integers alone."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, size, size, 3), np.uint8)
    labels = rng.integers(0, len(CLASSES), count)
    return ImageSet("noise", "train", pixels, labels, CLASSES, (0.5,) * 3, (0.25,) * 3)


def digest(arrays: dict[str, np.ndarray]) -> str:
    """Hash arrays in the order of their names."""
    h = hashlib.sha256()
    for name in sorted(arrays):
        h.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return h.hexdigest()[:16]


def trained(
    model: tv.DeiT | tv.Swin, stages: list[Stage], recipe: Recipe, threads: int
) -> dict[str, str]:
    """Train, and hash each stage's weights and the predictions of the packed end."""
    size = model.config.image_size
    data = Data(images(96, size, 1), None, images(40, size, 2))
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        run(model, stages, data, Path(folder) / "run", recipe=recipe, threads=threads, quiet=True)
        for stage in stages:
            found[stage.name] = digest(
                tv.load_checkpoint(Path(folder) / "run" / f"{stage.name}.npz")
            )
        if not difference_of_predictions():
            found |= packed_predictions(model, Path(folder) / "packed")
    return found


def packed_predictions(model: tv.DeiT | tv.Swin, file: Path) -> dict[str, str]:
    """Pack a model and hash the logits of the file."""
    size = model.config.image_size
    tv.export(model, file)
    pixels = np.random.default_rng(3).random((8, 3, size, size), np.float32)
    packed = {name: tv.load_packed(file, attention=name) for name in ("float32", "int8")}
    return {
        f"packed {name}": digest({"logits": one.predict(pixels)}) for name, one in packed.items()
    }


def deit(threads: int) -> dict[str, str]:
    """Float, 8-bit, ternary; mixup, drop path, averaged weights, clipping, a conv stem."""
    config = tv.DeiTConfig(
        16, 4, 4, 40, 2, 2, drop_path=0.2, stem="conv", pool="mean", init="xavier"
    )
    recipe = Recipe(batch_size=32, ema=0.9, augment=Augment(crop_padding=2, mixup=0.4))
    stages = [Stage("float", "float", 2), Stage("8-bit", "int8", 1), Stage("ternary", "ternary", 2)]
    return trained(tv.DeiT(config, np.random.default_rng(0)), stages, recipe, threads)


def distilled(threads: int) -> dict[str, str]:
    """A float teacher, then a ramped ternary student; tanh GELU, cutmix, recomputation."""
    config = tv.DeiTConfig(16, 4, 4, 32, 2, 1, distilled=True, gelu="tanh")
    recipe = Recipe(
        batch_size=24, recompute=True, accumulate=2, augment=Augment(cutmix=1.0, cutout=4)
    )
    stages = [
        Stage("float", "float", 1),
        Stage("ternary", "ternary", 2, teacher="float", temperature=2.0, ramp=0.5),
    ]
    return trained(tv.DeiT(config, np.random.default_rng(0)), stages, recipe, threads)


def swin(threads: int) -> dict[str, str]:
    """Windows with and without shift, merging, relative position bias."""
    config = tv.SwinConfig(32, 2, 4, 24, (2, 2), (2, 4), 4, drop_path=0.1, init="xavier")
    recipe = Recipe(batch_size=16)
    stages = [Stage("float", "float", 1), Stage("ternary", "ternary", 1)]
    return trained(tv.Swin(config, np.random.default_rng(0)), stages, recipe, threads)


def mixed(threads: int) -> dict[str, str]:
    """Backward products in bfloat16, with one number and with two for each factor."""
    config = tv.DeiTConfig(16, 4, 4, 40, 2, 2, stem="conv", pool="mean", init="xavier")
    stages = [Stage("float", "float", 0.5), Stage("ternary", "ternary", 0.5)]
    found = {}
    for precision in ("bf16", "bf16x2"):
        recipe = Recipe(batch_size=32, precision=precision)
        model = tv.DeiT(config, np.random.default_rng(0))
        hashes = trained(model, stages, recipe, threads)
        found |= {f"{precision} {name}": hashes[name] for name in ("float", "ternary")}
    return found


def readme(threads: int) -> dict[str, str]:
    """What trains README's models: Muon, kept state, conv3 stem, alternate flips, part-time CutMix.

    The last stage has static scales.
    """
    config = tv.DeiTConfig(16, 4, 4, 24, 1, 2, stem="conv3", pool="mean", init="xavier")
    augment = Augment(crop_padding=2, alternate_flip=True, cutmix=1.0, mix_prob=0.5, until=0.8)
    recipe = Recipe(batch_size=32, optimizer="muon", augment=augment)
    stages = [
        Stage("float", "float", 2, lr=4e-3, warmup=0.15, final_lr=1.0),
        Stage("ternary", "ternary", 1, lr=4e-3, warmup=0.0, optimizer="keep"),
        Stage("static", "ternary-static", 1, ramp=0.5, optimizer="keep"),
    ]
    return trained(tv.DeiT(config, np.random.default_rng(0)), stages, recipe, threads)


def learned(threads: int) -> dict[str, str]:
    """Learned scales of weights and inputs; RandAugment, erasing, inversion."""
    config = tv.DeiTConfig(16, 8, 4, 24, 1, 2, init="xavier")
    augment = Augment(
        randaugment_ops=2, randaugment_magnitude=6, randaugment_prob=0.7, invert=0.2, erasing=0.5
    )
    stages = [Stage("float", "float", 1), Stage("lsq", "lsq-int8-lsq", 1)]
    recipe = Recipe(batch_size=24, augment=augment)
    return trained(tv.DeiT(config, np.random.default_rng(0)), stages, recipe, threads)


def pictures(threads: int) -> dict[str, str]:
    """Pictures that are decoded, resized, cropped and changed by RandAugment while training."""
    rng, content, found = np.random.default_rng(0), io.BytesIO(), {}
    coarse = rng.integers(0, 256, (9, 12, 3), np.uint8)
    picture = Image.fromarray(coarse.repeat(13, axis=0).repeat(11, axis=1))
    picture.save(content, "PNG")
    found["resized"] = digest({"pixels": decode(content.getvalue(), "noise.png", 48)})
    found["centre"] = digest({"pixels": center_crop(picture, 32)})
    # Without noise, many multiples of a factor are whole: Pillow for Arm gives other bytes here.
    for std in (0.0, 0.5):
        augment = Augment(randaugment_ops=2, randaugment_magnitude=8, randaugment_magnitude_std=std)
        drawn = [augment.augment_picture(picture, 64, rng) for _ in range(30)]
        found[f"augmented, noise {std}"] = digest({"pixels": np.stack(drawn)})
    return found


def embedded_images(threads: int) -> dict[str, str]:
    """The test images of the embedded data set, drawn anew."""
    drawn = shapes.make("test")
    return {"images": digest({"images": drawn.images, "labels": drawn.labels})}


RUNS: dict[str, Callable[[int], dict[str, str]]] = {
    "deit": deit,
    "distilled": distilled,
    "swin": swin,
    "mixed": mixed,
    "readme": readme,
    "learned": learned,
    "pictures": pictures,
    "shapes": embedded_images,
}


def hashes(threads: int, only: list[str]) -> dict[str, dict[str, str]]:
    """Return all hashes."""
    return {name: RUNS[name](threads) for name in only}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=list(RUNS))
    args = parser.parse_args()
    json.dump(hashes(args.threads, args.only), sys.stdout, indent=1)
    print()
