"""Load the model that MODEL names: a run folder, a file, or the name of official weights."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tervit_np.cli.plans import chosen_plan, is_plan_file

if TYPE_CHECKING:
    from tervit_np.models import Classifier

_DESCRIPTION = ("data", "classes", "mean", "std")


class LoadedModel(NamedTuple):
    """A model with the names of its classes and the preprocessing of its images."""

    file: Path
    model: "Classifier"
    data: str | None  # the data set of its training; None for weights from elsewhere
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def official_crop(self) -> bool:
        """Whether images are cropped as in ImageNet's evaluation."""
        return self.data is None or self.data.startswith(("imagenet:", "shards:"))

    def description(self) -> dict[str, Any]:
        """Describe data and classes as JSON, for a file that `open_model` loads again."""
        return {
            "data": self.data,
            "classes": list(self.classes),
            "mean": list(self.mean),
            "std": list(self.std),
        }


def add_model(parser: argparse.ArgumentParser, packed: bool = True) -> None:
    """Add MODEL, which `open_model` loads; without `packed`, one that has latent weights."""
    own = "run folder, .npz of a stage"
    others = "weights (.pth, .safetensors), name of official weights"
    kinds = (
        f"{own}, packed file, {others}, or cifar10 or shapes, the trained models of the package"
        if packed
        else f"{own}, {others}"
    )
    parser.add_argument("model", metavar="MODEL", help=kinds)


def open_model(
    source: str,
    stage: str | None = None,
    plan: str | None = None,
    *,
    threads: int = 1,
    attention: str | None = None,
    **sizes: int | None,
) -> LoadedModel:
    """Load a model, and quantize it with `plan`, a name or a plan file, if one is given.

    `threads` and `attention` apply to packed files, `sizes` (image_size, window) to weights from
    elsewhere, which are then interpolated.

    Raises
    ------
    ValueError
        If the model does not exist, its file is damaged, or an option does not apply to it.
    """
    from tervit_np.checkpoints.official import find_weights
    from tervit_np.models import CONFIGS
    from tervit_np.train.memory import keep_freed_memory

    keep_freed_memory()
    chosen = None if plan is None else chosen_plan(plan)
    file = find_weights(source) if source in CONFIGS else model_file(source, stage)
    form = _file_form(file)
    _check_options(file, form, plan, attention, sizes)
    if form == "packed":
        loaded = _load_packed(file, threads, attention or "float32")
    elif form == "npz":
        loaded = _load_npz(file)
    else:
        loaded = _load_weights(file, {k: v for k, v in sizes.items() if v is not None})
    if chosen is not None:
        chosen.quantize(loaded.model)
    return loaded


def files_read(loaded: LoadedModel | None, plan: str | None = None) -> dict[Path, str]:
    """Return the files of a model and of --plan, and what they are, for `refuse_overwriting`."""
    files: dict[Path, str] = {} if loaded is None else {loaded.file: "the model itself"}
    if plan is not None and is_plan_file(plan):
        files[Path(plan)] = "the plan that is read"
    return files


def _file_form(file: Path) -> Literal["packed", "npz", "weights"]:
    from tervit_np.checkpoints.npz import is_npz_checkpoint
    from tervit_np.deploy import is_packed

    if is_packed(file):
        return "packed"
    if file.suffix == ".npz" or is_npz_checkpoint(file):
        return "npz"
    if file.suffix == ".onnx":
        raise ValueError(
            f"{file} is an ONNX graph, for other programs; name the model that it was exported from"
        )
    return "weights"


def _check_options(
    file: Path, form: str, plan: str | None, attention: str | None, sizes: dict[str, int | None]
) -> None:
    """Raise ValueError for an option that does not apply to this form of file."""
    if form != "weights" and any(size is not None for size in sizes.values()):
        raise ValueError(
            f"{file} has a fixed size; --image-size and --window apply to .pth and .safetensors"
        )
    if form == "packed" and plan is not None:
        raise ValueError(f"{file} is packed and has no latent weights that --plan could quantize")
    if form != "packed" and attention is not None:
        raise ValueError(
            f"--attention applies to packed files and {file} is not packed; see `tervit export`"
        )


def model_file(source: str, stage: str | None) -> Path:
    """Return the file of a model: `source`, or a stage of that run, by default its last one.

    The name of a trained model of the package is that model, also where a folder has this name.
    """
    from tervit_np.deploy import trained_model

    if (trained := trained_model(source)) is not None:
        if stage is not None:
            raise ValueError(f"--stage applies to run folders, and {source} is one packed file")
        return trained
    path = Path(source)
    if not path.is_dir():
        if stage is not None:
            raise ValueError(f"--stage applies to run folders, and {path} is not one")
        if not path.exists() and not path.suffix:
            raise ValueError(f"{source}: no such file, run folder or model{_suggestion(source)}")
        if path.exists() and not path.is_file():
            raise ValueError(
                f"{path} is a pipe or a device; a model is read in several places of its file, so "
                "write it to one first"
            )
        return path
    from tervit_np.train.folder import RunFolder

    folder = RunFolder(path)
    done = [name for name in folder.stage_names() if folder.stage_file(name).exists()]
    if not done:
        raise ValueError(f"{path}: no stage is finished; continue with `tervit train --resume`")
    if stage is not None and stage not in done:
        raise ValueError(f"{path}: no finished stage {stage!r}; expected {', '.join(done)}")
    return folder.stage_file(stage or done[-1])


def _suggestion(source: str) -> str:
    """Return the run or model with the most similar name, or say what could be named."""
    from data_tools.spelling import did_you_mean
    from tervit_np.deploy.trained import TRAINED_MODELS
    from tervit_np.models import list_models

    models = [*list_models(), *TRAINED_MODELS]
    runs = [file.parent.as_posix() for file in Path("runs").glob("*/run.json")]
    same_name = [run for run in runs if run.endswith(f"/{source}")]
    return did_you_mean(source, same_name or [*runs, *models]) or (
        f"; expected a file, the folder of a run, {' or '.join(TRAINED_MODELS)} of the package, or "
        "one of tv.list_models()"
    )


def _load_npz(file: Path) -> LoadedModel:
    from tervit_np.checkpoints import load_model

    return _with_description(file, *load_model(file))


def _load_packed(file: Path, threads: int, attention: str) -> LoadedModel:
    from tervit_np.deploy import load_packed

    return _with_description(file, *load_packed(file, threads=threads, attention=attention))


def _with_description(file: Path, model: "Classifier", extra: dict[str, Any]) -> LoadedModel:
    """Check the description of data and classes that a file contains."""
    from tervit_np.json_files import AnyOf, mismatch

    for key in _DESCRIPTION:
        if key not in extra:
            raise ValueError(f"{file} does not contain its {key}; files of `tervit train` do")
    schema = {"data": AnyOf(str, None), "classes": [str], "mean": [float], "std": [float]}
    if problem := mismatch(extra, schema):
        raise ValueError(f"{file}: its description is damaged: {problem}")
    lengths = {"classes": model.config.num_classes, "mean": 3, "std": 3}
    for key, length in lengths.items():
        if len(extra[key]) != length:
            raise ValueError(f"{file}: {key} has {len(extra[key])} values; expected {length}")
    if min(extra["std"]) <= 0:
        raise ValueError(f"{file}: std is {extra['std']}; expected numbers above 0")
    return LoadedModel(file, model, extra["data"], *(tuple(extra[key]) for key in lengths))


def _load_weights(file: Path, sizes: dict[str, Any]) -> LoadedModel:
    """Load weights from elsewhere; official ones have ImageNet's classes, others get numbers."""
    from data_tools.preprocessing import IMAGENET_MEAN, IMAGENET_STD
    from data_tools.wordnet import imagenet_classes
    from tervit_np.checkpoints import pretrained
    from tervit_np.checkpoints.official import is_official

    model, changes = pretrained(file, lenient=True, **sizes)
    for change in changes:
        print(f"{file.name}: {change}")
    classes = tuple(map(str, range(model.config.num_classes)))
    if is_official(file):
        classes = tuple(name for _, name in imagenet_classes())
    return LoadedModel(file, model, None, classes, IMAGENET_MEAN, IMAGENET_STD)
