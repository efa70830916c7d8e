"""`tervit bench`: the ternary kernels and models against others, and against the processor."""

import argparse
import os
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tervit_np.cli import bench_tables as tables
from tervit_np.cli.parser import CommandParser

if TYPE_CHECKING:
    from tervit_np.bench.store import Stored
    from tervit_np.bench.variants import Ladder

HELP = """Time the ternary kernels and models.

Time a ternary linear layer, rounding of the tokens, scales and bias included, or whole models.
Rivals take turns; ratios are of medians."""
EXAMPLES = """\
  tervit bench                              one layer in six shapes, against all that is installed
  tervit bench --model deit_small_patch16_224 --batch 1,8
                                            image to logits, against NumPy and PyTorch
  tervit bench --explain                    every rung: speed, share of the peak, inner loop
  tervit bench --assembly vnni512           the instructions of one inner loop, each explained
  tervit bench --assembly arm               the generic rung, compiled for a 64-bit Arm; so are
                                            neon, sdot and usdot on other processors
  tervit bench --out b.json --plot b.png    store and draw; --out adds to what the file holds
  tervit bench --explain --from b.json --plot roofline.png
                                            draw what was stored, measure nothing"""


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--explain", action="store_true", help="show each rung of the ladder")
    what.add_argument("--assembly", metavar="RUNG", help="print a rung's inner loop, or arm's")
    what.add_argument("--model", help="time a whole model of this name, or several: A,B")
    parser.add_argument("--batch", help="of whole models: images at a time (default: 1,8)")
    parser.add_argument("--threads", type=int, help="of whole models (default: 1)")
    parser.add_argument("--rounds", type=int, help="turns of each (default: 41; of a model 15)")
    files = parser.add_mutually_exclusive_group()
    files.add_argument("--out", help="JSON file to write, or to add to")
    files.add_argument("--from", dest="source", help="JSON file to read instead of measuring")
    parser.add_argument("--plot", help="PNG file to draw")


def run(args: argparse.Namespace) -> int:
    """Measure or read, print, store, draw."""
    _check(args)
    if args.assembly is not None:
        tables.print_assembly(args.assembly)
        return 0
    section = "ladder" if args.explain else "layers" if args.model is None else "models"
    if args.source:
        found = _read(args, section)
    else:
        found = _measure(args, section)
    if args.plot:
        _draw(args, section, found)
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse, before anything is measured, what would be in vain."""
    from importlib.util import find_spec
    from pathlib import Path

    from tervit_np.bench.store import stored
    from tervit_np.files import check_writable

    for option in ("threads", "batch"):
        if args.model is None and getattr(args, option) is not None:
            raise ValueError(f"--{option} is for whole models; name one with --model")
    for option in ("threads", "rounds"):
        if getattr(args, option) is not None and getattr(args, option) < 1:
            raise ValueError(f"--{option} is {getattr(args, option)}; expected at least 1")
    for place in (args.out, args.plot):
        if place is not None:
            check_writable(place)
    if args.out and Path(args.out).exists():
        stored(Path(args.out))
    if args.model is not None and not args.source:
        _models(args)
    if not args.source and find_spec("numba") is None:
        raise ImportError("the kernels need Numba, which is absent: pip install numba")


def _models(args: argparse.Namespace) -> tuple[list[str], list[int]]:
    """Return the names and batches of whole models."""
    from tervit_np.models.registry import named_config

    names = args.model.split(",")
    for name in names:
        named_config(name)
    return names, [_whole(text) for text in (args.batch or "1,8").split(",")]


def _measure(args: argparse.Namespace, section: str) -> Any:
    """Measure a section, printing it as it comes, and store it."""
    from pathlib import Path

    from tervit_np import bench
    from tervit_np.bench.store import store
    from tervit_np.environment import environment, installed_version
    from tervit_np.kernels import selected_variant
    from tervit_np.train.memory import keep_freed_memory

    keep_freed_memory()
    versions = {name: installed_version(name) for name in ("torch", "onnxruntime")}
    machine = environment() | {"kernel": selected_variant(), "load": _load()} | versions
    tables.print_machine(machine)
    rounds = args.rounds or (15 if section == "models" else 41)
    found: Any = []
    if section == "ladder":
        found = _ladder(rounds)
        tables.print_ladder(found)
    elif section == "layers":
        found = tables.print_layers(bench.compare(rounds=rounds))
    else:
        names, batches = _models(args)
        for name in names:
            found += tables.print_models(
                bench.compare_models(name, batches, args.threads or 1, rounds)
            )
            if args.out and name != names[-1]:  # Ctrl-C in the next one loses nothing of this one
                store(Path(args.out), section, found, machine)
    if args.out:
        store(Path(args.out), section, found, machine)
        print(args.out)
    return found


def _load() -> str:
    """Return how many programs wanted to run in the last minute, 0.0 where nobody counts them."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "0.0"


def _whole(text: str) -> int:
    if not text.strip().isdigit() or int(text) < 1:
        raise ValueError(f"--batch is {text!r}; expected whole numbers such as 1,8")
    return int(text)


def _ladder(rounds: int) -> "Ladder":
    from tervit_np.bench.limits import measure
    from tervit_np.bench.variants import Ladder, climb

    return Ladder(measure(rounds), climb(rounds=rounds))


def _read(args: argparse.Namespace, section: str) -> Any:
    """Read a section and print it."""
    whole = _stored(args.source)
    found: Any = getattr(whole, section)
    if section == "models":
        found = [
            row
            for row in found
            if row.model in args.model.split(",")
            and args.threads in (None, row.threads)
            and (args.batch is None or row.batch in _models(args)[1])
        ]
    if not found:
        models = {f"{row.model} (threads: {row.threads})" for row in whole.models}
        there = ", ".join([*whole.environments, *sorted(models)]) or "nothing"
        raise ValueError(f"{args.source} holds no such measurement; there are: {there}")
    tables.print_machine(whole.environments[section])
    if section == "ladder":
        tables.print_ladder(found)
    elif section == "models":
        for _, rows in groupby(found, lambda row: (row.model, row.threads)):
            tables.print_models(rows)
    else:
        tables.print_layers(found)
    return found


def _stored(path: str) -> "Stored":
    from pathlib import Path

    from tervit_np.bench.store import stored

    return stored(Path(path))


def _draw(args: argparse.Namespace, section: str, found: Any) -> None:
    """Draw a section; the roofline shows the layers of the same file, too."""
    from pathlib import Path

    from tervit_np.bench import figures

    path = Path(args.plot)
    if section == "layers":
        figures.ratios(found, path)
    elif section == "models":
        figures.model_ratios(found, path)
    else:
        file = args.source or args.out
        figures.roofline(found, _stored(file).layers if file else [], path)
    print(path)
