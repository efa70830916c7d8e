"""Run the tests of arithmetic with other seeds, and as if on other processors.

    python -m tests.processors                 about 40 configurations, under an hour on one core
    python -m tests.processors --float32       the same with more tests: some hours
    python -m tests.processors --short         a few that take seconds, as in CI
    python -m tests.processors --only Numba    those whose name holds this text
    python -m tests.processors --list          what would run here, and what cannot
    python -m tests.processors tests/bits      the stored bits alone, in all configurations
    python -m tests.bits.record                their hashes in each, for the table of docs/bits.md

Processors sum in other orders, with other vectors, and with or without fused multiply-adds: the
last bits of float32 results differ, and a test that takes one processor's bits for granted fails on
the next one. A configuration is an environment in which pytest runs the marked tests:

    seeds               TERVIT_TEST_SEED, which all generators of tests/rounding.py read
    compiled code       NUMBA_CPU_NAME and NUMBA_CPU_FEATURES: code for another processor
    NumPy's code        OPENBLAS_CORETYPE, with NPY_DISABLE_CPU_FEATURES to match
    all of both         as if this were a Haswell
    kernel cache        empty, so that no machine code comes from a file
    integer kernels     TERVIT_KERNEL, each variant that runs here
    without Numba       TERVIT_BACKEND=numpy; and an interpreter that cannot import Numba
    threads             two BLAS threads; one is the default

They are the tests marked `rounding`; `--float32` adds, on other processors, those marked `float32`
(tests/conftest.py), which compare float32 with float64 and have no rounding between. Compiling for
another processor takes minutes the first time; Numba's cache keeps the code. What this processor
cannot run is skipped and the reason is given. The exit status is 1 if a test failed anywhere.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tervit_np import blas
from tervit_np.backends import backend_name
from tervit_np.environment import usable_cores
from tervit_np.kernels import VARIANTS, isa, selected_variant

ROOT = Path(__file__).parents[1]
SEEDS = range(1, 21)
X86_64_V2 = ("sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cx16")
HASWELL = (*X86_64_V2, "avx", "avx2", "fma", "f16c", "bmi", "bmi2", "lzcnt", "movbe")
SKYLAKE = (*HASWELL, "avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl")
TARGETS = {  # of LLVM: the features that code for them may use
    "x86-64-v2": X86_64_V2,
    "haswell": HASWELL,
    "skylake-avx512": SKYLAKE,
    "cortex-a72": ("neon",),
    "neoverse-n1": ("neon", "dotprod"),
}
CORES = {"Sandybridge": "avx", "Haswell": "avx2", "Zen": "avx2", "SkylakeX": "avx512f"}
NUMPY_AVX2, NUMPY_AVX512 = ("AVX2", "FMA3", "X86_V3"), ("AVX512", "X86_V4")
OWN = ("TERVIT_BACKEND", "TERVIT_KERNEL", "TERVIT_TEST_SEED", "NUMBA_CPU_NAME",
       "NUMBA_CPU_FEATURES", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES")  # fmt: skip
BLOCK_NUMBA = 'import sys\nsys.modules["numba"] = None\n'


class Configuration(NamedTuple):
    """An environment to run the tests in."""

    name: str
    variables: Mapping[str, str]
    short: bool = False
    impossible: str = ""  # why this processor cannot run it
    without_numba: bool = False
    empty_cache: bool = False  # every kernel is compiled by the process that runs it


class Result(NamedTuple):
    """How the tests went."""

    passed: int
    failed: tuple[str, ...]
    skipped: int
    seconds: float
    used: str  # what the arithmetic ran on
    output: str


def configurations() -> Iterator[Configuration]:
    """Yield all configurations, the usual one first."""
    here = cpu_features()
    absent = "" if find_spec("numba") else "Numba is not installed"
    yield Configuration("as it is", {})
    for seed in SEEDS:
        yield Configuration(f"seed {seed}", {"TERVIT_TEST_SEED": str(seed)}, short=seed < 3)
    for target, features in TARGETS.items():
        flags = ",".join(f"+{feature}" for feature in features)
        variables = {"NUMBA_CPU_NAME": target, "NUMBA_CPU_FEATURES": flags}
        yield Configuration(
            f"Numba for {target}", variables, impossible=absent or lacking(features, here)
        )
    flags = ",".join(f"+{feature}" for feature in HASWELL)
    yield Configuration(
        "all of it for Haswell",
        {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": flags, "OPENBLAS_CORETYPE": "Haswell",
         "NPY_DISABLE_CPU_FEATURES": numpy_features_beyond("Haswell")},
        impossible=absent or lacking(HASWELL, here),
    )  # fmt: skip
    yield Configuration("an empty kernel cache", {}, impossible=absent, empty_cache=True)
    for core, feature in CORES.items():
        disabled = numpy_features_beyond(core)
        changes_nothing = core == blas.core_name() and not disabled
        yield Configuration(
            f"OpenBLAS {core}",
            {"OPENBLAS_CORETYPE": core, "NPY_DISABLE_CPU_FEATURES": disabled},
            short=core == "Haswell" and not changes_nothing,
            impossible=lacking((feature,), here),
        )
    for variant in (*VARIANTS, isa.EMULATED):
        yield Configuration(
            f"kernel {variant}", {"TERVIT_KERNEL": variant}, impossible=absent or refusal(variant)
        )
    yield Configuration("backend numpy", {"TERVIT_BACKEND": "numpy"}, short=True)
    yield Configuration("without Numba", {}, without_numba=True)
    threads = {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    yield Configuration("two BLAS threads", threads)


def cpu_features() -> set[str]:
    """Return this processor's features as LLVM names them, whatever NUMBA_CPU_NAME says."""
    if find_spec("llvmlite"):
        import llvmlite.binding as llvm

        found = {name for name, here in llvm.get_host_cpu_features().items() if here}
        if llvm.get_process_triple().startswith(("aarch64", "arm64")):
            found |= {"neon"}
        return found
    umath = np._core._multiarray_umath
    return {name.lower() for name, here in umath.__cpu_features__.items() if here}


def lacking(needed: tuple[str, ...], here: set[str]) -> str:
    """Say which features are missing."""
    missing = [feature for feature in needed if feature not in here]
    return f"this processor lacks {', '.join(missing)}" if missing else ""


def refusal(variant: str) -> str:
    """Say why a kernel does not run here."""
    from tervit_np.kernels.isa import check_supported

    try:
        check_supported(variant)
    except ValueError as error:
        return str(error).split(";")[0]
    return ""


def numpy_features_beyond(core: str) -> str:
    """Name the vector code that NumPy has and a processor of OpenBLAS's family would not run."""
    beyond = {"Sandybridge": NUMPY_AVX2 + NUMPY_AVX512, "SkylakeX": ()}.get(core, NUMPY_AVX512)
    umath = np._core._multiarray_umath
    here = [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]
    return " ".join(name for name in here if name.startswith(beyond)) if beyond else ""


def surroundings(configuration: Configuration, folder: str) -> dict[str, str]:
    """Return the environment of a process that runs in a configuration; `folder` is its own."""
    environment = {key: value for key, value in os.environ.items() if key not in OWN}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment |= {key: value for key, value in configuration.variables.items() if value}
    path = [folder, str(ROOT), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    if configuration.without_numba:
        Path(folder, "sitecustomize.py").write_text(BLOCK_NUMBA)
    if configuration.empty_cache:
        environment |= {"XDG_CACHE_HOME": folder, "LOCALAPPDATA": folder}
    return environment


def run(configuration: Configuration, markers: str, arguments: list[str]) -> Result:
    """Run the marked tests in a process of their own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = surroundings(configuration, folder)
        report = Path(folder, "report.json")
        options = ["-m", markers, "-p", "no:cacheprovider", *arguments]
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "tests.processors", "--report", str(report), *options],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds, output = time.monotonic() - start, done.stdout + done.stderr
        if not report.exists():
            return Result(0, (f"ended with status {done.returncode}",), 0, seconds, "", output)
        counts = json.loads(report.read_text())
    ended = counts["passed"] or counts["skipped"]
    failed = tuple(counts["failed"]) or (() if ended else ("no test has run",))
    return Result(counts["passed"], failed, counts["skipped"], seconds, counts["used"], output)


class Counter:
    """A plugin of pytest that counts how tests end."""

    def __init__(self) -> None:
        self.passed, self.skipped, self.failed = 0, 0, dict[str, None]()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test once: by its call, or by what kept it from being called."""
        if report.failed:
            self.failed[report.nodeid] = None
        elif report.skipped:
            self.skipped += 1
        elif report.when == "call":
            self.passed += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count a file that is skipped as a whole, or that cannot be read, which is a failure."""
        if report.failed:
            self.failed[report.nodeid] = None
        elif report.skipped:
            self.skipped += 1


class MarkedFiles:
    """A plugin of pytest that opens files with marked tests alone; all take longer than they do."""

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out a file of tests without the mark."""
        if collection_path.is_dir() or not collection_path.name.startswith("test_"):
            return None
        return None if "mark.rounding" in collection_path.read_text("utf-8") else True


def report_here(path: Path, arguments: list[str]) -> int:
    """Run pytest in this process and write its counts."""
    counter = Counter()
    plugins = [counter, MarkedFiles()] if arguments[:2] == ["-m", "rounding"] else [counter]
    status = pytest.main(arguments, plugins=plugins)
    counts = {"passed": counter.passed, "skipped": counter.skipped, "failed": list(counter.failed)}
    path.write_text(json.dumps(counts | {"used": in_use()}))
    return int(status)


def in_use() -> str:
    """Describe what the arithmetic of this process runs on."""
    target = os.environ.get("NUMBA_CPU_NAME", "")
    parts = [f"OpenBLAS {blas.core_name()}", f"backend {backend_name()}", selected_variant()]
    return ", ".join([*parts, f"Numba for {target}"] if target else parts)


def main(arguments: list[str]) -> int:
    """Run the configurations and print a line for each."""
    if arguments[:1] == ["--report"]:
        return report_here(Path(arguments[1]), arguments[2:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="a few configurations")
    parser.add_argument("--float32", action="store_true", help="also the tests marked float32")
    parser.add_argument("--only", metavar="TEXT", default="", help="names that hold this text")
    parser.add_argument("--list", action="store_true", help="name them and stop")
    parser.add_argument("--jobs", type=int, default=usable_cores(), help="so many at a time")
    args, rest = parser.parse_known_args(arguments)
    chosen = [c for c in configurations() if args.only in c.name and (c.short or not args.short)]
    if args.short:
        chosen = [c for c in chosen if not c.impossible]
    if args.list:
        print("\n".join(c.name + (f": {c.impossible}" if c.impossible else "") for c in chosen))
        return 0
    markers = "rounding or float32" if args.float32 else "rounding"
    return run_all(chosen, markers, args.jobs, rest)


def run_all(chosen: list[Configuration], markers: str, jobs: int, arguments: list[str]) -> int:
    """Run configurations, print the table and the names of what failed."""
    possible = [c for c in chosen if not c.impossible]
    print(f"{'configuration':24} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}  ran on")
    broken = []
    with ThreadPoolExecutor(jobs) as pool:
        results = pool.map(lambda c: run(c, markers, arguments), possible)
        for c, result in zip(possible, results, strict=True):
            numbers = result.passed, len(result.failed), result.skipped, result.seconds
            row = "{:7} {:7} {:8} {:8.0f}".format(*numbers)
            print(f"{c.name:24} {row}  {result.used}", flush=True)
            if result.failed:
                broken.append((c.name, result))
    for c in chosen:
        if c.impossible:
            print(f"{c.name:24} not run: {c.impossible}")
    for name, result in broken:
        print(f"\n== {name}\n{result.output[-4000:]}\n" + "\n".join(result.failed))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
