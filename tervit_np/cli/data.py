"""`tervit data`: list the data sets, download one, show its images."""

import argparse
from pathlib import Path

from tervit_np.cli.layout import lay_out, line_width
from tervit_np.cli.options import check_png
from tervit_np.cli.parser import CommandParser, add_to_all

HELP = """List, show, download and import data sets and official weights."""
EXAMPLES = """\
  tervit data                                              list the data sets
  tervit data get cifar10                                  download, check, decode
  tervit data get cifar10 --from cifar-10-binary.tar.gz    import a copy
  tervit data get-weights deit_small_patch16_224           download and check official weights
  tervit data show shapes --out shapes.png                 draw a row of examples of each class
  tervit data show folder:my/photos@64 --split test        your own: splits, classes, what is left
                                                           out, and examples"""


_OWN_PICTURES = """\
your own pictures, in PATH/train/<class>/ and PATH/test/<class>/:
  folder:PATH[@SIZE]  in memory, resized to SIZE pixels (32)
  imagenet:PATH[,OPTION]...  on disk; size=224, classes=N or LIST, per_class=N
  shards:PATH[,OPTION]...  as imagenet:, from tar shards train-000000.tar (WebDataset)
in PATH/<class>/ alone: ,test=0.2 at the end sets a fifth of each class aside as test"""


def add_arguments(parser: CommandParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_actions(
        {
            "get": "Download a data set, or import a copy of it",
            "get-weights": "Download official weights, or import a copy",
            "show": "Print what is read, draw examples of each class",
        }
    )
    get, weights, show = actions
    get.add_argument("name", metavar="NAME", help="cifar10, cifar100 or shapes")
    weights.add_argument("name", metavar="NAME", help="a model, such as deit_small_patch16_224")
    for action, what in ((get, "an archive or folder"), (weights, "a file")):
        action.add_argument(
            "--from", dest="source", metavar="FILE", type=Path, help=f"import {what} that you have"
        )
    show.add_argument("name", metavar="NAME", help="a data set; folder:PATH for your own pictures")
    show.add_argument(
        "--split", metavar="NAME", help="split to draw (default: train, or the first that exists)"
    )
    show.add_argument("--out", type=Path, metavar="FILE", help="PNG file (default: NAME.png)")
    add_to_all(
        (parser, *actions),
        "--root",
        metavar="DIR",
        type=Path,
        help="data folder (default: TERVIT_DATA)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the action, by default the list."""
    if args.action == "get":
        return _get(args.name, args.root, args.source)
    if args.action == "get-weights":
        return _get_weights(args.name, args.root, args.source)
    if args.action == "show":
        return _show(args.name, args.root, args.split, args.out)
    return _list(args.root)


def _list(root: Path | None) -> int:
    from data_tools import data_root, list_datasets

    print(f"data folder: {data_root(root)}")
    for info in list_datasets(root):
        where = "created on first use" if info.present else f"absent (tervit data get {info.name})"
        print(f"  {info.name:<9} {info.about}\n  {'':<9} {info.path or where}")
    print(lay_out(_OWN_PICTURES, line_width()))
    return 0


def _get(name: str, root: Path | None, source: Path | None) -> int:
    from data_tools import fetch_dataset
    from data_tools.counted import counted

    for images in fetch_dataset(name, root, source):
        sizes = counted(len(images), "image"), counted(len(images.classes), "class")
        print(f"{images.name} {images.split}: {', '.join(sizes)}")
    return 0


def _get_weights(name: str, root: Path | None, source: Path | None) -> int:
    from tervit_np.checkpoints.official import fetch_weights

    file = fetch_weights(name, root, source)
    print(f"{file}: weights of {name}, checked; try `tervit eval {name} --data imagenet:PATH`")
    return 0


def _show(name: str, root: Path | None, split: str | None, out: Path | None) -> int:
    """Print what was understood of a set, then draw examples."""
    from PIL import Image

    import data_tools
    from data_tools.gallery import gallery
    from data_tools.overview import overview
    from data_tools.terminal import note, printable
    from data_tools.wordnet import in_words
    from tervit_np.files import atomic_write, check_writable
    from tervit_np.train.names import file_name_from

    file = out or Path(f"{file_name_from(name.rstrip('/.'), 60)}.png")
    check_png("--out", file)
    found = overview(name, root)
    for line in found.lines:
        print(printable(line))
    check_writable(file)
    images = data_tools.load(name, split or found.splits[0], root)
    with atomic_write(file) as png:
        Image.fromarray(gallery(images)).save(png, "png")
    print(f"{file}: one row for each of {', '.join(in_words(images.classes)[:20])}")
    if isinstance(images, data_tools.StreamedSet) and images.unreadable:
        note(f"the black ones could not be read: {images.summary()}")
    return 0
