"""`tervit size`: parameters and bytes of a model, counted in four ways."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tervit_np.cli.options import refuse_overwriting
from tervit_np.cli.parser import CommandParser
from tervit_np.cli.plans import ChosenPlan, add_plan, chosen_plan

if TYPE_CHECKING:
    from tervit_np.analysis.sizes import Cost
    from tervit_np.cli.models import LoadedModel
    from tervit_np.models import Classifier
    from tervit_np.quant import Plan

HELP = """Count the parameters and bytes of a model.

The columns after the number of parameters are in MB (millions of bytes), or in kB (thousands) with
--layers and for small models:
  paper        as the paper counts: ternary weights 2 bits, everything else 8, no scales
  as stored    as in a packed file: ternary weights 1.6 bits, other codes their bits, scales and the
               rest float32
  FTerViT      as if every matrix and LayerNorm were ternary
  float32      without quantization"""
EXAMPLES = """\
  tervit size deit_small_patch16_224              one line per group of tensors
  tervit size deit_shapes --plan int8             with another plan
  tervit size deit_shapes --plan plan.toml        with a plan file
  tervit size deit_shapes --write-plan plan.toml  a plan file to begin with
  tervit size deit_shapes --layers                every tensor; bits and multiplications of layers
  tervit size weights.safetensors                 weights in a file
  tervit size deit_small_patch16_224 --activations --batch 32
                                                  memory for the backward pass"""

_COLUMNS = ("parameters", "paper", "as stored", "FTerViT", "float32")
_BATCH = 32  # images of a training step


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "model", metavar="MODEL", help="model name (see tv.list_models()), file or run folder"
    )
    add_plan(parser, "quantizers (default: those of a run or packed file, else ternary)")
    parser.add_argument(
        "--write-plan", metavar="FILE", help="write the plan as a file, to be edited by hand"
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--layers", action="store_true", help="list every tensor and layer")
    shown.add_argument(
        "--activations", action="store_true", help="list what a training step keeps in memory"
    )
    parser.add_argument(
        "--batch", type=int, metavar="N", help=f"images of that step (default: {_BATCH})"
    )


def run(args: argparse.Namespace) -> int:
    """Print the sizes, or with --activations the memory of a training step."""
    from tervit_np.cli.models import files_read, open_model
    from tervit_np.models import CONFIGS, build
    from tervit_np.models.calibration import assume_scales

    if args.batch is not None and not args.activations:
        raise ValueError("--batch is for --activations; no other size depends on it")
    loaded = None if args.model in CONFIGS else open_model(args.model)
    config = CONFIGS[args.model] if loaded is None else loaded.model.config
    stored = None if args.plan or loaded is None else _stored_plan(loaded)
    chosen = ChosenPlan("", stored) if stored else chosen_plan(args.plan or "ternary")
    title = f"{args.model}, " + (f"plan {chosen.text}" if chosen.text else "its own plan")
    model = chosen.quantize(build(config, None))  # sizes depend on shapes alone
    if args.write_plan:
        refuse_overwriting("--write-plan", Path(args.write_plan), files_read(loaded, args.plan))
        _write_plan(args, chosen, model)
    assume_scales(model)  # no size depends on them
    if args.activations:
        _print_activations(args, title, model)
    else:
        _print_sizes(args, title, model)
    if loaded is not None and loaded.model.packed:
        print(f"the file itself: {loaded.file.stat().st_size / 1e6:.3f} MB")
    return 0


def _write_plan(args: argparse.Namespace, chosen: ChosenPlan, model: "Classifier") -> None:
    """Write the plan of a model, with an entry for every layer that it leaves float."""
    from data_tools.counted import counted
    from tervit_np.quant.plan_file import complete, write_plan_file

    plan = complete(chosen.plan, model.quantizable())
    about = f"Plan {chosen.text or 'of ' + args.model}. The first entry that matches decides."
    write_plan_file(plan, args.write_plan, about)
    print(f"{args.write_plan}: {counted(len(plan.rules), 'entry')}\n")


def _stored_plan(loaded: "LoadedModel") -> "Plan | None":
    """Return the plan of a run or packed file; weights from elsewhere have none."""
    from tervit_np.deploy import stored_plan
    from tervit_np.models.quantization import plan_of

    if loaded.data is None:
        return None
    return stored_plan(loaded.file) if loaded.model.packed else plan_of(loaded.model)


def _print_sizes(args: argparse.Namespace, title: str, model: "Classifier") -> None:
    from tervit_np.analysis.sizes import costs, grouped
    from tervit_np.cli.tables import print_table
    from tervit_np.deploy.writing import packing_problem

    lines = [*(costs(model) if args.layers else []), *grouped(model)]
    in_kb = args.layers or lines[-1].stored < 1e6
    print(f"{title}, in {'kB' if in_kb else 'MB'}")
    print_table([("", *_COLUMNS), *(_cells(line, in_kb) for line in lines)], len(_COLUMNS))
    if problem := packing_problem(model):
        print(f'no packed file can be written, so "as stored" is a calculation: {problem}')
    if args.layers:
        print()
        _print_layers(model)


def _cells(line: "Cost", in_kb: bool) -> tuple[str, ...]:
    sizes = (line.paper, line.stored, line.ftervit, line.float32)
    texts = (f"{size / 1e3:,.2f}" if in_kb else f"{size / 1e6:.3f}" for size in sizes)
    return line.name, f"{line.parameters:,}", *texts


def _print_layers(model: "Classifier") -> None:
    """Print shape, bits of weights and activations, and multiply-accumulates of each layer."""
    from tervit_np.analysis.macs import bit_widths, macs
    from tervit_np.cli.tables import print_table

    counts = macs(model)
    rows = [("", "weight", "bits w / a", "million MACs")]
    for name, layer in model.quantizable():
        shape = "products" if layer.weight is None else " x ".join(map(str, layer.weight.shape))
        rows.append((name, shape, bit_widths(layer), f"{counts[name] / 1e6:.2f}"))
    rows.append(("all, one image", "", "", f"{sum(counts.values()) / 1e6:.2f}"))
    print_table(rows, len(rows[0]) - 1)


def _print_activations(args: argparse.Namespace, title: str, model: "Classifier") -> None:
    """Print the arrays that a training step keeps, and their total with recomputed blocks."""
    from tervit_np.analysis.activations import saved_activations
    from tervit_np.cli.tables import print_table

    batch = _BATCH if args.batch is None else args.batch
    if batch < 1:
        raise ValueError(f"--batch is {batch}; expected at least 1")
    kept = saved_activations(model, batch)
    rows = [("", "arrays", "shape", "MB")]
    for row in kept:
        shape = " x ".join(map(str, row.shape))
        rows.append((row.name, str(row.arrays), shape, f"{row.bytes / 1e6:.2f}"))
    rows.append(("all", str(sum(row.arrays for row in kept)), "", f"{_total(kept):.2f}"))
    print(f"{title}, batch {batch}: kept for the backward pass")
    print_table(rows, len(rows[0]) - 1)
    model.recompute = True
    recomputed = _total(saved_activations(model, batch))
    print(f"with --recompute: {recomputed:.2f} MB, plus the caches of one block")


def _total(rows: Any) -> float:
    return float(sum(row.bytes for row in rows)) / 1e6
