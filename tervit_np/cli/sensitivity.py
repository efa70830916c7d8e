"""`tervit sensitivity`: which layers suffer from three values, and a plan that spares them."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from data_tools.counted import counted
from tervit_np.cli.meter import Meter
from tervit_np.cli.model_images import images_for
from tervit_np.cli.models import add_model, files_read, open_model
from tervit_np.cli.options import (
    add_data,
    add_quiet,
    add_seed,
    add_threads,
    byte_count,
    command_line,
    refuse_overwriting,
    thread_count,
)
from tervit_np.cli.parser import CommandParser
from tervit_np.cli.sensitivity_plan import chosen_layers, plan_file, write_plan

if TYPE_CHECKING:
    from data_tools import LabelledSet
    from tervit_np.analysis.sensitivity import Record
    from tervit_np.analysis.surfaces.measure import Sample
    from tervit_np.cli.models import LoadedModel

HELP = """Measure how much each layer suffers from rounding.

Each layer is rounded alone, to 8 bits, 4 bits and three values, while all others stay float; then
it is kept at 8 bits while all others are ternary. Nothing is trained. With --share or --bytes a
plan file for `tervit train` gives 8 bits to the layers where they help most for their bytes."""
EXAMPLES = """\
  tervit sensitivity runs/shapes                   table and figure, of the run's last float stage
  tervit sensitivity runs/shapes --share 0.25      and a plan, runs/shapes/mixed.toml, that takes a
                                                   quarter of the way from all ternary to all 8 bits
  tervit sensitivity runs/shapes --bytes 120kB     a plan within this size of the packed model
  tervit sensitivity runs/shapes --split train     measured on other images
  tervit sensitivity deit_small_patch16_224 --data imagenet:~/imagenet --images 64

then:
  tervit train --weights runs/shapes/float.npz --stages runs/shapes/mixed.toml:8

After Ctrl-C the same command continues."""
_IN_MEMORY, _STREAMED = 1000, 200  # images by default


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    add_model(parser, packed=False)
    parser.add_argument(
        "--stage", metavar="NAME", help="stage of a run (default: the last one without rounding)"
    )
    add_data(parser)
    parser.add_argument("--split", metavar="NAME", help="split of it (default: val, or else train)")
    parser.add_argument(
        "--images",
        type=int,
        metavar="N",
        help=f"images to measure on (default: {_IN_MEMORY:,}, or {_STREAMED} if they are on disk)",
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        "--share", type=float, metavar="X", help="plan between all ternary (0) and all 8 bits (1)"
    )
    budget.add_argument(
        "--bytes", type=byte_count, metavar="N", help="plan of at most N bytes, such as 120kB"
    )
    parser.add_argument(
        "--write-plan", metavar="FILE", help="plan file to write (default: mixed.toml in DIR)"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="folder for results (default: that of the model)"
    )
    add_seed(parser, "the images that are drawn")
    add_threads(parser)
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, unless this is stored; print the table, draw the figure, write the plan."""
    from data_tools.lock import locked
    from tervit_np.analysis.sensitivity import check_share
    from tervit_np.analysis.surfaces.measure import draw_sample

    if args.write_plan and args.share is None and args.bytes is None:
        raise ValueError("--write-plan needs the size of the plan; give it with --share or --bytes")
    if args.share is not None:
        check_share(args.share)
    loaded = _open(args)
    data = _images(args, loaded)
    sample = draw_sample(data, _count(args.images, data), args.seed)
    stem = _stem(args, loaded)
    _check_writable(args, loaded, stem)
    with locked(stem.parent, stem.name):
        record = _measured(args, loaded, data, sample, stem)
        _show(args, loaded, data, sample, record, stem)
    return 0


def _show(
    args: argparse.Namespace,
    loaded: "LoadedModel",
    data: "LabelledSet",
    sample: "Sample",
    record: "Record",
    stem: Path,
) -> None:
    """Print the table, draw the figure, write the plan."""
    from tervit_np.analysis.sensitivity.figure import draw_sensitivity
    from tervit_np.analysis.sensitivity.table import LEGEND, headline, table
    from tervit_np.cli.layout import output_width
    from tervit_np.cli.tables import in_columns

    chosen = chosen_layers(args, record)
    print(f"{loaded.file} on {counted(len(sample[1]), 'image')} of {data.name} {data.split}")
    rows = table(record.measured, chosen)
    layers = in_columns(rows, len(rows[0]) - 1, output_width())
    print(headline(record.measured), layers, LEGEND, sep="\n\n")
    figure = stem.with_name(f"{stem.name}.png")
    print(f"\nfigure: {draw_sensitivity(record.measured, chosen or (), figure)}")
    if chosen is not None:
        write_plan(args, loaded, sample, record, chosen, stem)
    else:
        print("next: --share 0.25 writes a plan with 8 bits where they help most for their bytes")


def _open(args: argparse.Namespace) -> "LoadedModel":
    """Load the model: of a run by default the last stage that was trained without rounding."""
    from data_tools.terminal import note
    from tervit_np.models import plan_of

    loaded = open_model(args.model, args.stage or _float_stage(args.model))
    if loaded.model.packed:
        raise ValueError(
            f"{loaded.file} is packed and has no latent weights that could be rounded otherwise; "
            "name the run that it was exported from"
        )
    if plan_of(loaded.model).rules:
        note(
            f"{loaded.file} was trained with rounded weights; without rounding, as here, it may "
            "be a poor model, and the numbers say little about a float one"
        )
    return loaded


def _float_stage(source: str) -> str | None:
    """Return the last finished float stage of a run, None if there is none.

    The name of a trained model of the package is no run, as in `open_model`.
    """
    from tervit_np.deploy import trained_model
    from tervit_np.train.folder import RunFolder

    folder = RunFolder(source)
    if trained_model(source) is not None or not folder.config_file.is_file():
        return None
    names = [s["name"] for s in folder.read_run_config()["stages"] if s.get("plan") == "float"]
    finished = [name for name in names if folder.stage_file(name).exists()]
    return finished[-1] if finished else None


def _images(args: argparse.Namespace, loaded: "LoadedModel") -> "LabelledSet":
    """Load the images: those of the validation split, for the plan is chosen by them."""
    from data_tools import NoSuchSplit
    from data_tools.terminal import note

    if args.split is not None:
        return images_for(loaded, args.data, args.split)
    try:
        return images_for(loaded, args.data, "val")
    except NoSuchSplit:
        note("there is no validation split, so training images are measured; --split chooses")
        return images_for(loaded, args.data, "train")


def _count(images: int | None, data: "LabelledSet") -> int:
    from data_tools import StreamedSet

    default = _STREAMED if isinstance(data, StreamedSet) else _IN_MEMORY
    return min(default, len(data)) if images is None else images


def _stem(args: argparse.Namespace, loaded: "LoadedModel") -> Path:
    """Return where results go, without an ending: next to a trained model, else here."""
    own = loaded.data is not None
    folder = Path(args.out) if args.out else loaded.file.parent if own else Path()
    if not folder.is_dir():
        raise ValueError(f"--out: there is no folder {folder} to write into")
    return folder / ("sensitivity" if own else f"{loaded.file.stem}-sensitivity")


def _check_writable(args: argparse.Namespace, loaded: "LoadedModel", stem: Path) -> None:
    """Raise ValueError or OSError, before anything is measured, if a file cannot be written."""
    from tervit_np.files import check_writable

    results = {
        stem.with_name(f"{stem.name}.json"): "the file of measurements",
        stem.with_name(f"{stem.name}.png"): "the figure",
    }
    for file in results:
        check_writable(file)
    if args.share is not None or args.bytes is not None:
        plan = plan_file(args, stem)
        refuse_overwriting("--write-plan", plan, files_read(loaded) | results)
        check_writable(plan)


def _measured(
    args: argparse.Namespace,
    loaded: "LoadedModel",
    data: "LabelledSet",
    sample: "Sample",
    stem: Path,
) -> "Record":
    """Measure all layers and store it, or read what the same weights and images gave before."""
    from concurrent.futures import ThreadPoolExecutor

    from tervit_np.analysis.sensitivity import Record, Settings, layer_names, measure, tasks_of
    from tervit_np.analysis.sensitivity.record import stored_measurement, write_record
    from tervit_np.analysis.surfaces.partial_results import PartialResults, fingerprint
    from tervit_np.analysis.surfaces.runner import Runner
    from tervit_np.environment import environment
    from tervit_np.models import quantize
    from tervit_np.train.interrupt import StopRequest

    model = quantize(loaded.model, "float")
    key, began = fingerprint([model], sample), time.monotonic()
    file = stem.with_name(f"{stem.name}.json")
    if (stored := stored_measurement(file, key)) is not None:
        return stored
    partial = PartialResults(stem.with_name(f"{stem.name}.partial"))
    passes = len(tasks_of(layer_names(model)))
    with ThreadPoolExecutor(thread_count(args.threads)) as pool, StopRequest() as stop:
        meter = Meter(passes, len(sample[1]), stop, args.quiet)
        try:
            measured = measure(model, *sample, Runner(pool, partial, meter.add))
        finally:
            meter.progress.end()
    facts = (str(loaded.file), data.name, data.split, len(sample[1]), args.seed, key)
    seconds = round(time.monotonic() - began, 1)
    record = Record(Settings(*facts, command_line(), seconds, environment()), measured)
    write_record(record, file)
    partial.clear()
    return record
