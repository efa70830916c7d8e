"""Inner loops as a 64-bit Arm processor would get them, without one at hand.

Numba compiles for the processor that it runs on, but what it hands to LLVM before optimization is
almost free of it, and LLVM translates for any processor. So a process of its own, in which this one
claims to have no features, takes a kernel unoptimized and lets LLVM optimize and translate it for
Arm. The code is read, not run: speeds on Arm are not known from it.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

TRIPLE = "aarch64-unknown-linux-gnu"
FEATURES = {"generic": "", "neon": "", "sdot": "+dotprod", "usdot": "+dotprod,+i8mm"}  # by rung
_START = """
import sys, llvmlite.binding
llvmlite.binding.get_host_cpu_features = llvmlite.binding.FeatureMap
from tervit_np.bench.arm import translated
print(translated(sys.argv[1]))
"""


def assembly(variant: str = "generic") -> str:
    """Translate one of FEATURES in a process of its own.  -> assembly.

    Raises
    ------
    ValueError
        If this LLVM cannot write for Arm.
    """
    root = Path(__file__).parents[2]
    settings = {"NUMBA_OPT": "0", "TERVIT_BACKEND": "numpy", "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", _START, variant], env=os.environ | settings,
                          capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1]
        raise ValueError(f"this LLVM translates nothing for Arm: {reason}")
    return done.stdout


def translated(variant: str) -> str:
    """Take a rung unoptimized, then compile it for Arm.  -> assembly."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(TRIPLE).create_target_machine(
        cpu="generic", features=FEATURES[variant], opt=3, reloc="pic", codemodel="small"
    )
    text = _unoptimized(variant)
    text = re.sub("target datalayout = .*", f'target datalayout = "{machine.target_data}"', text)
    module = llvm.parse_assembly(re.sub("target triple = .*", f'target triple = "{TRIPLE}"', text))
    _optimize(module, machine)
    return str(machine.emit_assembly(module))


def _unoptimized(variant: str) -> str:
    """Return what Numba hands to LLVM; no machine code is made, which this processor may lack."""
    from importlib import import_module

    from tervit_np.bench.assembly import kernel_call

    numba: Any = import_module("numba")  # its insides have no types
    compiler: Any = import_module("numba.core.compiler")
    cpu: Any = import_module("numba.core.registry").cpu_target
    function, arguments = kernel_call(variant)
    flags = compiler.Flags()
    flags.no_compile, flags.nrt, flags.error_model = True, True, "numpy"
    cpu.typing_context.refresh()
    cpu.target_context.refresh()
    kinds = tuple(map(numba.typeof, arguments))
    contexts = cpu.typing_context, cpu.target_context
    made = compiler.compile_extra(*contexts, function, kinds, None, flags, {})
    return str(made.library.get_llvm_str())


def _optimize(module: object, machine: object) -> None:
    """Run LLVM's passes twice, and between them Numba's, which spares counting references."""
    import llvmlite.binding as llvm

    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
    pruning = llvm.create_new_module_pass_manager()
    pruning.add_refprune_pass()
    pruning.run(module, builder)
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
