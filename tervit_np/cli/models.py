"""Models as the command line names them: a run folder, a file, or the name of official weights."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from data_tools import ImageSet, StreamedSet
    from tervit_np.models import Classifier

_KNOWN = ("data", "classes", "mean", "std")


class LoadedModel(NamedTuple):
    """A model that knows its classes and how its pictures are prepared."""

    file: Path
    model: "Classifier"
    data: str | None  # the set it was trained on, None for weights of others
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def official(self) -> bool:
        """Whether pictures are cut as in ImageNet's evaluation."""
        return self.data is None or self.data.startswith("imagenet:")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add MODEL, what `open_model` opens."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="run folder, .npz of a stage, packed file, weights (.pth, .safetensors), or the name "
        "of official weights",
    )


def open_model(
    place: str,
    stage: str | None = None,
    plan: str | None = None,
    *,
    threads: int = 1,
    attention: str | None = None,
    **sizes: int | None,
) -> LoadedModel:
    """Open a model, with other quantizers or, for weights, at another size if asked for.

    `threads` and `attention` say how a packed file runs.

    Raises
    ------
    ValueError
        If there is none, or its file is damaged.
    """
    from tervit_np.checkpoints.npz import is_own
    from tervit_np.checkpoints.official import find_weights
    from tervit_np.deploy import is_packed
    from tervit_np.models import CONFIGS, quantize
    from tervit_np.train.memory import keep_freed_memory
    from tervit_np.train.stages import plan_named

    keep_freed_memory()
    file = find_weights(place) if place in CONFIGS else model_file(place, stage)
    if file.suffix == ".onnx":
        raise ValueError(
            f"{file} is an ONNX graph, which other programs run; take the model it was made from"
        )
    packed = is_packed(file)
    own = packed or file.suffix == ".npz" or is_own(file)
    if own and any(sizes.values()):
        raise ValueError(f"{file} is a model of its own size; other sizes are for weights")
    if packed and plan is not None:
        raise ValueError(f"{file} is packed: it has no latent weights to quantize otherwise")
    if not packed and attention is not None:
        raise ValueError(f"{file} is not packed, which --attention is for; see `tervit export`")
    if packed:
        opened = _packed(file, threads, attention or "float32")
    elif own:
        opened = _own(file)
    else:
        opened = _weights(file, {k: v for k, v in sizes.items() if v is not None})
    if plan is not None:
        quantize(opened.model, plan_named(plan))
    return opened


def model_file(place: str, stage: str | None) -> Path:
    """Find the file of a model: itself, or a stage of a run (the last finished one)."""
    path = Path(place)
    if not path.is_dir():
        if stage is not None:
            raise ValueError(f"{path} is no run folder, so --stage {stage} has nothing to choose")
        if not path.exists() and not path.suffix:
            raise ValueError(f"{place}: no such file or run folder, and {_unknown(place)}")
        return path
    from tervit_np.train.folder import RunFolder

    folder = RunFolder(path)
    names = [s["name"] for s in folder.read_run_config()["stages"]]
    done = [name for name in names if folder.stage_file(name).exists()]
    if not done:
        raise ValueError(f"{path}: no stage is finished; continue with `tervit train --resume`")
    if stage is not None and stage not in done:
        raise ValueError(f"{path}: no finished stage {stage!r}; there are {', '.join(done)}")
    return folder.stage_file(stage or done[-1])


def _unknown(place: str) -> str:
    """Name what is nearest to a model that there is not, or all models."""
    import difflib

    from tervit_np.models import list_models

    models = list_models()
    runs = [
        folder.as_posix() for folder in Path("runs").glob("*") if (folder / "run.json").exists()
    ]
    here = [run for run in runs if run.endswith(f"/{place}")]
    near = here or difflib.get_close_matches(place, [*runs, *models], 1)
    known = f"did you mean {near[0]}?" if near else f"the models are {', '.join(models)}"
    return f"an unknown model; {known}"


def _own(file: Path) -> LoadedModel:
    from tervit_np.checkpoints import load_model

    return _described(file, *load_model(file))


def _packed(file: Path, threads: int, attention: str) -> LoadedModel:
    from tervit_np.deploy import load_packed

    return _described(file, *load_packed(file, threads=threads, attention=attention))


def _described(file: Path, model: "Classifier", extra: dict[str, Any]) -> LoadedModel:
    for key in _KNOWN:
        if key not in extra:
            raise ValueError(f"{file}: does not say its {key}; `tervit train` writes files that do")
    lengths = {"classes": model.config.num_classes, "mean": 3, "std": 3}
    for key, length in lengths.items():
        if not isinstance(extra[key], list) or len(extra[key]) != length:
            raise ValueError(f"{file}: its {key} are {extra[key]!r}, expected a list of {length}")
    return LoadedModel(file, model, extra["data"], *(tuple(extra[key]) for key in lengths))


def _weights(file: Path, sizes: dict[str, Any]) -> LoadedModel:
    """Weights of others: ImageNet's classes if there are a thousand, else numbers."""
    from data_tools.preprocess import IMAGENET_MEAN, IMAGENET_STD
    from data_tools.wordnet import imagenet_classes
    from tervit_np.checkpoints import pretrained

    model, changes = pretrained(file, **sizes)
    for change in changes:
        print(f"{file.name}: {change}")
    count = model.config.num_classes
    names = tuple(name for _, name in imagenet_classes())
    classes = names if count == len(names) else tuple(map(str, range(count)))
    return LoadedModel(file, model, None, classes, IMAGENET_MEAN, IMAGENET_STD)


def images_for(opened: LoadedModel, data: str | None, split: str) -> "ImageSet | StreamedSet":
    """Load a set as the model wants it: its size, and ImageNet's numbers for ImageNet's classes."""
    import data_tools
    from data_tools.streamed import with_imagenet_labels
    from data_tools.wordnet import are_wordnet_ids, imagenet_classes

    name = data or opened.data
    if name is None:
        raise ValueError(f"{opened.file} does not say which data it is for; choose with --data")
    images = data_tools.load(name, split)
    if isinstance(images, data_tools.StreamedSet):
        images = replace(images, size=opened.model.config.image_size)
        thousand = opened.model.config.num_classes == len(imagenet_classes())
        if thousand and are_wordnet_ids(images.classes):
            images = with_imagenet_labels(images)
    if images.size != opened.model.config.image_size:
        raise ValueError(
            f"{images.name} has {images.size}-pixel images, {opened.file} expects "
            f"{opened.model.config.image_size}"
        )
    if opened.data is not None and tuple(images.classes) != opened.classes:
        raise ValueError(
            f"{opened.file} was trained on other classes ({_some(opened.classes)}) than "
            f"{images.name} has ({_some(images.classes)})"
        )
    return images


def _some(classes: Sequence[str]) -> str:
    return ", ".join(classes[:3]) + (", ..." if len(classes) > 3 else "")
