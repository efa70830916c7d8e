"""A picture that the reader names on the command line of a chapter."""

import re
import sys
from pathlib import Path

import numpy as np

from data_tools import DataError
from data_tools.pictures import decode, open_picture


def named_picture(size: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the picture named after the script, as it is and reduced.

    Returns uint8 (height, width, 3) and (size, size, 3), or None if none was
    named or an editor runs the script by cells. A file that is not a picture
    ends the script, before it has trained anything.
    """
    script = Path(sys.argv[0])
    is_chapter = re.fullmatch(r"\d\d_\w+\.py", script.name)
    if len(sys.argv) < 2 or not is_chapter:
        return None
    try:
        content = Path(sys.argv[1]).read_bytes()
        large = np.asarray(open_picture(content, sys.argv[1])[0])
        return large, decode(content, sys.argv[1], size)
    except FileNotFoundError:
        sys.exit(f"{script.stem}: {sys.argv[1]}: no such file")
    except (OSError, DataError) as problem:
        sys.exit(f"{script.stem}: {problem}")
