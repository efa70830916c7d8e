"""Which dot products an Arm processor has, asked of the compiler.

LLVM lists features of a machine, but on Arm the dot products are not among them, whatever Linux
reports. It does know them from the processor's name (neoverse-n1, apple-m2), for which Numba
compiles anyway. So a sum of products is compiled for that name, and what came out is looked at.
"""

FEATURES = {"dotprod": ("sdot", "sext", "sext"), "i8mm": ("usdot", "zext", "sext")}
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
    """Return which of FEATURES the compiler uses for a processor, by its name and listed features.

    It knows i8mm only beside dotprod, as processors have it.
    """
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=name, features=listed)

    def uses(instruction: str, *widened: str) -> bool:
        code = machine.emit_assembly(llvm.parse_assembly(_SUM.format(*widened)))
        return f"\t{instruction}\t" in code or f"\t{instruction}." in code

    return frozenset(feature for feature, sought in FEATURES.items() if uses(*sought))
