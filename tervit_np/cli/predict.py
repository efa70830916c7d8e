"""`tervit predict`: what a saved model sees in pictures."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tervit_np.cli.models import LoadedModel, add_model, open_model
from tervit_np.cli.options import add_attention, add_stage, add_threads, thread_count
from tervit_np.cli.parser import CommandParser

if TYPE_CHECKING:
    from tervit_np.arrays import Array

HELP = """Classify pictures with a saved model."""
EXAMPLES = """\
  tervit predict runs/cifar10 cat.jpg dog.png
  tervit predict runs/cifar10/float.npz photo.jpg --top 5
  tervit predict deit_small_patch16_224 photo.jpg"""


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="picture file of any size")
    add_stage(parser)
    parser.add_argument(
        "--top", type=int, default=3, metavar="N", help="classes to print (default: 3)"
    )
    add_attention(parser)
    add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Classify each picture; those that cannot be read are named at the end, with exit code 2."""
    import numpy as np

    from data_tools import DataError, normalise
    from data_tools.wordnet import in_words
    from tervit_np.losses import log_softmax

    if args.top < 1:
        raise ValueError(f"--top is {args.top}; expected at least 1")
    threads = thread_count(args.threads)
    opened = open_model(args.model, args.stage, threads=threads, attention=args.attention)
    names, unreadable = in_words(opened.classes), []
    for name in args.pictures:
        try:
            pixels = _pixels(opened, name)
        except DataError as error:
            unreadable.append(str(error))
            continue
        except OSError as error:
            unreadable.append(f"{name}: {_why(error, name)}")
            continue
        logits = opened.model.predict(normalise(pixels[None], opened.mean, opened.std))
        shares = np.exp(log_softmax(logits))[0]
        best = np.argsort(-shares)[: args.top]
        words = ", ".join(f"{names[i]} {100 * shares[i]:.1f} %" for i in best)
        print(f"{name}: {words}")
    for sentence in unreadable:
        print(f"tervit predict: {sentence}", file=sys.stderr)
    return 2 if unreadable else 0


def _why(error: OSError, name: str) -> str:
    """Say why a file could not be opened."""
    if Path(name).is_dir():
        return f"a folder; name the pictures in it, as {name.rstrip('/')}/*.jpg"
    return "no such file" if isinstance(error, FileNotFoundError) else error.strerror or str(error)


def _pixels(opened: LoadedModel, name: str) -> "Array":
    """Read a picture as the model's test pictures were read.  -> uint8 (S, S, 3)."""
    from data_tools.crops import center_crop
    from data_tools.pictures import decode, open_picture

    content, size = Path(name).read_bytes(), opened.model.config.image_size
    if opened.official:
        return center_crop(open_picture(content, name)[0], size)
    return decode(content, name, size)
