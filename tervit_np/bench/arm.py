"""The generic rung as a 64-bit Arm processor would get it, without one at hand.

Numba compiles for the processor that it runs on, but what it hands to LLVM before optimization is
almost free of it, and LLVM translates for any processor. So a process of its own, in which this one
claims to have no features, takes the kernel unoptimized and lets LLVM optimize and translate it for
Arm. The code is read, not run: speeds on Arm are not known from it.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

TRIPLE = "aarch64-unknown-linux-gnu"
_START = """
import llvmlite.binding
llvmlite.binding.get_host_cpu_features = llvmlite.binding.FeatureMap
from tervit_np.bench.arm import translated
print(translated())
"""


def assembly() -> str:
    """Translate in a process of its own.  -> assembly.

    Raises
    ------
    ValueError
        If this LLVM cannot write for Arm.
    """
    root = Path(__file__).parents[2]
    settings = {"NUMBA_OPT": "0", "TERVIT_BACKEND": "numpy", "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", _START], env=os.environ | settings,
                          capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1]
        raise ValueError(f"this LLVM translates nothing for Arm: {reason}")
    return done.stdout


def translated() -> str:
    """Compile the generic rung here, unoptimized, then for Arm.  -> assembly."""
    import llvmlite.binding as llvm
    import numba

    from tervit_np.bench.assembly import kernel_call

    function, arguments = kernel_call("generic")
    fresh = numba.njit(error_model="numpy", boundscheck=False)(function)
    fresh(*arguments)
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(TRIPLE)
    machine = target.create_target_machine(cpu="generic", opt=3, reloc="pic", codemodel="small")
    text = next(iter(fresh.inspect_llvm().values()))
    text = re.sub("target datalayout = .*", f'target datalayout = "{machine.target_data}"', text)
    module = llvm.parse_assembly(re.sub("target triple = .*", f'target triple = "{TRIPLE}"', text))
    _optimize(module, machine)
    return str(machine.emit_assembly(module))


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
