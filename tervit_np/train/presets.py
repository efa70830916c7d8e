"""Trainings by name: model, data, stages and recipe.

Budgets, learning rates and augmentations are ours, chosen on validation splits (`cifar10-long` and
`cifar10-swin` take the rates of `cifar10`); the paper gives none for these data sets.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from data_tools import Augment
from data_tools.spelling import did_you_mean
from tervit_np.train.stages import Recipe, Stage


@dataclass(frozen=True)
class Preset:
    """A named training."""

    model: str
    data: str
    stages: tuple[Stage, ...]
    recipe: Recipe = field(default_factory=Recipe)
    validation: int = 1000  # images held out of the training split if there is no validation split
    config: dict[str, Any] = field(default_factory=dict)  # overrides of the model's configuration


# All 50,000 images of CIFAR-10. One schedule for all stages: a constant rate, which decays in
# the ternary stage ("cooldown fusion", Dremov et al. 2025).
CIFAR10 = Preset(
    "deit_cifar_conv",
    "cifar10",
    (
        Stage("float", "float", 3, lr=4e-3, warmup=0.15, final_lr=1.0),
        Stage("8-bit", "int8", 0.5, lr=4e-3, warmup=0.0, final_lr=1.0, optimizer="keep"),
        Stage("ternary", "ternary", 7.5, lr=4e-3, warmup=0.0, optimizer="keep"),
    ),
    Recipe(batch_size=128, optimizer="muon", augment=Augment(alternate_flip=True)),
    validation=0,
)

# Twice the width and 84 epochs in place of 11, one operation of RandAugment for each image, and
# CutMix in half of the batches, ended before the last tenth. It trained the model that the package
# contains.
CIFAR10_LONG = Preset(
    "deit_cifar_conv_d128",
    "cifar10",
    (
        Stage("float", "float", 29, lr=4e-3, warmup=0.05, final_lr=1.0),
        Stage("8-bit", "int8", 1, lr=4e-3, warmup=0.0, final_lr=1.0, optimizer="keep"),
        Stage("ternary", "ternary", 54, lr=4e-3, warmup=0.0, optimizer="keep"),
    ),
    Recipe(
        batch_size=128,
        optimizer="muon",
        augment=Augment(
            alternate_flip=True, randaugment_ops=1, cutmix=1.0, mix_prob=0.5, until=0.9
        ),
    ),
    validation=0,
)

PRESETS: dict[str, Preset] = {
    # The embedded data set, three minutes.
    "shapes": Preset(
        "deit_shapes",
        "shapes",
        (
            Stage("float", "float", 20, lr=2e-3),
            Stage("8-bit", "int8", 2, lr=5e-4),
            Stage("ternary", "ternary", 8, lr=1e-3),
        ),
        Recipe(augment=Augment(crop_padding=2, flip=False)),  # a mirrored arrow is another class
    ),
    "cifar10": CIFAR10,
    # A Swin with the same recipe, and a ramp into ternary weights (docs/swin_and_photographs.md).
    "cifar10-swin": replace(
        CIFAR10,
        model="swin_cifar_conv",
        stages=(*CIFAR10.stages[:-1], replace(CIFAR10.stages[-1], ramp=0.5)),
    ),
    "cifar10-long": CIFAR10_LONG,
    # Three times the width, at a quarter of the rates (docs/preset_search_long.json).
    "cifar10-wide": replace(
        CIFAR10_LONG,
        model="deit_cifar_conv_d192",
        stages=tuple(replace(stage, lr=stage.lr / 4) for stage in CIFAR10_LONG.stages),
    ),
    # The same data with AdamW and a smaller stem, as docs/results.md compares other ways to train.
    "cifar10-adamw": Preset(
        "deit_cifar",
        "cifar10",
        (
            Stage("float", "float", 13, lr=1.5e-3),
            Stage("8-bit", "int8", 1, lr=5e-4),
            Stage("ternary", "ternary", 16, lr=1.5e-3),
        ),
        validation=0,
    ),
    # Folders of large pictures with DeiT's augmentation; choose fewer epochs with --weights.
    "imagenet": Preset(
        "deit_tiny_patch16_224",
        "imagenet",
        (
            Stage("float", "float", 30, lr=5e-4),
            Stage("8-bit", "int8", 5, lr=1e-4),
            Stage("ternary", "ternary", 30, lr=5e-4),
        ),
        Recipe(
            betas=(0.9, 0.999),
            augment=Augment(
                repeats=3,
                randaugment_ops=2,
                randaugment_magnitude=9,
                randaugment_magnitude_std=0.5,
                randaugment_prob=0.5,
                erasing=0.25,
                mixup=0.8,
                cutmix=1.0,
            ),
        ),
        validation=0,
        config={"drop_path": 0.1},
    ),
}


def preset_for(data: str) -> Preset:
    """Return the preset of a data set; the default is that of CIFAR-10."""
    if data.startswith(("imagenet:", "shards:")):
        return PRESETS["imagenet"]
    return PRESETS.get(data, PRESETS["cifar10"])


def named_preset(name: str) -> Preset:
    """Look a preset up by name.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if name not in PRESETS:
        near = did_you_mean(name, PRESETS) or f"; known: {', '.join(PRESETS)}"
        raise ValueError(f"unknown preset {name!r}{near}")
    return PRESETS[name]
