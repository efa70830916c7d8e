"""`tervit doctor`: list software and hardware, and give advice on what slows training down."""

import argparse
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tervit_np.cli.layout import hang
from tervit_np.cli.parser import CommandParser

HELP = """Report what this machine has, what is slow and what to do.

List Python, packages, BLAS, CPU, caches, disk and data sets, each with advice where it helps."""
EXAMPLES = """\
  tervit doctor"""

_FEATURES = (
    "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "asimd", "asimddp", "i8mm",
)  # fmt: skip
_CORES_WITHOUT_AVX512 = ("Haswell", "Zen", "Sandybridge", "Nehalem", "Prescott")


class Finding(NamedTuple):
    """One line of the report; `advice` is empty if nothing needs to change."""

    name: str
    value: str
    advice: str = ""


def add_arguments(parser: CommandParser) -> None:
    """Declare no options."""


def run(args: argparse.Namespace) -> int:
    """Print all findings; return 0 even if there is advice."""
    from data_tools.counted import counted

    findings = [*_software(), *_blas(), *_machine(), *_storage()]
    width = max(len(finding.name) for finding in findings)
    for name, value, advice in findings:
        print(f"{name:<{width}}  {value}")
        if advice:
            print(hang(f"{'':<{width}}  -> ", advice))
    count = sum(bool(finding.advice) for finding in findings)
    print(f"\n{counted(count, 'problem')}, see ->" if count else "\nno problems")
    return 0


def _software() -> Iterator[Finding]:
    from tervit_np.backends import backend_name, jit_is_off
    from tervit_np.environment import installed_version, python_name

    yield Finding("Python", f"{python_name()} on {platform.platform(terse=True)}")
    for package in ("numpy", "numba", "pillow", "matplotlib"):
        version = installed_version(package)
        advice = f"pip install {package}" if version == "absent" else ""
        if advice and package == "numba":
            advice += " (without it everything runs in NumPy, several times slower)"
        yield Finding(package, version, advice)
    slow = backend_name() == "numpy" and installed_version("numba") != "absent"
    reason = "NUMBA_DISABLE_JIT" if jit_is_off() else "TERVIT_BACKEND=numpy"
    advice = f"{reason} is set; unset it to train faster" if slow else ""
    yield Finding("backend", backend_name(), advice)


def _blas() -> Iterator[Finding]:
    from tervit_np.blas import core_name, num_threads
    from tervit_np.environment import processor_features

    core, threads = core_name(), num_threads()
    advice = ""
    if dropped := os.environ.get("TERVIT_DROPPED_CORETYPE"):
        advice = (
            f"OPENBLAS_CORETYPE={dropped} slows NumPy down on this CPU; `tervit` ignores it, "
            "your own scripts do not: unset it"
        )
    elif core in _CORES_WITHOUT_AVX512 and "avx512vl" in processor_features():
        advice = "this CPU has AVX-512, which this BLAS kernel does not use"
    yield Finding("BLAS kernel", f"OpenBLAS {core}", advice)
    shown = "unknown" if threads is None else str(threads)
    yield Finding("BLAS threads", f"{shown} (training limits BLAS to one in each training thread)")


def _machine() -> Iterator[Finding]:
    from data_tools.counted import counted
    from tervit_np.environment import (
        SAME_BITS,
        difference_of_bits,
        processor_features,
        processor_name,
        usable_cores,
    )
    from tervit_np.kernels import selected_variant

    features = [f for f in _FEATURES if f in processor_features()]
    yield Finding("processor", f"{processor_name()}, {counted(usable_cores(), 'core')} usable")
    yield Finding("instructions", " ".join(features) or "unknown")
    yield Finding("last bits", difference_of_bits() or SAME_BITS)
    try:
        yield Finding("ternary kernel", selected_variant())
    except ValueError as error:
        yield Finding("ternary kernel", "none", str(error))
    yield from _matrix_unit()
    yield from _bfloat16()


def _matrix_unit() -> Iterator[Finding]:
    """Say whether the kernels may use Intel AMX, and why not."""
    from tervit_np.backends import backend_name
    from tervit_np.kernels import isa

    if backend_name() == "numpy":
        return
    reason = isa.why_no_matrix_unit()
    refused = isa.MATRIX_UNIT in isa.supported(isa.features()) and reason
    value = f"none: {reason}" if reason else "Intel AMX"
    yield Finding("matrix unit", "none" if refused else value, reason if refused else "")


def _bfloat16() -> Iterator[Finding]:
    """Name the instructions of `tervit train --precision bf16`; all give the same bits."""
    from tervit_np.backends import backend_name

    if backend_name() == "numpy":
        return
    from tervit_np.compiled.bf16_matmul import bf16_instructions

    yield Finding("bf16 training", bf16_instructions())


def _storage() -> Iterator[Finding]:
    from data_tools import data_root, list_datasets
    from data_tools.paths import user_cache, writable_folder

    kernels = writable_folder(user_cache() / "kernels")
    advice = "kernels are compiled anew in every process; make that folder writable"
    yield Finding("kernel cache", str(kernels or user_cache()), "" if kernels else advice)
    root = data_root()
    cache = writable_folder(root, user_cache())
    set_by = "TERVIT_DATA" if os.environ.get("TERVIT_DATA") else "default; TERVIT_DATA changes it"
    advice = "nothing can be cached: point TERVIT_DATA at a folder you can write"
    yield Finding("data folder", f"{root} ({set_by})", "" if cache else advice)
    existing = next(p for p in (Path(root), *Path(root).absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free / 1e9
    yield Finding("free disk", f"{free:.1f} GB", "CIFAR-10 needs 1 GB" if free < 1 else "")
    for dataset in list_datasets():
        absent = f"absent (`tervit data get {dataset.name}`)"
        no_path = "generated on first use" if dataset.present else absent
        yield Finding(f"data {dataset.name}", str(dataset.path or no_path))
