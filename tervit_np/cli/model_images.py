"""Load images with the size and the labels of a model."""

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data_tools import ImageSet, StreamedSet
    from tervit_np.cli.models import LoadedModel


def images_for(loaded: "LoadedModel", data: str | None, split: str) -> "ImageSet | StreamedSet":
    """Load a data set with the image size, the labels and the preprocessing of a model.

    Images are normalised by the mean and the standard deviation that the model was trained with,
    whatever set they are from, as `tervit predict` does. Weights from elsewhere do not contain
    theirs, so that those of the set are taken.

    Raises
    ------
    ValueError
        If the set cannot be loaded, or its image size or classes are not the model's.
    """
    import data_tools
    from data_tools.folders import with_size

    name = data or loaded.data
    if name is None:
        raise ValueError(f"{loaded.file} does not contain its data set; name one with --data")
    try:
        images = data_tools.load(name, split)
    except data_tools.NoSuchSplit:
        if split != "val" or (held_out := _held_out(loaded, name)) is None:
            raise
        images = held_out
    size = loaded.model.config.image_size
    if isinstance(images, data_tools.StreamedSet):
        images = replace(images, size=size)
    if images.size != size:
        hint = f"; load it as {with_size(name, size)}" * name.startswith("folder:")
        raise ValueError(
            f"{images.name} has {images.size}-pixel images, {loaded.file} expects {size}{hint}"
        )
    if loaded.data is not None:
        images = replace(images, mean=loaded.mean, std=loaded.std)
    return _labelled_as(loaded, images)


def _held_out(loaded: "LoadedModel", name: str) -> "ImageSet | StreamedSet | None":
    """Return the training images that the run of a model held out for validation, if it did."""
    from tervit_np.train import load_data
    from tervit_np.train.folder import RunFolder

    folder = RunFolder(loaded.file.parent)
    if loaded.data != name or not folder.config_file.is_file():
        return None
    run_config = folder.read_run_config()
    data = run_config["data"]
    if data["name"] != name or "held_out" not in data:
        return None
    return load_data(name, data["val"], run_config["seed"]).val


def _labelled_as(
    loaded: "LoadedModel", images: "ImageSet | StreamedSet"
) -> "ImageSet | StreamedSet":
    """Label the images by the classes of a model, matched by their names.

    Raises
    ------
    ValueError
        If the model lacks a class of the images.
    """
    from data_tools.class_names import first_few
    from data_tools.terminal import note
    from data_tools.wordnet import imagenet_classes, imagenet_labels

    ids = tuple(id for id, _ in imagenet_classes())
    if loaded.data is not None:
        missing = [name for name in images.classes if name not in loaded.classes]
        if missing:
            raise ValueError(
                f"{loaded.file} has the classes {first_few(loaded.classes)}, but {images.name} has "
                f"{first_few(images.classes)}"
            )
        return images.relabel(list(map(loaded.classes.index, images.classes)), loaded.classes)
    if loaded.model.config.num_classes == len(ids):
        source = f"{loaded.file} counts ImageNet's classes, but in {images.name}"
        return images.relabel(imagenet_labels(images.classes, source), ids)
    if loaded.model.config.num_classes == len(images.classes):
        note(
            f"{loaded.file.name} does not name its classes; its outputs are taken for the classes "
            f"in their order: {first_few(images.classes)}"
        )
    return images
