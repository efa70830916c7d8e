"""Kernels compiled for another processor on any machine, to read their inner loops.

Numba compiles for the CPU that it runs on, but LLVM can compile for any, and the code that Numba
gives to LLVM hardly depends on the CPU. So a separate process, in which the host pretends to have
no features, takes the unoptimized code of a kernel and has LLVM optimize and compile it for another
CPU. Where that differs in its features alone, Numba itself is told to compile for it. The result is
read, not run: it says nothing about speed there.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple


class Target(NamedTuple):
    """A processor that LLVM compiles for."""

    name: str  # of a family, for the reader
    triple: str
    cpu: str = "generic"
    features: str = ""


_X86 = "x86_64-unknown-linux-gnu"
_AMX = "avx2 fma avx512f avx512bw avx512dq avx512vl avx512vnni gfni amx-tile amx-int8 amx-bf16"
_ARM = Target("Arm", "aarch64-unknown-linux-gnu")
TARGETS = {  # by variant
    "generic": _ARM,
    "neon": _ARM,
    "sdot": _ARM._replace(features="+dotprod"),
    "usdot": _ARM._replace(features="+dotprod,+i8mm"),
    "amx": Target(
        "Intel with AMX", _X86, "sapphirerapids", ",".join(f"+{name}" for name in _AMX.split())
    ),
}
_BY_NUMBA = """
import sys
from tervit_np.bench.assembly import compile_anew
print(compile_anew(sys.argv[1]))
"""
_BY_LLVM = """
import sys, llvmlite.binding
llvmlite.binding.get_host_cpu_features = llvmlite.binding.FeatureMap
from tervit_np.bench.cross_compile import compile_for_target
print(compile_for_target(sys.argv[1]))
"""


def assembly(variant: str = "generic") -> str:
    """Compile one of TARGETS in a separate process.  -> assembly.

    Raises
    ------
    ValueError
        If this LLVM cannot compile for its processor.
    """
    root = Path(__file__).parents[2]
    settings = {"TERVIT_BACKEND": "numpy", "PYTHONPATH": str(root)}  # run nothing compiled
    target, script = TARGETS[variant], _BY_LLVM
    if target.triple == _X86:
        script = _BY_NUMBA
        settings |= {"NUMBA_CPU_NAME": target.cpu, "NUMBA_CPU_FEATURES": target.features}
    else:
        settings |= {"NUMBA_OPT": "0"}
    done = subprocess.run([sys.executable, "-c", script, variant], env=os.environ | settings,
                          capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        killed = f"its process ended with {done.returncode}, perhaps because memory ran out"
        reason = (done.stderr.strip().splitlines() or [killed])[-1]
        raise ValueError(f"this LLVM cannot compile for {TARGETS[variant].name}: {reason}")
    return done.stdout


def compile_for_target(variant: str) -> str:
    """Compile the unoptimized code of a variant for its processor.  -> assembly."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = TARGETS[variant]
    machine = llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, reloc="pic", codemodel="small"
    )
    text = _unoptimized(variant)
    text = re.sub("target datalayout = .*", f'target datalayout = "{machine.target_data}"', text)
    module = llvm.parse_assembly(
        re.sub("target triple = .*", f'target triple = "{target.triple}"', text)
    )
    _optimize(module, machine)
    return str(machine.emit_assembly(module))


def _unoptimized(variant: str) -> str:
    """Return the code that Numba gives to LLVM, without compiling it for this CPU."""
    from importlib import import_module

    from tervit_np.bench.assembly import kernel_call

    numba: Any = import_module("numba")  # these modules have no types
    compiler: Any = import_module("numba.core.compiler")
    cpu: Any = import_module("numba.core.registry").cpu_target
    function, arguments = kernel_call(variant)
    flags = compiler.Flags()
    flags.no_compile, flags.nrt, flags.error_model = True, True, "numpy"
    cpu.typing_context.refresh()
    cpu.target_context.refresh()
    types = tuple(map(numba.typeof, arguments))
    contexts = cpu.typing_context, cpu.target_context
    compiled = compiler.compile_extra(*contexts, function, types, None, flags, {})
    return str(compiled.library.get_llvm_str())


def _optimize(module: object, machine: object) -> None:
    """Run LLVM's passes twice, and in between Numba's, which removes reference counting."""
    import llvmlite.binding as llvm

    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
    pruning = llvm.create_new_module_pass_manager()
    pruning.add_refprune_pass()
    pruning.run(module, builder)
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
