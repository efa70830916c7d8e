"""The command line: `tervit COMMAND ...`, also `python -m tervit_np COMMAND ...`.

Each command is a module; `parser.Command` lists what it declares. Exit codes: 0 for success, 1 for
a check that failed, 2 for a request that cannot be met (one line says why), 130 after Ctrl-C.
"""

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from tervit_np import __version__
from tervit_np.cli import (
    bench,
    book,
    calibrate,
    check,
    compare,
    data,
    doctor,
    evaluate,
    exercise,
    export,
    learn,
    log,
    predict,
    sensitivity,
    size,
    startup,
    surface,
    train,
)
from tervit_np.cli.parser import Command, CommandParser, build_parser

COMMANDS: dict[str, Command] = {
    "train": train,
    "compare": compare,
    "log": log,
    "surface": surface,
    "eval": evaluate,
    "predict": predict,
    "calibrate": calibrate,
    "export": export,
    "size": size,
    "sensitivity": sensitivity,
    "check": check,
    "bench": bench,
    "data": data,
    "doctor": doctor,
    "learn": learn,
    "exercise": exercise,
    "book": book,
}


_SHOWN = 200  # characters of a path in a message


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    startup.prepare()
    from data_tools.terminal import plain_output  # imports NumPy

    out = sys.stdout
    with plain_output():
        try:
            return _run(argv)
        except BrokenPipeError:  # the reader of our output has closed it, as in `| head`
            return 0
        finally:
            _flush(out)


def _run(argv: Sequence[str] | None) -> int:
    """Parse and run one command; a request that cannot be met is one line.  -> exit code."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return 0
    startup.show_log()
    try:
        code = int(args.run(args))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as stopped:  # train.Interrupted, a subclass, says how to continue
        print(f"\n{str(stopped) or 'stopped'}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        raise
    except (ValueError, OSError, ImportError, MemoryError) as error:
        if os.environ.get("TERVIT_DEBUG"):
            raise
        from data_tools.terminal import StatusLine

        message = str(_in_words(error)).removeprefix(f"{args.command}: ")
        StatusLine().keep(f"tervit {args.command}: {message}")  # in place of progress
        return 2


def _in_words(error: Exception) -> object:
    """Return the error, or what it means where its own text is Python's."""
    if isinstance(error, MemoryError):
        detail = f" ({error})" if str(error) else ""
        return (
            f"this needs more memory than there is{detail}; close other programs, or take fewer or "
            "smaller pictures at a time, such as with --batch-size and --accumulate in training"
        )
    if isinstance(error, OSError) and error.strerror:
        named = (error.filename, error.filename2)  # of a copy both; numbers are open files
        names = [_shortened(name) for name in named if isinstance(name, str | bytes)]
        return f"{' to '.join(names)}: {error.strerror}" if names else error.strerror
    return error


def _shortened(path: str | bytes) -> str:
    name = os.fsdecode(path)
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."


def _flush(out: TextIO) -> None:
    """Write what a stream still holds, or drop it, lest Python fails at its end."""
    try:
        out.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def make_parser() -> CommandParser:
    """Return the parser of `tervit` with all its commands."""
    return build_parser(
        COMMANDS,
        version=f"tervit_np {__version__}",
        description="Train, quantize, examine and run ternary vision transformers, in NumPy.",
        epilog="""\
`tervit COMMAND --help` shows options and examples.

begin with:
  tervit predict photo.jpg  classify a picture with a ternary model of the package
  tervit train              train one of your own, in three minutes
  tervit learn              list the chapters of the course

environment:
  TERVIT_DATA      data folder (default: in the user's cache folder)
  TERVIT_BACKEND   numpy: run without compiled code
  TERVIT_KERNEL    kernel of packed models (default: the fastest here)
  TERVIT_DEBUG     1: show tracebacks""",
    )
