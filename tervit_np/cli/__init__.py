"""The command line: `tervit COMMAND ...`, also `python -m tervit_np COMMAND ...`.

A command is a module with `register(subparsers)`, which imports nothing heavy, and `run(args)`,
which does the work and returns the exit code: 0 for success, 1 for a check that failed, 2 for a
request that cannot be met (one clear line), 130 after Ctrl-C.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from tervit_np import __version__
from tervit_np.cli import (
    bench,
    check,
    compare,
    data,
    doctor,
    evaluate,
    exercise,
    export,
    predict,
    size,
    startup,
    surface,
    train,
)

COMMANDS = (
    train,
    compare,
    surface,
    evaluate,
    predict,
    export,
    size,
    check,
    bench,
    data,
    doctor,
    exercise,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    startup.prepare()
    parser = _parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return 0
    startup.show_waiting()
    try:
        return int(args.run(args))
    except KeyboardInterrupt as stopped:  # Interrupted is one, and says how to continue
        print(f"\n{str(stopped) or 'stopped'}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, ImportError) as error:
        if os.environ.get("TERVIT_DEBUG"):
            raise
        print(f"tervit {args.command}: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tervit",
        description="Ternary vision transformers, forward and backward by hand, in NumPy.",
        epilog="`tervit COMMAND --help` shows examples. TERVIT_DATA names the data folder, "
        "TERVIT_BACKEND=numpy runs without compiled code, TERVIT_DEBUG=1 shows tracebacks.",
    )
    parser.add_argument("--version", action="version", version=f"tervit_np {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for command in COMMANDS:
        command.register(commands)
    return parser
