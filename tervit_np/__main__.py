"""The entry of the command line: `tervit`, also `python -m tervit_np`.

It imports everything inside of `try`, so that Ctrl-C before the work begins prints no traceback.
"""

import signal
import sys


def main() -> int:
    """Run one command and return its exit code; 130 after Ctrl-C."""
    try:
        from tervit_np import cli

        return cli.main()
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is done: exit codes stay


if __name__ == "__main__":
    sys.exit(main())
