"""Read TOML that may be damaged, edited or hostile: plans of comparisons, plans of quantizers."""

import re
import tomllib
from pathlib import Path
from typing import Any

from tervit_np.files import read_bounded

_LONGEST = 200_000  # bytes
# Dotted keys of many parts, which tomllib reads in a time that grows with their square.
_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){64}""")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    ValueError
        If there is no such file, or it is not TOML; the message is one sentence with the line.
    """
    try:
        return tomllib.loads(_text(path))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; expected a plan in TOML") from None
    except IsADirectoryError:
        raise ValueError(f"{path} is a folder; expected a plan in TOML") from None
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{path} is not TOML: {error}{_hint(str(error))}") from None


def _text(path: Path) -> str:
    """Read the text; ValueError if tomllib could need very long for it."""
    text = read_bounded(path, _LONGEST).decode("utf-8-sig")
    if _LONG_KEY.search(text):
        raise ValueError("a key has more than 64 parts")
    return text


def _hint(problem: str) -> str:
    """Say how to write a regular expression, whose backslashes are an error between "..."."""
    return "; write a text with backslashes between '...'" if "\\" in problem else ""
