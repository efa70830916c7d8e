"""`tervit check`: every gradient by differences, and mistakes planted to see the checks fail."""

import argparse
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tervit_np.analysis.checks import Row
    from tervit_np.analysis.planting import Plant
    from tervit_np.models import Classifier

EXAMPLES = """examples:
  tervit check                                     operators, conventions, golden values
  tervit check --model deit_cifar                  every parameter of a model by name
  tervit check --model deit_cifar --plan ternary   the same through held quantizers
  tervit check --trained runs/shapes/ternary.npz   with trained weights and their quantizers
  tervit check --list-plants                       mistakes that can be planted
  tervit check --plant layernorm-mean              plant one and see it caught
  tervit check --all-plants                        plant all, one after the other"""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "check",
        help="check every gradient; plant mistakes and see them caught",
        description="Check gradients by finite differences, and check the checks.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--model", help="check every parameter of this model")
    what.add_argument("--trained", metavar="FILE", help="check a saved model")
    what.add_argument("--plant", metavar="NAME", help="plant one mistake")
    what.add_argument("--all-plants", action="store_true", help="plant every mistake in turn")
    what.add_argument("--list-plants", action="store_true")
    parser.add_argument("--plan", default="float", help="quantizers for --model (default: float)")
    parser.add_argument("--seed", type=int, default=0)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run what was asked for; 1 if a check failed that should not, or a plant slipped through."""
    if args.list_plants:
        return _list_plants()
    if args.all_plants:
        return _plant_all()
    if args.plant:
        return _plant_one(args.plant)
    if args.model or args.trained:
        return _check_model(args)
    return _check_everything(args.seed)


def _check_everything(seed: int) -> int:
    from tervit_np.analysis import checks

    began = time.monotonic()
    rows = [*checks.differences(seed), *checks.golden(), *checks.frozen(seed)]
    _print(rows)
    structure = list(checks.structure(seed))
    _print([row for row in structure if not row.ok])
    right = sum(row.ok for row in structure)
    print(f"structure    {right} of {len(structure)} properties hold: memory, accumulation, types")
    failed = sum(not row.ok for row in rows + structure)
    print(f"\n{_verdict(failed, len(rows) + len(structure))} in {time.monotonic() - began:.1f} s")
    return 1 if failed else 0


def _check_model(args: argparse.Namespace) -> int:
    import numpy as np

    from tervit_np.analysis.adjoint import LIMIT, adjoint_checks
    from tervit_np.analysis.checks import Row
    from tervit_np.analysis.diagnosis import likely_mistake
    from tervit_np.analysis.frozen import hold

    rng = np.random.default_rng(args.seed)
    model = hold(_model(args))
    size = model.config.image_size
    images = rng.normal(size=(2, 3, size, size))
    rows = []
    for found in adjoint_checks(model, images, rng):
        ok = bool(found.error <= LIMIT)
        rows.append(
            Row("adjoint", found.name, found.error, LIMIT, ok, "" if ok else likely_mistake(found))
        )
        _print(rows[-1:], head=len(rows) == 1)
    failed = sum(not row.ok for row in rows)
    print(f"\n{_verdict(failed, len(rows))}")
    return 1 if failed else 0


def _model(args: argparse.Namespace) -> "Classifier":
    """Build or load the model in float64."""
    import numpy as np

    from tervit_np.models import build, create_model, load_model, quantize
    from tervit_np.train.stages import plan_named

    if args.model:
        model = create_model(args.model, seed=args.seed, dtype="float64")
        return quantize(model, plan_named(args.plan))
    saved, _ = load_model(args.trained)
    wide = build(saved.config, np.random.default_rng(0), "float64")
    wide.load_state_dict(saved.state_dict())
    for (_, layer), (_, before) in zip(wide.quantizable(), saved.quantizable(), strict=True):
        layer.weight_quant, layer.act_quant = before.weight_quant, before.act_quant
    return wide


def _list_plants() -> int:
    from tervit_np.analysis.plants import PLANTS

    width = max(map(len, PLANTS))
    for plant in PLANTS.values():
        print(f"{plant.name:<{width}}  {plant.caught_by:<11}  {plant.about}")
    return 0


def _plant_one(name: str) -> int:
    from tervit_np.analysis.checks import CHECKS, caught_by
    from tervit_np.analysis.planting import planted
    from tervit_np.analysis.plants import find_plant

    plant = find_plant(name)
    print(f"planted: {plant.about}\n")
    _print_edits(plant)
    with planted(plant):
        rows = [row for row in CHECKS[plant.caught_by]() if not row.ok]
        _print(rows)
    caught = caught_by(plant)
    if plant.caught_by not in caught:
        print(f"\nnot caught: {plant.caught_by} should have failed")
        return 1
    blind = [kind for kind in CHECKS if kind not in caught]
    print(f"\ncaught by {', '.join(caught)}; {', '.join(blind)} saw nothing")
    return 0


def _plant_all() -> int:
    from tervit_np.analysis.checks import caught_by
    from tervit_np.analysis.plants import PLANTS

    width = max(map(len, PLANTS))
    slipped = 0
    for plant in PLANTS.values():
        caught = caught_by(plant)
        slipped += plant.caught_by not in caught
        words = f"caught by {', '.join(caught)}" if caught else "NOT CAUGHT"
        print(f"{plant.name:<{width}}  {words:<44} {plant.about}", flush=True)
    print(f"\n{len(PLANTS) - slipped} of {len(PLANTS)} planted mistakes caught as declared")
    return 1 if slipped else 0


def _print_edits(plant: "Plant") -> None:
    for edit in plant.edits:
        print(f"  {edit.module.replace('.', '/')}.py, {edit.name}")
        print(f"  - {edit.right}\n  + {edit.wrong}\n")


def _print(rows: "Iterable[Row]", head: bool = True) -> None:
    """Print a table; a failing row is followed by its diagnosis."""
    rows = list(rows)
    if rows and head:
        print(f"{'check':<12} {'what':<46} {'error':>8} {'limit':>8}")
    for row in rows:
        error = "" if row.error is None else f"{row.error:8.1e}"
        limit = "" if row.limit is None else f"{row.limit:8.0e}"
        verdict = "ok" if row.ok else "FAIL"
        print(f"{row.check:<12} {row.what:<46} {error:>8} {limit:>8}  {verdict}", flush=True)
        if not row.ok:
            print(f"{'':<12} {row.note}")


def _verdict(failed: int, total: int) -> str:
    return f"{failed} of {total} checks failed" if failed else f"all {total} checks passed"
