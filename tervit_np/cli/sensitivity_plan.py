"""The plan of `tervit sensitivity`: which layers get 8 bits, and the file that says so."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from data_tools.counted import counted
from data_tools.terminal import shell_line
from tervit_np.cli.new_run import DEFAULT_DATA
from tervit_np.cli.options import command_line

if TYPE_CHECKING:
    from tervit_np.analysis.sensitivity import Record
    from tervit_np.analysis.surfaces.measure import Sample
    from tervit_np.cli.models import LoadedModel


def plan_file(args: argparse.Namespace, stem: Path) -> Path:
    """Return the file to write: --write-plan, by default mixed.toml next to the results."""
    return Path(args.write_plan) if args.write_plan else stem.with_name("mixed.toml")


def chosen_layers(args: argparse.Namespace, record: "Record") -> list[str] | None:
    """Choose the layers that get 8 bits; None if no plan is asked for."""
    from tervit_np.analysis.sensitivity import budget_of_share, choose_layers

    if args.share is not None:
        return choose_layers(record.measured, budget_of_share(record.measured, args.share))
    return None if args.bytes is None else choose_layers(record.measured, args.bytes)


def write_plan(
    args: argparse.Namespace,
    loaded: "LoadedModel",
    sample: "Sample",
    record: "Record",
    chosen: list[str],
    stem: Path,
) -> None:
    """Write the plan and say its size, and what it does untrained."""
    from tervit_np.analysis.sensitivity import answers_with, plan_and_notes, size_with
    from tervit_np.quant import write_plan_file

    measured, settings = record.measured, record.settings
    plan, notes = plan_and_notes(measured, chosen)
    out = plan_file(args, stem)
    size = size_with(measured, chosen)
    about = (
        f"8 bits for {len(chosen)} of {len(measured.layers)} layers, {size:,} bytes as stored.\n"
        f"Made by {command_line()}\n"
        f"from {counted(settings.images, 'image')} of {settings.data} {settings.split}; "
        "nothing was trained."
    )
    loss, accuracy = answers_with(loaded.model, plan, *sample)
    write_plan_file(plan, out, about, notes)
    layers = f"8 bits for {len(chosen)} of {len(measured.layers)} layers"
    print(
        f"plan: {out}, {layers}, {size / 1e3:,.1f} kB as stored; untrained: loss {loss:.3f}, "
        f"accuracy {100 * accuracy:.1f} %"
    )
    train = ["tervit", "train", "--weights", str(loaded.file), "--stages", f"{out}:8"]
    if (data := args.data or loaded.data) != DEFAULT_DATA:
        train += ["--data", str(data)]
    print(f"next: {shell_line(train)}")
