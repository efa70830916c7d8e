"""`tervit bench`: kernels and models timed, compared with baselines and the CPU's limits."""

import argparse
import os
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tervit_np.cli import bench_tables as tables
from tervit_np.cli.options import check_png, checked_count, refuse_overwriting
from tervit_np.cli.parser import CommandParser

if TYPE_CHECKING:
    from tervit_np.bench.store import Results
    from tervit_np.bench.variants import VariantTable

HELP = """Time the ternary kernels and models.

Time a ternary linear layer (with quantization of the tokens, scales and bias) or whole models, and
compare with other libraries. Candidates run in turn; ratios are of medians."""
EXAMPLES = """\
  tervit bench                              one layer in six shapes, all installed baselines
  tervit bench --model deit_small_patch16_224 --batch 1,8
                                            image to logits, compared with NumPy and PyTorch
  tervit bench --variants                   each variant: speed, fraction of peak, inner loop
  tervit bench --assembly vnni512           the instructions of one inner loop, each explained
  tervit bench --assembly arm               "generic", compiled for a 64-bit Arm; so are neon,
                                            sdot and usdot on other CPUs, and amx
  tervit bench --out b.json --plot b.png    store and plot; --out keeps the file's other sections
  tervit bench --variants --from b.json --plot roofline.png
                                            plot stored measurements"""


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--variants", action="store_true", help="time each variant of the kernels")
    what.add_argument("--explain", dest="variants", action="store_true", help=argparse.SUPPRESS)
    what.add_argument(
        "--assembly", metavar="VARIANT", help="print a variant's inner loop, or arm's"
    )
    what.add_argument("--model", metavar="NAME", help="time a whole model, or several: A,B")
    parser.add_argument("--batch", metavar="LIST", help="batch sizes for --model (default: 1,8)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads for --model (default: 1)")
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="times that each runs (default: 41; a model 15)"
    )
    files = parser.add_mutually_exclusive_group()
    files.add_argument("--out", metavar="FILE", help="JSON file to write, or to add to")
    files.add_argument(
        "--from", dest="source", metavar="FILE", help="JSON file to read instead of measuring"
    )
    parser.add_argument("--plot", metavar="FILE", help="PNG file to write")


def run(args: argparse.Namespace) -> int:
    """Measure or read, print, store, plot."""
    _check(args)
    if args.assembly is not None:
        tables.print_assembly(args.assembly)
        return 0
    section = "variants" if args.variants else "layers" if args.model is None else "models"
    results = _read(args, section) if args.source else _measure(args, section)
    if args.plot:
        _plot(args, section, results)
    return 0


def _check(args: argparse.Namespace) -> None:
    """Raise an error for options that cannot work, before anything is measured."""
    from importlib.util import find_spec

    from tervit_np.bench.store import load_results
    from tervit_np.files import check_writable

    _refuse_unused(args)
    for option in ("threads", "batch"):
        if args.model is None and getattr(args, option) is not None:
            raise ValueError(f"--{option} is for whole models; name one with --model")
    if args.threads is not None:
        checked_count("threads", args.threads)
    if args.rounds is not None and args.rounds < 1:
        raise ValueError(f"--rounds is {args.rounds}; expected at least 1")
    for path in (args.out, args.plot):
        if path is not None:
            check_writable(path)
    if args.plot and (file := args.source or args.out):
        refuse_overwriting("--plot", Path(args.plot), {Path(file): "the file of measurements"})
    if args.plot:
        check_png("--plot", Path(args.plot))
    if args.out and Path(args.out).exists():
        load_results(Path(args.out))
    if args.model is not None and not args.source:
        _models(args)
    if not args.source and find_spec("numba") is None:
        raise ImportError("the kernels need Numba, which is not installed: pip install numba")


def _refuse_unused(args: argparse.Namespace) -> None:
    """Refuse options of a measurement where nothing is measured: they would be ignored."""
    unused = {"--rounds": args.rounds}
    if args.assembly is not None:
        unused |= {"--out": args.out, "--from": args.source, "--plot": args.plot}
    elif args.source is None:
        return
    for option, value in unused.items():
        if value is not None:
            other = "--from" if args.assembly is None else "--assembly"
            raise ValueError(f"{option} cannot be given with {other}, which measures nothing")


def _models(args: argparse.Namespace) -> tuple[list[str], list[int]]:
    """Return the names and batch sizes of --model and --batch."""
    from tervit_np.models.registry import named_config

    names = args.model.split(",")
    for name in names:
        named_config(name)
    return names, [_batch_size(text) for text in (args.batch or "1,8").split(",")]


def _measure(args: argparse.Namespace, section: str) -> Any:
    """Measure a section, print each row when it is measured, store the section."""
    from tervit_np.backends import jit_is_off

    if jit_is_off():
        raise ValueError("NUMBA_DISABLE_JIT is set, so there are no kernels to measure; unset it")
    from tervit_np import bench
    from tervit_np.bench.store import save_section
    from tervit_np.environment import environment, installed_version
    from tervit_np.kernels import selected_variant
    from tervit_np.train.memory import keep_freed_memory

    keep_freed_memory()
    versions = {name: installed_version(name) for name in ("torch", "onnxruntime")}
    machine = environment() | {"kernel": selected_variant(), "load": _load_average()} | versions
    tables.print_machine(machine)
    rounds = args.rounds or (15 if section == "models" else 41)
    results: Any = []
    if section == "variants":
        results = _variant_table(rounds)
        tables.print_variants(results)
    elif section == "layers":
        results = tables.print_layers(bench.compare(rounds=rounds))
    else:
        names, batches = _models(args)
        for name in names:
            rows = bench.compare_models(name, batches, args.threads or 1, rounds)
            results += tables.print_models(rows)
            if args.out and name != names[-1]:  # Ctrl-C during the next model keeps this one
                save_section(Path(args.out), section, results, machine)
    if args.out:
        save_section(Path(args.out), section, results, machine)
        print(args.out)
    return results


def _load_average() -> str:
    """Return the load average of the last minute, 0.0 on systems without one."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "0.0"


def _batch_size(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise ValueError(f"--batch is {text!r}; expected positive integers such as 1,8")
    return int(text)


def _variant_table(rounds: int) -> "VariantTable":
    from tervit_np.bench.limits import measure_limits
    from tervit_np.bench.variants import VariantTable, time_variants

    return VariantTable(measure_limits(rounds), time_variants(rounds=rounds))


def _read(args: argparse.Namespace, section: str) -> Any:
    """Read a section and print it."""
    from tervit_np.json_files import mismatch

    stored = _load(args.source)
    results: Any = getattr(stored, section)
    if section == "models":
        results = [
            row
            for row in results
            if row.model in args.model.split(",")
            and args.threads in (None, row.threads)
            and (args.batch is None or row.batch in _models(args)[1])
        ]
    if not results:
        models = {f"{row.model} (threads: {row.threads})" for row in stored.models}
        names = ", ".join([*stored.environments, *sorted(models)]) or "nothing"
        raise ValueError(f"{args.source} holds no such measurement; it holds: {names}")
    machine = stored.environments[section]
    schema = dict.fromkeys((*tables.MACHINE, "load"), str)
    if problem := mismatch(machine, schema, f"{section}.environment"):
        raise ValueError(f"{args.source} is damaged: {problem}")
    tables.print_machine(machine)
    if section == "variants":
        tables.print_variants(results)
    elif section == "models":
        for _, rows in groupby(results, lambda row: (row.model, row.threads)):
            tables.print_models(rows)
    else:
        tables.print_layers(results)
    return results


def _load(path: str) -> "Results":
    from tervit_np.bench.store import load_results

    return load_results(Path(path))


def _plot(args: argparse.Namespace, section: str, results: Any) -> None:
    """Plot a section; the roofline also shows the layers of the same file."""
    from tervit_np.bench import figures

    path = Path(args.plot)
    if section == "layers":
        figures.ratios(results, path)
    elif section == "models":
        figures.model_ratios(results, path)
    else:
        file = args.source or args.out
        figures.roofline(results, _load(file).layers if file else [], path)
    print(path)
