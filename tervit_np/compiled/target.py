"""The processor that Numba compiles for: its vector registers, and whether it fuses products.

A fused multiply-add rounds once where a product and a sum round twice. Every x86 processor since
Haswell and Zen has it, and every 64-bit Arm. Without it LLVM calls a function for each number.
"""

from pathlib import Path

import llvmlite.binding as llvm
from numba import config


def _features() -> frozenset[str]:
    """Return the features that Numba compiles for, as LLVM spells them."""
    listed = config.CPU_FEATURES  # type: ignore[attr-defined]
    if listed is None:
        listed = llvm.get_host_cpu_features().flatten()
    return frozenset(word[1:] for word in listed.split(",") if word.startswith("+"))


_FEATURES = _features()
ARM = llvm.get_process_triple().startswith(("aarch64", "arm64"))
FUSED = ARM or "fma" in _FEATURES
# Lanes of a vector register of float32, and how many such registers there are.
LANES = 16 if "avx512vl" in _FEATURES else 8 if "avx2" in _FEATURES else 4
REGISTERS = 16 if LANES == 8 else 32


def _second_cache() -> int:
    """Return the bytes of a core's second cache, a small one's where Linux does not tell."""
    file = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
    try:
        return int(file.read_text().strip().removesuffix("K")) * 1024
    except (OSError, ValueError):
        return 2**19


SECOND_CACHE = _second_cache()  # changes how loops are cut, never a result
