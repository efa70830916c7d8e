"""`tervit train`: train a preset or your own list of stages, and write a run folder."""

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tervit_np.cli.options import thread_count, worker_count
from tervit_np.cli.train_options import EXAMPLES, HELP, add_arguments

__all__ = ["EXAMPLES", "HELP", "add_arguments", "run"]

if TYPE_CHECKING:
    from tervit_np.train import RunArguments
    from tervit_np.train.ranks import Ranks

_WITH_RESUME = ("resume", "lower_lr", "threads", "workers", "quiet", "help")


def run(args: argparse.Namespace) -> int:
    """Train, write the report, print the accuracies."""
    from tervit_np.cli.new_run import describe_recipe
    from tervit_np.train.ranks import current_ranks

    if args.show_recipe and args.resume is None:
        print(describe_recipe(args))
        return 0
    if args.lower_lr is not None and args.resume is None:
        raise ValueError("--lower-lr continues a run; add --resume RUN")
    ranks = current_ranks()
    args.quiet = args.quiet or ranks.rank > 0
    with ranks.together():
        return _run(args, ranks)


def _run(args: argparse.Namespace, ranks: "Ranks") -> int:
    """Train on all ranks.  -> exit code."""
    from tervit_np import train
    from tervit_np.cli.new_run import arguments_from_options, run_folder
    from tervit_np.train.folder import RunFolder
    from tervit_np.train.shared_folder import SharedFolder

    if args.resume is None:
        if args.threads is None and ranks.local_size > 1:
            args.threads = max(thread_count(None) // ranks.local_size, 1)
        arguments = arguments_from_options(args)
        out = ranks.first(lambda: run_folder(args.out, args.data))
    else:
        out = Path(args.resume)
        run_config = ranks.first(lambda: _config_to_resume(args, out))
        arguments = train.run_arguments_from(run_config)
        if args.threads is not None:
            arguments = arguments._replace(threads=thread_count(args.threads))
    folder = RunFolder(out) if ranks.rank == 0 else SharedFolder(out)
    with folder.lock():
        return _train(args, arguments, out, ranks)


def _config_to_resume(args: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Read the configuration of a run, with lower rates if they are asked for."""
    from tervit_np.train.folder import RunFolder

    run_config = RunFolder(out).read_run_config()
    _refuse_other_options(args)
    return run_config if args.lower_lr is None else _with_lower_rates(out, args.lower_lr)


def _with_lower_rates(out: Path, factor: float) -> dict[str, Any]:
    """Lower the rates of a run, and say to what.  -> its configuration."""
    from data_tools.terminal import note
    from tervit_np.train.folder import RunFolder
    from tervit_np.train.lower_lr import lower_lr

    folder = RunFolder(out)
    with folder.lock():
        run_config = lower_lr(folder, factor)
    change = run_config["lr_changes"][-1]
    (stage,) = (s for s in run_config["stages"] if s["name"] == change["stage"])
    note(f"stage {stage['name']} continues after step {change['step']} at a peak learning rate of "
         f"{stage['lr']:g}")  # fmt: skip
    return run_config


def _refuse_other_options(args: argparse.Namespace) -> None:
    """Refuse options given with --resume that a run cannot change."""
    from data_tools.terminal import shell_word

    options = [action for action in args.parser._actions if action.dest not in _WITH_RESUME]
    values = [(action, getattr(args, action.dest, None)) for action in options]
    given = [
        action.option_strings[-1 if value is False else 0]  # --no-... comes last
        for action, value in values
        if value is not None
    ]
    if given:
        raise ValueError(
            f"{' and '.join(given)} cannot be given with --resume, which continues a run with the "
            f"options that it began with; leave {'it' if len(given) == 1 else 'them'} out, or "
            f"begin a new run from its weights: --weights {shell_word(args.resume)}"
        )


def _train(args: argparse.Namespace, arguments: "RunArguments", out: Path, ranks: "Ranks") -> int:
    """Train in a folder that is locked.  -> exit code."""
    from data_tools.paths import FULL_DISK
    from data_tools.terminal import shell_word
    from tervit_np import train
    from tervit_np.train.folder import RunFolder

    began = time.monotonic()
    try:
        results = train.run(
            arguments.model,
            arguments.stages,
            arguments.data,
            out,
            resume=args.resume is not None,
            recipe=arguments.recipe,
            seed=arguments.seed,
            threads=arguments.threads,
            workers=_workers_each(args.workers, ranks),
            quiet=args.quiet,
            command=arguments.command,
            ranks=ranks,
        )
    except OSError as error:
        if not (out / "run.json").exists():
            raise
        first = "free space and " if error.errno in FULL_DISK else ""
        raise OSError(
            f"{error}; {first}continue with `tervit train --resume {shell_word(out)}`"
        ) from None
    if ranks.rank > 0:
        return 0
    accuracies = "  ".join(f"{r.stage} {100 * r.accuracy:.1f}" for r in results)
    page = _report(out, arguments)
    RunFolder(out).log(kind="run", seconds=round(time.monotonic() - began, 1))
    if page is not None:
        print(f"report: {page}")
    print(f"test accuracy: {accuracies}")
    if page is not None and not args.quiet:
        print(
            "next: open the report in a browser\n"
            f"      tervit predict {shell_word(out)} PICTURE     classifies a picture\n"
            "      tervit exercise     lets you write the library's functions"
        )
    return 0 if page is not None else 2


def _workers_each(workers: int | None, ranks: "Ranks") -> int:
    """Return the decoding processes of this rank: without --workers, ranks share the cores."""
    count = worker_count(workers)
    return max(count // ranks.local_size, 1) if workers is None else count


def _report(out: Path, arguments: "RunArguments") -> Path | None:
    """Write the report; None if that failed, which must not cost the last lines."""
    from data_tools.terminal import printable, shell_word
    from tervit_np.analysis.report import write_report

    try:
        return write_report(out, arguments.data.test, threads=arguments.threads)
    except (ValueError, OSError, ImportError) as error:
        print(
            f"tervit train: the models are in {out}, but no report: {printable(error)}; "
            f"`tervit train --resume {shell_word(out)}` tries again",
            file=sys.stderr,
        )
        return None
