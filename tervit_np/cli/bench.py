"""`tervit bench`: the ternary kernels and models against others, and against the processor."""

import argparse
import os
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tervit_np.bench.ladder import Ladder
    from tervit_np.bench.models import ModelComparison
    from tervit_np.bench.rivals import Comparison
    from tervit_np.bench.store import Stored

EXAMPLES = """examples:
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
_COLUMNS = {  # heads of columns and the names that they stand for
    "numpy": "numpy float32", "numba": "numba float32", "torch": "torch float32",
    "bf16": "torch bfloat16", "int8": "torch int8", "int_mm": "torch _int_mm",
    "ort": "onnxruntime MatMulInteger", "ggml": "ggml TQ2_0", "1thread": "one thread",
}  # fmt: skip


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "bench",
        help="time the ternary kernels and models",
        description="Time a ternary linear layer, rounding of the tokens, scales and bias "
        "included, or whole models. Rivals take turns; ratios are of medians.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure or read, print, store, draw."""
    _check(args)
    if args.assembly is not None:
        _print_assembly(args.assembly)
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
    from tervit_np.files import check_place

    for option in ("threads", "batch"):
        if args.model is None and getattr(args, option) is not None:
            raise ValueError(f"--{option} is for whole models; name one with --model")
    for option in ("threads", "rounds"):
        if getattr(args, option) is not None and getattr(args, option) < 1:
            raise ValueError(f"--{option} is {getattr(args, option)}; expected at least 1")
    for place in (args.out, args.plot):
        if place is not None:
            check_place(place)
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
    from tervit_np.kernels import chosen
    from tervit_np.train.memory import keep_freed_memory

    keep_freed_memory()
    versions = {name: installed_version(name) for name in ("torch", "onnxruntime")}
    machine = environment() | {"kernel": chosen(), "load": _load()} | versions
    _print_machine(machine)
    rounds = args.rounds or (15 if section == "models" else 41)
    found: Any = []
    if section == "ladder":
        found = _ladder(rounds)
        _print_ladder(found)
    elif section == "layers":
        found = _print_layers(bench.compare(rounds=rounds))
    else:
        names, batches = _models(args)
        for name in names:
            found += _print_models(bench.compare_models(name, batches, args.threads or 1, rounds))
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
    from tervit_np.bench.ladder import Ladder, climb
    from tervit_np.bench.limits import measure

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
    _print_machine(whole.environments[section])
    if section == "ladder":
        _print_ladder(found)
    elif section == "models":
        for _, rows in groupby(found, lambda row: (row.model, row.threads)):
            _print_models(rows)
    else:
        _print_layers(found)
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


def _print_machine(machine: dict[str, str]) -> None:
    words = ("kernel", "processor", "blas", "numpy", "torch")
    print("  ".join(f"{key} {machine[key]}" for key in words))
    if float(machine["load"]) > 1:
        print(f"other programs ran here (load {machine['load']}), so long calls look too slow")


def _print_layers(rows: "Iterable[Comparison]") -> "list[Comparison]":
    """Print how many times faster the ternary layer is, shape by shape."""
    found: list[Comparison] = []
    for row in rows:
        if not found:
            print(
                f"{'tokens x in x out':<18}{'us':>8}{'GOP/s':>7}{'of peak':>9}   times faster than"
            )
            _print_heads(row.times, 42)
        found.append(row)
        shape = f"{row.tokens}x{row.inputs}x{row.outputs}"
        us, cells = 1e6 * row.times["ternary"].median, _cells(row)
        print(f"{shape:<18}{us:>8.0f}{row.speed:>7.0f}{_percent(row.share):>9}{cells}", flush=True)
    return found


def _print_models(rows: "Iterable[ModelComparison]") -> "list[ModelComparison]":
    """Print how many times faster the packed model is, batch by batch, in both of its forms."""
    from tervit_np.bench.models import OURS

    found: list[ModelComparison] = []
    for row in rows:
        if not found:
            print(f"{row.model}, threads: {row.threads}")
            heads = f"{'batch':<6}{'attention':<10}{'ms':>8}{'ms/image':>10}{'of peak':>9}"
            print(f"{heads}   times faster than")
            _print_heads(row.times, 43)
        found.append(row)
        for ours, words in zip(OURS, ("float32", "int8"), strict=True):
            ms = 1e3 * row.times[ours].median
            share = _percent(row.share(ours))
            start = f"{row.batch:<6}{words:<10}{ms:>8.1f}{ms / row.batch:>10.1f}{share:>9}"
            print(start + _cells(row, ours), flush=True)
    return found


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def _print_heads(times: dict[str, Any], indent: int) -> None:
    here = [head for head, name in _COLUMNS.items() if any(t.startswith(name) for t in times)]
    print(" " * indent + "".join(f"{head:>8}" for head in here))


def _cells(row: Any, *ours: str) -> str:
    """Return the ratios of a row to all that was timed."""
    timed = [name for name in _COLUMNS.values() if any(t.startswith(name) for t in row.times)]
    if ours and "int8" in ours[0]:  # one thread was timed with attention in float32 only
        timed = [name for name in timed if name != "one thread"]
    return "".join(f"{row.ratio(name, *ours):>8.2f}" for name in timed)


def _print_ladder(ladder: "Ladder") -> None:
    """Print limits and rungs."""
    limits = ladder.limits
    read = ", ".join(f"{place} {speed:.0f}" for place, speed in limits.read.items())
    print(f"reading, GB/s: {read}; float32 multiply-adds, GOP/s: {limits.float32:.0f}")
    print(f"{'197x384x1536':<13}{'GOP/s':>7}{'of peak':>9}{'op/byte':>9}   inner loop")
    for rung in ladder.rungs:
        share = "" if rung.share is None else f"{100 * rung.share:.1f} %"
        each = "" if rung.intensity is None else f"{rung.intensity:.0f}"
        loop = ", ".join(f"{count} {name}" for name, count in list(rung.loop.items())[:5])
        print(f"{rung.name:<13}{rung.speed:>7.1f}{share:>9}{each:>9}   {loop}")


def _print_assembly(rung: str) -> None:
    """Print each instruction of an inner loop with what it is for."""
    from tervit_np.bench import arm
    from tervit_np.bench.assembly import explained, inner_loop, innermost
    from tervit_np.kernels import available, processor

    elsewhere = rung in ("neon", "sdot", "usdot") and rung not in available(processor.features())
    if rung == "arm" or elsewhere:
        lines = innermost(arm.assembly("generic" if rung == "arm" else rung))
    else:
        lines = inner_loop(rung)
    if not lines:
        print(f"{rung}: the product is one call of NumPy; there is no inner loop of ours")
    for line in lines:
        print(f"{line.expandtabs(14):<56}{explained(line)}")
