"""`tervit predict`: the classes of pictures by a saved model."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tervit_np.cli.models import LoadedModel, open_model
from tervit_np.cli.options import (
    add_attention,
    add_stage,
    add_threads,
    check_png,
    refuse_overwriting,
    thread_count,
)
from tervit_np.cli.parser import CommandParser
from tervit_np.cli.plans import add_plan

if TYPE_CHECKING:
    from tervit_np.arrays import Array

HELP = """Classify pictures with a saved model, by default the package's own, cifar10.

It is ternary and knows ten classes: airplane, automobile, bird, cat, deer, dog, frog, horse, ship,
truck. With --show also draw what the model sees in one picture: the picture as it is cropped and
resized, the attention of its last block, by head, over the picture, and the features of a layer
without and with quantization."""
EXAMPLES = """\
  tervit predict cat.jpg dog.png                               with the model of the package
  tervit predict runs/cifar10 cat.jpg dog.png                  the last stage of a run
  tervit predict runs/cifar10/float.npz photo.jpg --top 5      five classes instead of three
  tervit predict deit_small_patch16_224 photo.jpg              official weights
  tervit predict weights.pth photo.jpg --classes imagenet      other weights, for these classes
  tervit predict runs/cifar10 cat.jpg --stage float --plan plan.toml
  tervit predict runs/cifar10 cat.jpg --show seen.png          what the model sees in it"""

_LONGEST_PICTURE, _LONGEST_LIST = 1 << 29, 1 << 20  # bytes


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "names",
        nargs="+",
        metavar="[MODEL] PICTURE",
        help="a model, as `tervit eval` takes it (default: cifar10, of the package), and picture "
        "files of any size",
    )
    add_stage(parser)
    add_plan(parser, "quantize by another plan")
    parser.add_argument(
        "--top", type=int, default=3, metavar="N", help="classes to print (default: 3)"
    )
    parser.add_argument(
        "--classes",
        metavar="NAMES",
        help="names for the outputs of weights from elsewhere: imagenet, or a file, one a line",
    )
    parser.add_argument(
        "--show",
        metavar="FILE.png",
        type=Path,
        help="draw what the model, unless it is packed, sees in the one picture",
    )
    add_attention(parser)
    add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Classify each picture; report unreadable ones at the end and return 2."""
    import numpy as np

    from data_tools import DataError, normalise
    from data_tools.terminal import printable
    from data_tools.wordnet import in_words
    from tervit_np.losses import log_softmax

    if args.top < 1:
        raise ValueError(f"--top is {args.top}; expected at least 1")
    threads = thread_count(args.threads)
    model, pictures = _model_and_pictures(*args.names)
    loaded = open_model(model, args.stage, args.plan, threads=threads, attention=args.attention)
    _check_show(args.show, loaded, pictures)
    names, unreadable = in_words(_class_names(loaded, args.classes)), []
    for name in pictures:
        try:
            pixels = _read_pixels(loaded, name)
        except DataError as error:
            unreadable.append(str(error))
            continue
        except OSError as error:
            unreadable.append(f"{name} {_reason(error, name)}")
            continue
        images = normalise(pixels[None], loaded.mean, loaded.std)
        probs = np.exp(log_softmax(loaded.model.predict(images)))[0]
        best = [f"{names[i]} {100 * probs[i]:.1f} %" for i in np.argsort(-probs)[: args.top]]
        print(f"{printable(name)}: {', '.join(best)}")
        if args.show is not None:
            _draw(loaded, pixels, images[0], "\n".join(best), args.show)
    for message in unreadable:
        print(f"tervit predict: {printable(message)}", file=sys.stderr)
    return 2 if unreadable else 0


def _model_and_pictures(first: str, *others: str) -> tuple[str, tuple[str, ...]]:
    """Tell the model from the pictures: without a model, the first name is that of a picture.

    Raises
    ------
    ValueError
        If there is no picture.
    """
    from data_tools.picture_formats import is_picture
    from tervit_np.deploy import DEFAULT_MODEL

    if is_picture(first):
        return DEFAULT_MODEL, (first, *others)
    if not others:
        raise ValueError(
            f"there is no picture to classify; {first} is taken as a model, as its name does not "
            "end as that of a picture"
        )
    return first, others


def _check_show(show: Path | None, loaded: LoadedModel, pictures: tuple[str, ...]) -> None:
    """Raise ValueError or OSError if --show cannot be obeyed, before anything is computed."""
    if show is None:
        return
    from tervit_np.files import check_writable

    if len(pictures) > 1:
        raise ValueError(f"--show draws one picture, and {len(pictures)} were named")
    check_png("--show", show)
    if loaded.model.packed:
        raise ValueError(
            f"{loaded.file} is a packed file: it runs on integer kernels, which keep no attention "
            "weights and no features to show; name a run, as the one that it was exported from"
        )
    check_writable(show)
    refuse_overwriting("--show", show, {Path(pictures[0]): "the picture itself"})


def _draw(
    loaded: LoadedModel, pixels: "Array", image: "Array", prediction: str, path: Path
) -> None:
    """Draw what the model sees, and say where."""
    from data_tools.terminal import printable
    from tervit_np.analysis.prediction_figure import draw_prediction

    draw_prediction(loaded.model, pixels, image, prediction, path)
    print(f"shown in {printable(path)}")


def _class_names(loaded: LoadedModel, source: str | None) -> tuple[str, ...]:
    """Return the names to print: the model's own, those of --classes, or numbers.

    Raises
    ------
    ValueError
        If the model has names of its own, or another number of classes than --classes.
    """
    from data_tools.counted import counted
    from data_tools.terminal import note
    from data_tools.wordnet import imagenet_classes

    count = len(loaded.classes)
    has_names = loaded.data is not None or loaded.classes != tuple(map(str, range(count)))
    if source is None:
        if not has_names:
            note(
                f"{loaded.file.name} does not name its {count} classes, so that they are numbered; "
                "--classes imagenet or --classes FILE names them"
            )
        return loaded.classes
    if has_names:
        raise ValueError(f"--classes applies to weights without names; {loaded.file} has them")
    if source == "imagenet":
        names = tuple(name for _, name in imagenet_classes())
    else:
        lines = _content(source, _LONGEST_LIST).decode("utf-8-sig", "replace").splitlines()
        names = tuple(line.strip() for line in lines if line.strip())
    if len(names) != count:
        raise ValueError(
            f"--classes {source} has {counted(len(names), 'name')}, {loaded.file} "
            f"{counted(count, 'class')}"
        )
    return names


def _reason(error: OSError, name: str) -> str:
    """Return why a file could not be loaded."""
    if Path(name).is_dir():
        return f"is a folder; name the pictures in it, as {name.rstrip('/')}/*.jpg"
    return "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"


def _read_pixels(loaded: LoadedModel, name: str) -> "Array":
    """Read a picture as the model's test images were read.  -> uint8 (S, S, 3)."""
    from data_tools.crops import center_crop
    from data_tools.pictures import decode, open_picture

    content, size = _content(name, _LONGEST_PICTURE), loaded.model.config.image_size
    if loaded.official_crop:
        return center_crop(open_picture(content, name)[0], size)
    return decode(content, name, size)


def _content(name: str, longest: int) -> bytes:
    """Read a file; DataError if it is longer than such a file can be."""
    from data_tools import DataError
    from tervit_np.files import read_bounded

    try:
        return read_bounded(name, longest)
    except ValueError as error:
        raise DataError(f"{name}: {error}") from None
