"""Which dot product instructions an Arm CPU has, found by compiling for it.

On Arm, LLVM's list of the host's features leaves the dot products out, even if Linux reports them.
But LLVM uses them when it compiles for the name of the CPU (neoverse-n1, apple-m2), as Numba does.
So a dot product is compiled for that name, and its assembly is searched for the instructions.
"""

import re

# feature: its instruction, and how the two sides are widened in code that compiles to it
_INSTRUCTIONS = {"dotprod": ("sdot", "sext", "sext"), "i8mm": ("usdot", "zext", "sext")}
_SUM = """
declare i32 @llvm.vector.reduce.add.v16i32(<16 x i32>)
define i32 @sum(<16 x i8> %a, <16 x i8> %b) {{
  %c = {} <16 x i8> %a to <16 x i32>
  %d = {} <16 x i8> %b to <16 x i32>
  %products = mul <16 x i32> %c, %d
  %all = call i32 @llvm.vector.reduce.add.v16i32(<16 x i32> %products)
  ret i32 %all
}}
"""


def dot_products(triple: str, name: str, listed: str) -> frozenset[str]:
    """Return which of dotprod and i8mm a CPU has, by its name and the features listed for it.

    i8mm is found only together with dotprod, as CPUs have it.
    """
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=name, features=listed)

    def uses(instruction: str, *widened: str) -> bool:
        code = machine.emit_assembly(llvm.parse_assembly(_SUM.format(*widened)))
        # Followed by a tab or .4s; LLVM 20 writes neither for macOS.
        return re.search(rf"\t{instruction}\b", code) is not None

    return frozenset(feature for feature, code in _INSTRUCTIONS.items() if uses(*code))
