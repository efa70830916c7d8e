"""`tervit eval`: the accuracy of a saved model, or of published weights."""

import argparse
from typing import TYPE_CHECKING

from tervit_np.cli.model_images import images_for
from tervit_np.cli.models import add_model, open_model
from tervit_np.cli.options import add_attention, add_data, add_stage, add_threads, thread_count
from tervit_np.cli.parser import CommandParser
from tervit_np.cli.plans import add_plan

if TYPE_CHECKING:
    from data_tools import LabelledSet
    from tervit_np.train.evaluate import Evaluation

HELP = """Measure accuracy and loss of a saved model."""
EXAMPLES = """\
  tervit eval runs/shapes                     the last stage of a run, on its test split
  tervit eval runs/shapes --stage float       another stage
  tervit eval runs/cifar10/ternary.npz        a file
  tervit eval runs/shapes --split val         another split
  tervit eval runs/shapes --invert            with bright and dark swapped in every picture
  tervit eval runs/shapes --stage float --plan plan.toml
  tervit eval deit_small_patch16_224 --data imagenet:~/imagenet
  tervit eval swin_tiny.safetensors --data imagenet:~/imagenet --plan ternary"""
_MAX_CLASSES = 50  # with more, the accuracy of each class is not printed


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    add_model(parser)
    add_stage(parser)
    add_data(parser)
    parser.add_argument(
        "--split", default="test", metavar="NAME", help="split of it (default: test)"
    )
    parser.add_argument(
        "--invert", action="store_true", help="swap bright and dark in every picture"
    )
    add_plan(parser, "quantize by another plan")
    parser.add_argument(
        "--image-size", type=int, metavar="N", help="interpolate the weights to this image size"
    )
    parser.add_argument(
        "--window", type=int, metavar="N", help="interpolate Swin's weights to this window"
    )
    add_attention(parser)
    add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate; print the accuracy of each class and of all images."""
    import data_tools
    from data_tools.terminal import printable
    from tervit_np.train import evaluate

    threads = thread_count(args.threads)
    loaded = open_model(
        args.model,
        args.stage,
        args.plan,
        attention=args.attention,
        image_size=args.image_size,
        window=args.window,
    )
    images = images_for(loaded, args.data, args.split)
    evaluation = evaluate(loaded.model, images, threads=threads, inverted=args.invert, quiet=False)
    if len(images.classes) <= _MAX_CLASSES:
        _print_classes(evaluation, images)
    if isinstance(images, data_tools.StreamedSet):
        print(f"pictures: {images.summary()}")
    split = f"{images.split}, inverted," if args.invert else images.split
    result = (
        f"{loaded.file}: {images.name} {split} accuracy {evaluation.accuracy_text(2)}, "
        f"loss {evaluation.loss:.4f}{evaluation.kernel_note}"
    )
    print(printable(result))
    return 0


def _print_classes(evaluation: "Evaluation", images: "LabelledSet") -> None:
    """Print the accuracy on the readable images of each class."""
    from data_tools.terminal import columns_of, padded
    from data_tools.wordnet import in_words

    correct = evaluation.logits.argmax(axis=1) == images.labels
    names = in_words(images.classes)
    width = max(map(columns_of, names))
    for label, name in enumerate(names):
        rows = (images.labels == label) & evaluation.readable
        if rows.any():
            percent = 100 * correct[rows].mean()
            print(f"  {padded(name, width)}  {percent:5.1f} %  of {rows.sum():,}")
