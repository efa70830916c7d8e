"""Run the package on other versions of Python and of its packages, and in other surroundings.

    python -m tests.versions --here             this Python alone, in all surroundings, as in CI
    python -m tests.versions                    every Python here, with oldest and newest packages
    python -m tests.versions --pythons 3.13     this version of Python
    python -m tests.versions --list             which Pythons are found

For each Python an environment is made with the oldest versions that pyproject.toml allows, if there
are wheels of them for it, and one with the newest. In each, two programs run in each of the
surroundings below. One imports the package and computes loss and gradient of a ternary model in
float64, which must be the same to nine digits everywhere; the other is a command. Environments
are made by pip, so that this needs its index. The exit status is 1 if anything failed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
MINORS = range(11, 15)  # of Python 3: from the oldest supported to the newest that Numba takes
CODE = """
import numpy as np
import tervit_np as tv
model = tv.create_model("deit_shapes", num_classes=10, seed=0, dtype="float64")
tv.quantize(model, "ternary")
images = np.random.default_rng(0).normal(size=(4, 3, 32, 32))
logits, cache = model.forward(images)
loss, dlogits = tv.losses.cross_entropy(logits, np.eye(10)[:4])
model.backward(dlogits, cache)
norm = sum(float((p.grad**2).sum()) for _, p in model.named_params()) ** 0.5
text = f"{loss:.9f} {norm:.9f}"
"""
TELL = 'open(__import__("sys").argv[1], "w").write(text)'
WITHOUT_NUMBA = 'import sys; sys.modules["numba"] = None\n'
IS_READ_ONLY = (
    "import os, tervit_np; assert not os.access(os.path.dirname(tervit_np.__file__), os.W_OK)\n"
)
# For root permissions do not count, without this capability of Linux they do.
AS_ANYBODY = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
COMMAND = ("-m", "tervit_np", "size", "deit_shapes")


class Surroundings(NamedTuple):
    """How a program runs."""

    name: str
    options: tuple[str, ...] = ()  # of Python
    environment: Mapping[str, str | None] = {}  # None: not set
    shell: str = ""  # redirections
    before: str = ""  # code that runs first
    is_read_only: bool = False  # the package, from a copy


NOWHERE = "/dev/null/nowhere"
ALL = (
    Surroundings("as it is"),
    Surroundings("-W error", ("-W", "error")),
    Surroundings("no bytecode files", ("-B",)),
    Surroundings("no HOME", environment={"HOME": None, "XDG_CACHE_HOME": None}),
    Surroundings(
        "no writable cache",
        environment={"HOME": NOWHERE, "XDG_CACHE_HOME": NOWHERE, "TERVIT_DATA": NOWHERE},
    ),
    Surroundings("read-only package", before=IS_READ_ONLY, is_read_only=True),
    Surroundings("NUMBA_DISABLE_JIT", environment={"NUMBA_DISABLE_JIT": "1"}),
    Surroundings("without Numba", before=WITHOUT_NUMBA),
    Surroundings(
        "locale C",
        environment={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ),
    Surroundings("closed streams", shell="<&- >&- 2>&-"),
    Surroundings("no terminal", environment={"TERM": None, "COLUMNS": None}, shell="</dev/null"),
    Surroundings("optimised, -OO", ("-OO",)),
)


class Installed(NamedTuple):
    """A Python with the package's requirements."""

    python: Path
    name: str  # with the versions


def run(installed: Installed, how: Surroundings, folder: Path) -> str:
    """Run both programs.  -> the numbers of the first one, or what went wrong, after "failed"."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TERVIT_", "NUMBA_"))}
    environment |= {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    for name, value in how.environment.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    result = folder / f"{abs(hash((installed, how.name)))}.txt"
    result.touch()
    prefix = AS_ANYBODY if how.is_read_only and os.getuid() == 0 else ()
    if how.is_read_only:
        environment["PYTHONPATH"] = str(_read_only_copy(folder / "package"))
    code = how.before + CODE + TELL
    for program in (("-c", code, str(result)), COMMAND):
        command = [*prefix, str(installed.python), *how.options, *program]
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {how.shell}', "sh", *command],
            env=environment,
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
            timeout=600,
        )
        if done.returncode:
            return f"failed: {(done.stderr.strip() or str(done.returncode)).splitlines()[-1]}"
    return result.read_text() or "failed: nothing was computed"


def _read_only_copy(folder: Path) -> Path:
    """Copy the package, once, and take the right to write to it."""
    if not folder.exists():
        for package in ("tervit_np", "data_tools"):
            shutil.copytree(ROOT / package, folder / package)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
    return folder


def pythons() -> dict[str, Path]:
    """Find the supported Pythons of this machine, by version."""
    found = {}
    for minor in MINORS:
        candidates = [shutil.which(f"python3.{minor}"), *_of_pyenv(minor)]
        for python in filter(None, candidates):
            code = "import sys; print('%d.%d' % sys.version_info[:2])"
            done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
            if done.stdout.strip() == f"3.{minor}":
                found[f"3.{minor}"] = Path(python)
                break
    return found


def _of_pyenv(minor: int) -> list[str]:
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return [str(path) for path in sorted(root.glob(f"versions/3.{minor}.*/bin/python"))]


def requirements(oldest: bool) -> list[str]:
    """Return what pip installs: for the oldest, the first feature release that is allowed."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return [_oldest(text) if oldest else text for text in listed]


def _oldest(requirement: str) -> str:
    """Turn "numpy>=2.0" into "numpy==2.0.*", and "pillow>=11" into "pillow==11.0.*"."""
    name, version = re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement).groups()
    return f"{name}=={version}{'' if '.' in version else '.0'}.*"


@contextmanager
def environments(versions: Mapping[str, Path]) -> Iterator[list[Installed]]:
    """Make an environment with the oldest and one with the newest packages for each Python."""
    with tempfile.TemporaryDirectory() as temporary:
        os.chmod(temporary, 0o755)
        made = []
        for version, python in versions.items():
            for age in ("oldest", "newest"):
                folder = Path(temporary) / f"{version}-{age}"
                subprocess.run([python, "-m", "venv", folder], check=True)
                wanted = requirements(age == "oldest")
                installed = _install(folder / "bin" / "python", wanted)
                if installed is None:
                    print(f"Python {version}: pip finds no wheels of {', '.join(wanted)}")
                else:
                    print(f"installed: {installed.name}", flush=True)
                    made.append(installed)
        yield made


def _install(python: Path, wanted: list[str]) -> Installed | None:
    pip = [str(python), "-m", "pip", "install", "-q", "--only-binary", ":all:", *wanted]
    if subprocess.run(pip, capture_output=True, check=False).returncode:
        return None
    return Installed(python, _describe(python))


def _describe(python: Path | str) -> str:
    code = (
        "import platform, numpy, numba, PIL, matplotlib; print('Python', platform.python_version(),"
        "'NumPy', numpy.__version__, 'Numba', numba.__version__, 'Pillow', PIL.__version__,"
        "'Matplotlib', matplotlib.__version__)"
    )
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def run_all(rows: list[Installed], jobs: int) -> bool:
    """Run all rows in all surroundings, print a table.  -> whether all succeeded."""
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(jobs) as pool:
        folder, all_good, numbers = Path(temporary), True, set[str]()
        for row in rows:
            print(f"\n{row.name}", flush=True)
            tasks = [pool.submit(run, row, how, folder) for how in ALL]
            for how, task in zip(ALL, tasks, strict=True):
                result = task.result()
                print(f"    {how.name:<22}{result}", flush=True)
                all_good &= not result.startswith("failed")
                numbers.add(result)
    if all_good and len(numbers) > 1:
        print("\nthe numbers differ")
    return all_good and len(numbers) == 1


def main() -> int:
    """Run what the options select.  -> exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--here", action="store_true", help="this Python, without installing")
    parser.add_argument("--pythons", nargs="*", metavar="3.N", help="default: all that are found")
    parser.add_argument("--list", action="store_true", help="only list the Pythons")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    if args.here:
        return not run_all([Installed(Path(sys.executable), _describe(sys.executable))], args.jobs)
    found = pythons()
    if args.list:
        print("\n".join(f"{version}  {python}" for version, python in found.items()))
        return 0
    chosen = {v: p for v, p in found.items() if not args.pythons or v in args.pythons}
    with environments(chosen) as rows:
        return not (rows and run_all(rows, args.jobs))


if __name__ == "__main__":
    sys.exit(main())
