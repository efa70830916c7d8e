"""`tervit eval`: the accuracy of a saved model, or of weights that others published."""

import argparse

from tervit_np.cli.models import add_model, images_for, open_model
from tervit_np.cli.options import add_attention, add_stage, add_threads, thread_count
from tervit_np.cli.parser import CommandParser

HELP = """Measure accuracy and loss of a saved model."""
EXAMPLES = """\
  tervit eval runs/shapes                     the last stage of a run, on its own test split
  tervit eval runs/shapes --stage float       another stage
  tervit eval runs/cifar10/ternary.npz        a file
  tervit eval runs/shapes --split val
  tervit eval deit_small_patch16_224 --data imagenet:~/imagenet
  tervit eval swin_tiny.safetensors --data imagenet:~/imagenet --plan ternary"""
_MOST = 50  # classes of which each is printed


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    add_model(parser)
    add_stage(parser)
    parser.add_argument(
        "--data", metavar="SET", help="data set (default: the one that the model was trained on)"
    )
    parser.add_argument("--split", default="test", help="split of it (default: test)")
    parser.add_argument(
        "--plan", help="quantize otherwise: float, int8, ternary, ternary-layer, intN"
    )
    parser.add_argument(
        "--image-size", type=int, metavar="N", help="interpolate the weights to this image size"
    )
    parser.add_argument(
        "--window", type=int, metavar="N", help="interpolate Swin's weights to this window"
    )
    add_attention(parser)
    add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate and print."""
    import data_tools
    from data_tools.wordnet import in_words
    from tervit_np.train import evaluate

    threads = thread_count(args.threads)
    opened = open_model(
        args.model,
        args.stage,
        args.plan,
        attention=args.attention,
        image_size=args.image_size,
        window=args.window,
    )
    images = images_for(opened, args.data, args.split)
    found = evaluate(opened.model, images, threads=threads, quiet=False)
    right = found.logits.argmax(axis=1) == images.labels
    if len(images.classes) <= _MOST:
        names = in_words(images.classes)
        width = max(map(len, names))
        for label, name in enumerate(names):
            mine = (images.labels == label) & found.readable
            if mine.any():
                print(f"  {name:<{width}}  {100 * right[mine].mean():5.1f} %  of {mine.sum()}")
    if isinstance(images, data_tools.StreamedSet):
        print(f"pictures: {images.summary()}")
    print(
        f"{opened.file}: {images.name} {images.split} accuracy {100 * found.accuracy:.2f} ± "
        f"{100 * found.error:.2f} %, loss {found.loss:.4f}{found.kernel_note}"
    )
    return 0
