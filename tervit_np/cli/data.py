"""`tervit data`: which data sets are here, how to get one, what its images look like."""

import argparse
from pathlib import Path
from typing import Any

EXAMPLES = """examples:
  tervit data                                          what is here
  tervit data get cifar10                              download, check, decode
  tervit data get cifar10 --from cifar-10-binary.tar.gz   take a copy you have
  tervit data show shapes --out shapes.png             ten rows of examples"""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "data",
        help="list, get and show data sets",
        description="List, get and show data sets. TERVIT_DATA names the data folder.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, action=None)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    get = actions.add_parser("get", help="download a set, or take a copy", epilog=EXAMPLES,
                             formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    get.add_argument("name")
    get.add_argument("--from", dest="source", metavar="FILE", help="a file or folder you have")
    show = actions.add_parser("show", help="draw examples of each class")
    show.add_argument("name")
    show.add_argument("--split", default="train")
    show.add_argument("--out", help="PNG file to write (default: NAME.png)")


def run(args: argparse.Namespace) -> int:
    """Do what was asked for; list without an action."""
    if args.action == "get":
        return _get(args.name, args.source)
    if args.action == "show":
        return _show(args.name, args.split, args.out)
    from data_tools import data_root, known_sets

    print(f"data folder: {data_root()}")
    for known in known_sets():
        where = "made on first use" if known.name == "shapes" else "absent"
        print(f"  {known.name:<9} {known.about}\n  {'':<9} {known.place or where}")
    print("  folder:PATH[@SIZE]  any pictures in PATH/train/<class>/ and PATH/test/<class>/")
    return 0


def _get(name: str, source: str | None) -> int:
    from data_tools import get

    for images in get(name, source=None if source is None else Path(source)):
        print(f"{images.name} {images.split}: {len(images)} images, {len(images.classes)} classes")
    return 0


def _show(name: str, split: str, out: str | None) -> int:
    from PIL import Image

    import data_tools
    from data_tools.gallery import gallery

    images = data_tools.load(name, split)
    file = Path(out or f"{name.rpartition('/')[2].replace(':', '-')}.png")
    Image.fromarray(gallery(images)).save(file)
    print(f"{file}: one row for each of {', '.join(images.classes[:10])}")
    return 0
