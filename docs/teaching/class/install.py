"""Install tervit_np from this folder, without a network.

    python3 install.py

Makes the environment `tervit-env` in the current folder, or in the one that is named.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
WHEELS = HERE / "wheels"
OLDEST = (3, 11)


def main() -> int:
    """Make the environment, install the wheels in it, say what to type next."""
    here = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("tervit-env")
    if sys.version_info < OLDEST:
        return _refuse(f"this is Python {_version()}; at least {_version(OLDEST)} is needed")
    if here.exists():
        return _refuse(f"{here} exists; delete it, or name another folder: install.py FOLDER")
    print(f"making {here} ...", flush=True)
    venv.create(here, with_pip=True)
    programs = here / ("Scripts" if os.name == "nt" else "bin")
    pip = [programs / "python", "-m", "pip", "--isolated", "--disable-pip-version-check"]
    command = [*pip, "install", "-q", "--no-index", "--find-links", WHEELS, "tervit-np"]
    if subprocess.run(list(map(str, command))).returncode:
        names = ", ".join(sorted({wheel.name.split("-")[2] for wheel in WHEELS.glob("numpy-*")}))
        return _refuse(
            f"the wheels do not fit: this is Python {_version()} on {sys.platform}, and NumPy is "
            f"there for {names or 'no Python'}"
        )
    activate = programs / "activate"
    print("installed. Now type, the first line in each new terminal:")
    print(f"  {activate}" if os.name == "nt" else f"  source {activate}")
    print(f"  tervit predict shapes {HERE / 'picture.png'}\n  tervit learn 1\n  tervit exercise")
    return 0


def _refuse(why: str) -> int:
    print(f"install.py: {why}", file=sys.stderr)
    return 2


def _version(version: tuple[int, ...] = sys.version_info[:2]) -> str:
    return ".".join(map(str, version))


if __name__ == "__main__":
    sys.exit(main())
