"""Packages may be imported for the first time by several threads at once.

A package whose `__init__` imports its modules holds its own lock and waits for theirs. Who asks for
a module first and for its package second does the reverse: of two such threads one gets a
`_DeadlockError` (since Python 3.14 whenever the package is still being imported). So whoever is
outside of a package imports the package first, and then its modules.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tervit_np"
FOLDERS = [file.parent for file in PACKAGE.glob("*/**/__init__.py")]
NAMES = {".".join(folder.relative_to(PACKAGE.parent).parts): folder for folder in FOLDERS}
EAGER = sorted(  # packages whose __init__ imports their modules, but for those of commands
    name
    for name, folder in NAMES.items()
    if f"\nfrom {name}." in (folder / "__init__.py").read_text("utf-8")
    and not name.startswith(("tervit_np.cli", "tervit_np.exercises"))
)
RECORD = """
import _frozen_importlib as bootstrap, importlib, json, sys

find_and_load, asked = bootstrap._find_and_load, []

def record(name, import_):
    package = name.rpartition(".")[0]
    if package in {eager} and package not in sys.modules:
        asked.append(name)
    return find_and_load(name, import_)

bootstrap._find_and_load = record
for end in range(1, {package!r}.count(".") + 2):  # what contains it first
    importlib.import_module(".".join({package!r}.split(".")[:end]))
{then}
print(json.dumps(asked))
"""
AT_ONCE = """
import sys, threading, traceback
import tervit_np as tv

together, failed = threading.Barrier(2), []

def use(name):
    together.wait()
    try:
        getattr(tv, name)
    except BaseException as error:
        failed.append(traceback.format_exc())

threads = [threading.Thread(target=use, args=[name]) for name in sys.argv[1:]]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(*failed, sep="")
"""


def run(code, *arguments):
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("package", EAGER)
def test_a_package_is_imported_before_its_modules(package):
    asked = json.loads(run(RECORD.format(eager=set(EAGER), package=package, then="")))
    assert asked == []


@pytest.mark.parametrize(
    "use",
    [
        "tervit_np.environment.difference_of_predictions()",
        "from tervit_np.train import evaluate; "
        "sys.modules['tervit_np.train.evaluate'].with_packed_kernels(tv.create_model('deit_shapes'))",
    ],
)
def test_what_is_imported_on_first_use_asks_for_its_package_first(use):
    then = f"import tervit_np as tv, tervit_np.environment; {use}"
    asked = json.loads(run(RECORD.format(eager=set(EAGER), package="tervit_np", then=then)))
    assert asked == []


@pytest.mark.parametrize("names", [("quantize", "deploy"), ("checkpoints", "deploy"),
                                   ("train", "ops"), ("load_packed", "models")])  # fmt: skip
def test_two_threads_import_two_packages_at_once(names):
    assert run(AT_ONCE, *names).strip() == ""
