"""`python -m tervit_np` is `tervit`."""

import sys

from tervit_np.cli import main

if __name__ == "__main__":
    sys.exit(main())
