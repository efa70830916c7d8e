"""`tervit predict`: what a saved model sees in pictures."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tervit_np.cli.models import HELP, LoadedModel, add_attention, open_model, thread_count

if TYPE_CHECKING:
    from tervit_np.arrays import Array

EXAMPLES = """examples:
  tervit predict runs/cifar10 cat.jpg dog.png
  tervit predict runs/cifar10/float.npz photo.jpg --top 5
  tervit predict deit_small_patch16_224 photo.jpg"""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "predict",
        help="classify pictures",
        description="Classify pictures of any size and kind with a saved model.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help=HELP)
    parser.add_argument("pictures", nargs="+", metavar="PICTURE")
    parser.add_argument("--stage", help="stage of a run (default: the last one)")
    parser.add_argument("--top", type=int, default=3, help="classes to print (default: 3)")
    add_attention(parser)
    parser.add_argument("--threads", type=int, help="threads (default: all cores)")
    parser.set_defaults(run=run)


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
    from data_tools.crops import middle
    from data_tools.pictures import decode
    from data_tools.pictures import opened as open_picture

    content, size = Path(name).read_bytes(), opened.model.config.image_size
    if opened.official:
        return middle(open_picture(content, name)[0], size)
    return decode(content, name, size)
