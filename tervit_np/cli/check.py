"""`tervit check`: every gradient by differences, and mistakes planted to see the checks fail."""

import argparse
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tervit_np.cli.options import add_seed
from tervit_np.cli.parser import CommandParser

if TYPE_CHECKING:
    from tervit_np.arrays import Array
    from tervit_np.models import Classifier
    from tervit_np.verify.checks import Row
    from tervit_np.verify.gradcheck import Difference
    from tervit_np.verify.mutation import Mutant

_FEWEST = 8  # gradients of a big model, however slow it is
HELP = """Check every gradient; plant mistakes and see them caught.

Check gradients by finite differences, and check the checks."""
EXAMPLES = """\
  tervit check                                     operators, conventions, golden values
  tervit check --model deit_cifar                  every parameter of a model by name
  tervit check --model deit_cifar --plan ternary   the same through held quantizers
  tervit check --model deit_base_patch16_224       as many parameters as a minute allows
  tervit check --trained runs/shapes               with trained weights and their quantizers
  tervit check --conventions                       what each quantizer does at its edges
  tervit check --list-mutants                      mistakes that can be planted
  tervit check --mutant layernorm-mean             plant one and see it caught
  tervit check --all-mutants                       plant all, one after the other"""


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--model", help="check every parameter of this model")
    what.add_argument("--trained", metavar="RUN_OR_FILE", help="check a saved model")
    what.add_argument("--mutant", metavar="NAME", help="plant one mistake and show what catches it")
    what.add_argument("--plant", dest="mutant", help=argparse.SUPPRESS)
    what.add_argument("--all-mutants", action="store_true", help="plant every mistake in turn")
    what.add_argument(
        "--conventions", action="store_true", help="print the conventions of the quantizers"
    )
    what.add_argument("--list-mutants", action="store_true", help="name them all")
    parser.add_argument("--plan", default="float", help="quantizers for --model (default: float)")
    parser.add_argument(
        "--budget", type=float, default=60, metavar="SECONDS", help="for --model (default: 60)"
    )
    add_seed(parser, "the checked arrays")


def run(args: argparse.Namespace) -> int:
    """Run what was asked for; 1 if a check failed that should not, or a plant slipped through."""
    if args.list_mutants:
        return _list_mutants()
    if args.conventions:
        return _list_conventions()
    if args.all_mutants:
        return _run_all_mutants()
    if args.mutant:
        return _run_mutant(args.mutant, args.seed)
    if args.model or args.trained:
        return _check_model(args)
    return _check_everything(args.seed)


def _check_everything(seed: int) -> int:
    from tervit_np.verify import checks

    began = time.monotonic()
    rows = [*checks.differences(seed), *checks.golden(seed), *checks.frozen(seed)]
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

    from tervit_np.verify.adjoint import LIMIT, adjoint_checks, first_wrong, lengths
    from tervit_np.verify.checks import to_row
    from tervit_np.verify.frozen import hold

    rng = np.random.default_rng(args.seed)
    model = hold(_model(args))
    size = model.config.image_size
    images = rng.normal(size=(2, 3, size, size))
    found: list[Difference] = []
    for difference in adjoint_checks(model, images, rng, _affordable(model, images, args.budget)):
        row = to_row("adjoint", difference, LIMIT, lengths(model.config, len(images)))
        _print([row], head=not found)
        found.append(difference)
    wrong = first_wrong(found)
    if wrong is not None:
        print(f"\n{wrong[0].name}: {wrong[1]}")
    failed = sum(not difference.error <= LIMIT for difference in found)
    print(f"\n{_verdict(failed, len(found))}")
    return 1 if failed else 0


def _affordable(model: "Classifier", images: "Array", seconds: float) -> list[str] | None:
    """Choose parameters spread over the model, two forwards each; None where all fit."""
    began = time.monotonic()
    model.forward(images)
    one = time.monotonic() - began
    names = ["images", *(name for name, _ in model.named_params())]
    count = max(int(seconds / (2 * one)), _FEWEST)
    if count >= len(names):
        return None
    print(
        f"{count} of {len(names)} gradients, spread from the images to the logits: a forward takes "
        f"{one:.1f} s, and --budget gives {seconds:g} s\n"
    )
    return [names[i * (len(names) - 1) // (count - 1)] for i in range(count)]


def _model(args: argparse.Namespace) -> "Classifier":
    """Build or load the model in float64."""
    import numpy as np

    from tervit_np.checkpoints import load_model
    from tervit_np.cli.models import model_file
    from tervit_np.models import build, create_model, quantize
    from tervit_np.train.stages import plan_named

    if args.model:
        model = create_model(args.model, seed=args.seed, dtype="float64")
        return quantize(model, plan_named(args.plan))
    saved, _ = load_model(model_file(args.trained, None))
    wide = build(saved.config, np.random.default_rng(0), "float64")
    wide.load_state_dict(saved.state_dict())
    for (_, layer), (_, before) in zip(wide.quantizable(), saved.quantizable(), strict=True):
        layer.weight_quant, layer.act_quant = before.weight_quant, before.act_quant
    return wide


def _list_conventions() -> int:
    from tervit_np.quant import conventions

    for name, convention in conventions().items():
        print(name)
        for question, answer in convention._asdict().items():
            print(f"  {question:<9} {answer}")
    return 0


def _list_mutants() -> int:
    from tervit_np.verify.mutants import MUTANTS

    width = max(map(len, MUTANTS))
    for mutant in MUTANTS.values():
        print(f"{mutant.name:<{width}}  {mutant.caught_by:<11}  {mutant.about}")
    return 0


def _run_mutant(name: str, seed: int) -> int:
    from tervit_np.verify.checks import CHECKS, caught_by
    from tervit_np.verify.mutants import find_mutant
    from tervit_np.verify.mutation import mutated

    mutant = find_mutant(name)
    print(f"planted: {mutant.about}\n")
    _print_edits(mutant)
    with mutated(mutant):
        rows = [row for row in CHECKS[mutant.caught_by](seed) if not row.ok]
        _print(rows)
    caught = caught_by(mutant)
    if mutant.caught_by not in caught:
        print(f"\nnot caught: {mutant.caught_by} should have failed")
        return 1
    blind = [kind for kind in CHECKS if kind not in caught]
    print(f"\ncaught by {', '.join(caught)}; {', '.join(blind)} saw nothing")
    return 0


def _run_all_mutants() -> int:
    from tervit_np.verify.checks import caught_by
    from tervit_np.verify.mutants import MUTANTS

    width = max(map(len, MUTANTS))
    slipped = 0
    for mutant in MUTANTS.values():
        caught = caught_by(mutant)
        slipped += mutant.caught_by not in caught
        words = f"caught by {', '.join(caught)}" if caught else "NOT CAUGHT"
        print(f"{mutant.name:<{width}}  {words:<44} {mutant.about}", flush=True)
    print(f"\n{len(MUTANTS) - slipped} of {len(MUTANTS)} planted mistakes caught as declared")
    return 1 if slipped else 0


def _print_edits(mutant: "Mutant") -> None:
    for edit in mutant.edits:
        print(f"  {edit.module.replace('.', '/')}.py, {edit.name}")
        print(f"  - {edit.right}\n  + {edit.wrong}\n")


def _print(rows: "Iterable[Row]", head: bool = True) -> None:
    """Print a table; failing rows are followed by their diagnosis, once where it is the same."""
    rows = list(rows)
    width = max([46, *(len(row.what) for row in rows)])
    if rows and head:
        print(f"{'check':<12} {'what':<{width}} {'error':>8} {'limit':>8}")
    for i, row in enumerate(rows):
        error = "" if row.error is None else f"{row.error:8.1e}"
        limit = "" if row.limit is None else f"{row.limit:8.0e}"
        verdict = "ok" if row.ok else "FAIL"
        print(f"{row.check:<12} {row.what:<{width}} {error:>8} {limit:>8}  {verdict}", flush=True)
        if row.note and (i + 1 == len(rows) or rows[i + 1].note != row.note):
            print(f"{'':<12} {row.note}")


def _verdict(failed: int, total: int) -> str:
    return f"{failed} of {total} checks failed" if failed else f"all {total} checks passed"
