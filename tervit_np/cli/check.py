"""`tervit check`: check every gradient, and test the checks with mutants."""

import argparse
import time
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tervit_np.cli.layout import hang
from tervit_np.cli.options import add_seed
from tervit_np.cli.parser import CommandParser
from tervit_np.cli.plans import add_plan

if TYPE_CHECKING:
    from tervit_np.arrays import Array
    from tervit_np.models import Classifier
    from tervit_np.verify.checks import Row
    from tervit_np.verify.gradcheck import GradientCheck
    from tervit_np.verify.mutation import Mutant

_BUDGET = 60  # seconds for a model
_MIN_GRADIENTS = 8  # of a large model, even if --budget does not suffice
HELP = """Check every gradient, and test the checks.

Check gradients by finite differences, and results against golden values, which an independent
framework computed. A mutant is a mistake planted in the source; every mutant must make a check
fail."""
EXAMPLES = """\
  tervit check                                     operators, conventions, golden values
  tervit check --model deit_cifar                  every parameter of a model by name
  tervit check --model deit_cifar --plan ternary   the same with frozen quantizers
  tervit check --model deit_base_patch16_224       as many parameters as a minute allows
  tervit check --trained runs/shapes               with trained weights and their quantizers
  tervit check --conventions                       what each quantizer does at its limits
  tervit check --list-mutants                      all mutants, and what catches them
  tervit check --mutant layernorm-mean             one mutant, and the checks that fail
  tervit check --all-mutants                       all mutants, one after the other"""


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--model", metavar="NAME", help="check every parameter of this model")
    what.add_argument("--trained", metavar="MODEL", help="check a saved model: a run or a file")
    what.add_argument("--mutant", metavar="NAME", help="show the checks that catch this mutant")
    what.add_argument("--plant", dest="mutant", help=argparse.SUPPRESS)  # the former name
    what.add_argument("--all-mutants", action="store_true", help="run all mutants in turn")
    what.add_argument(
        "--conventions", action="store_true", help="print the conventions of the quantizers"
    )
    what.add_argument("--list-mutants", action="store_true", help="list all mutants")
    add_plan(parser, "quantizers for --model (default: float)")
    parser.add_argument(
        "--budget",
        type=float,
        metavar="SECONDS",
        help=f"time for --model and --trained (default: {_BUDGET})",
    )
    add_seed(parser, "the checked arrays")


def run(args: argparse.Namespace) -> int:
    """Run what was asked for.  -> 1 if a check failed without a mutant, or none did with one."""
    if args.plan is not None and args.model is None:
        raise ValueError("--plan is for --model; a saved model is checked with its own quantizers")
    if args.budget is not None and args.model is None and args.trained is None:
        raise ValueError("--budget is for --model and --trained; other checks are always complete")
    if args.budget is not None and not args.budget >= 0:
        raise ValueError(f"--budget is {args.budget:g}; expected seconds, at least 0")
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
    return _check_all(args.seed)


def _check_all(seed: int) -> int:
    from tervit_np.verify import checks

    start = time.monotonic()
    rows = [*checks.differences(seed), *checks.golden(seed), *checks.frozen(seed)]
    _print(rows)
    contracts = list(checks.contracts(seed))
    _print([row for row in contracts if not row.ok])
    holding = sum(row.ok for row in contracts)
    print(f"contracts   {holding} of {len(contracts)} hold: aliasing, accumulation, dtype")
    failed = sum(not row.ok for row in rows + contracts)
    print(f"\n{_verdict(failed, len(rows) + len(contracts))} in {time.monotonic() - start:.1f} s")
    return 1 if failed else 0


def _check_model(args: argparse.Namespace) -> int:
    import numpy as np

    from tervit_np.models import calibrate
    from tervit_np.verify.adjoint import LIMIT, adjoint_checks, locate_mistake, model_factors
    from tervit_np.verify.checks import gradient_row
    from tervit_np.verify.frozen import freeze

    rng = np.random.default_rng(args.seed)
    model = _model(args)
    size = model.config.image_size
    images = rng.normal(size=(2, 3, size, size))
    # Not min-max or least squares: the largest value at the very end of its grid has no derivative.
    calibrate(model, images, "percentile", recalibrate=False)
    model = freeze(model)
    factors = model_factors(model.config, len(images))
    checks: list[GradientCheck] = []
    names = _affordable(model, images, _BUDGET if args.budget is None else args.budget)
    for check in adjoint_checks(model, images, rng, names):
        _print([gradient_row("adjoint", check, LIMIT, factors)], head=not checks)
        checks.append(check)
    if (located := locate_mistake(checks)) is not None:
        wrong, where = located
        print(f"\n{wrong.name}: {where}")
    failed = sum(not check.error <= LIMIT for check in checks)
    print(f"\n{_verdict(failed, len(checks))}")
    return 1 if failed else 0


def _affordable(model: "Classifier", images: "Array", seconds: float) -> list[str] | None:
    """Choose parameters spread over the model, two forward passes each; None if all fit."""
    start = time.perf_counter()  # a small model takes less than a tick of other clocks
    model.forward(images)
    seconds_each = time.perf_counter() - start
    names = ["images", *(name for name, _ in model.named_params())]
    if seconds >= 2 * seconds_each * len(names):
        return None
    count = max(int(seconds / (2 * seconds_each)), _MIN_GRADIENTS)
    if count >= len(names):
        return None
    print(
        f"{count} of {len(names)} gradients, spread from images to logits: a forward pass takes "
        f"{seconds_each:.1f} s, and --budget is {seconds:g} s\n"
    )
    return [names[i * (len(names) - 1) // (count - 1)] for i in range(count)]


def _model(args: argparse.Namespace) -> "Classifier":
    """Build or load the model in float64."""
    import numpy as np

    from tervit_np.checkpoints import load_model
    from tervit_np.cli.models import model_file
    from tervit_np.cli.plans import chosen_plan
    from tervit_np.deploy import is_packed
    from tervit_np.models import build, create_model, plan_of, quantize

    if args.model:
        model = create_model(args.model, seed=args.seed, dtype="float64")
        return chosen_plan(args.plan or "float").quantize(model)
    file = model_file(args.trained, None)
    if is_packed(file):
        raise ValueError(
            f"{file} is packed and has no gradients; name the run that it was exported from"
        )
    saved, _ = load_model(file)
    model = quantize(build(saved.config, np.random.default_rng(0), "float64"), plan_of(saved))
    model.load_state_dict(saved.state_dict())
    return model


def _list_conventions() -> int:
    from tervit_np.quant import conventions

    for name, convention in conventions().items():
        print(name)
        for question, answer in convention._asdict().items():
            print(hang(f"  {question:<9} ", answer))
    return 0


def _list_mutants() -> int:
    from tervit_np.verify.mutants import MUTANTS

    width = max(map(len, MUTANTS))
    for mutant in MUTANTS.values():
        print(hang(f"{mutant.name:<{width}}  {mutant.caught_by:<11}  ", mutant.about))
    return 0


def _run_mutant(name: str, seed: int) -> int:
    from tervit_np.verify.checks import CHECKS, ROW_CHECKS, failures
    from tervit_np.verify.mutants import find_mutant
    from tervit_np.verify.mutation import mutated

    mutant = find_mutant(name)
    print(f"mutant: {mutant.about}\n")
    _print_edits(mutant)
    with mutated(mutant):
        failed = {kind: list(failures(kind, seed)) for kind in CHECKS}
    rows = [row for kind in failed.values() for row in kind]
    _print(rows)
    if not failed[mutant.caught_by]:
        print(f"\nnot caught: {mutant.caught_by} should have failed")
        return 1
    counts = Counter(row.check for row in rows)
    caught = ", ".join(f"{check} ({count})" for check, count in counts.items())
    passed = ", ".join(check for check in ROW_CHECKS if check not in counts)
    print(f"\ncaught by {caught}" + (f"; {passed} saw nothing" if passed else ""))
    return 0


def _run_all_mutants() -> int:
    from tervit_np.verify.checks import caught_by
    from tervit_np.verify.mutants import MUTANTS

    width = max(map(len, MUTANTS))
    missed = 0
    for mutant in MUTANTS.values():
        caught = caught_by(mutant)
        missed += mutant.caught_by not in caught
        outcome = f"caught by {', '.join(caught)}" if caught else "NOT CAUGHT"
        print(f"{mutant.name:<{width}}  {outcome}")
        print(hang(" " * (width + 2), mutant.about), flush=True)
    print(f"\n{len(MUTANTS) - missed} of {len(MUTANTS)} mutants caught by the declared check")
    return 1 if missed else 0


def _print_edits(mutant: "Mutant") -> None:
    for edit in mutant.edits:
        print(f"  {edit.module.replace('.', '/')}.py, {edit.name}")
        print(f"  - {edit.original}\n  + {edit.replacement}\n")


def _print(rows: "Iterable[Row]", head: bool = True) -> None:
    """Print a table; the note of failing rows follows them, once if consecutive ones share it."""
    rows = list(rows)
    width = max([46, *(len(row.what) for row in rows)])
    if rows and head:
        print(f"{'check':<11} {'what':<{width}} {'error':>8} {'limit':>6}")
    for i, row in enumerate(rows):
        error = "" if row.error is None else f"{row.error:8.1e}"
        limit = "" if row.limit is None else f"{row.limit:.0e}"
        verdict = "ok" if row.ok else "FAIL"
        print(f"{row.check:<11} {row.what:<{width}} {error:>8} {limit:>6}  {verdict}", flush=True)
        if row.note and (i + 1 == len(rows) or rows[i + 1].note != row.note):
            print(hang(" " * 12, row.note))


def _verdict(failed: int, total: int) -> str:
    return f"{failed} of {total} checks failed" if failed else f"all {total} checks passed"
