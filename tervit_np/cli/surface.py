"""`tervit surface`: measure and draw the loss surfaces of a run, and add them to its report."""

import argparse
import time
from typing import TYPE_CHECKING

from tervit_np.cli.meter import Meter
from tervit_np.cli.options import (
    add_processes,
    add_quiet,
    add_seed,
    add_threads,
    command_line,
    thread_count,
)
from tervit_np.cli.parser import CommandParser
from tervit_np.cli.plans import add_plan, chosen_plan

if TYPE_CHECKING:
    from pathlib import Path

    from tervit_np.analysis.surfaces.results import Settings
    from tervit_np.models import Classifier
    from tervit_np.quant import Plan

HELP = """Measure the loss surfaces of a run.

Measure the gap between float and ternary weights, the surfaces around the solutions of a run and
their curvature; write surface.json, figures and a section of the run's report."""
EXAMPLES = """\
  tervit surface runs/shapes                    measure everything, add it to the run's report
  tervit surface runs/cifar10 --images 1024     smaller error bars
  tervit surface runs/swin --no-curvature       no Hessian, which is slow for large models
  tervit surface runs/shapes --split test       on test images
  tervit surface runs/shapes --plan plan.toml   the gap of a plan file as well
  tervit surface runs/shapes --redraw           figures and text again, from surface.json

After Ctrl-C the same command continues."""


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    parser.add_argument("run_folder", metavar="RUN", help="folder of a finished run")
    parser.add_argument(
        "--images", type=int, default=512, metavar="N", help="images to measure on (default: 512)"
    )
    parser.add_argument(
        "--split",
        default="train",
        metavar="NAME",
        help="split that they are drawn from (default: train)",
    )
    parser.add_argument("--data", metavar="SET", help="data set (default: the run's)")
    parser.add_argument(
        "--grid",
        type=int,
        default=21,
        metavar="N",
        help="points along a side, odd; half as many for the stacked surfaces (default: 21)",
    )
    add_plan(parser, "also measure the gap of this plan")
    parser.add_argument("--no-curvature", action="store_true", help="skip the Hessian")
    parser.add_argument(
        "--redraw", action="store_true", help="measure nothing, draw from surface.json"
    )
    add_seed(parser, "images, directions and error bars")
    add_processes(parser, "measure")
    add_threads(parser)
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, unless --redraw; draw; print the gaps."""
    from pathlib import Path

    from tervit_np.analysis.surfaces.results import FILE, read_surfaces
    from tervit_np.analysis.surfaces.section import rewrite_report
    from tervit_np.train.folder import RunFolder

    folder = Path(args.run_folder)
    if args.redraw:
        _refuse_measuring(args)
    else:
        RunFolder(folder).stage_names()  # or there is nothing to measure and to lock
        with RunFolder(folder).lock():
            _measure(args, folder)
    surfaces = read_surfaces(folder / FILE)
    report = rewrite_report(folder)
    for gap in surfaces.gaps[0].gaps:
        print(f"{gap.name:<22} gap {gap.gap:+.4f} ± {gap.error:.4f}")
    print(f"{folder / FILE}" + ("" if report is None else f"\nreport: {report}"))
    return 0


def _refuse_measuring(args: argparse.Namespace) -> None:
    """Refuse options given with --redraw, which measures nothing."""
    names = ("images", "split", "data", "grid", "plan", "no_curvature", "seed")
    given = [name for name in names if getattr(args, name) != args.parser.get_default(name)]
    if given:
        option = given[0].replace("_", "-")
        raise ValueError(f"--{option} cannot be given with --redraw, which measures nothing")


def _measure(args: argparse.Namespace, folder: "Path") -> None:
    """Measure all surfaces and store them."""
    from concurrent.futures import ThreadPoolExecutor

    from tervit_np.analysis.surfaces import PartialResults, Runner
    from tervit_np.analysis.surfaces.measure import draw_sample, measure, run_models, total_passes
    from tervit_np.analysis.surfaces.results import write_surfaces
    from tervit_np.cli.model_images import images_for
    from tervit_np.cli.models import open_model
    from tervit_np.processes import process_pool
    from tervit_np.train.folder import RunFolder
    from tervit_np.train.interrupt import StopRequest

    began = time.monotonic()
    threads = thread_count(args.threads)
    if args.grid < 5 or args.grid % 2 == 0:
        raise ValueError(
            f"--grid is {args.grid}; expected an odd number of at least 5, so that the grid "
            "contains the model itself"
        )
    run = run_models(folder)
    kinds = _kinds(args.plan, run.models["float"])
    # By its file: a run folder may have the name of a trained model of the package.
    float_model = open_model(str(RunFolder(folder).stage_file(run.stages["float"])))
    data = images_for(float_model, args.data, args.split)
    images, labels = draw_sample(data, args.images, args.seed)
    settings = _settings(args, data.name, len(labels), run.stages)
    partial, with_curvature = PartialResults(folder / "surface.partial"), not args.no_curvature
    pool = ThreadPoolExecutor(threads) if args.processes is None else process_pool(args.processes)
    with pool as executor, StopRequest() as stop:
        passes = total_passes(args.grid, with_curvature, len(kinds))
        meter = Meter(passes, len(labels), stop, args.quiet)
        try:
            runner = Runner(executor, partial, meter.add)
            surfaces = measure(run.models, images, labels, settings, runner, with_curvature, kinds)
        finally:
            meter.progress.end()
    settings = settings._replace(seconds=round(time.monotonic() - began, 1))
    write_surfaces(surfaces._replace(settings=settings), folder)
    partial.clear()


def _kinds(plan: str | None, model: "Classifier") -> "dict[str, Plan]":
    """Return the roundings whose gaps are measured, with that of --plan as the last."""
    from tervit_np.analysis.surfaces import KINDS

    if plan is None:
        return KINDS
    chosen = chosen_plan(plan)
    chosen.check(model)
    return KINDS | {chosen.text: chosen.plan}


def _settings(
    args: argparse.Namespace, data: str, images: int, stages: dict[str, str]
) -> "Settings":
    from tervit_np.analysis.surfaces.results import Settings
    from tervit_np.environment import environment

    numbers = images, args.seed, args.grid
    return Settings(data, args.split, *numbers, stages, command_line(), 0.0, environment())
