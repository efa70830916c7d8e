"""The processor that Numba compiles for: its features, registers and cache.

NUMBA_CPU_NAME and NUMBA_CPU_FEATURES make Numba compile for another processor than this one, and
NUMBA_ENABLE_AVX=0 for one without AVX.
"""

from pathlib import Path


def features() -> frozenset[str]:
    """Return the features that Numba compiles for, as LLVM spells them."""
    from numba import config
    from numba.core.codegen import get_host_cpu_features

    listed = config.CPU_FEATURES  # type: ignore[attr-defined]
    if listed is None:
        # Without AVX if NUMBA_ENABLE_AVX is 0.
        listed = get_host_cpu_features()  # type: ignore[no-untyped-call]
    return frozenset(word[1:] for word in listed.split(",") if word.startswith("+"))


def is_arm() -> bool:
    """Tell whether this is a 64-bit Arm."""
    import llvmlite.binding as llvm

    return bool(llvm.get_process_triple().startswith(("aarch64", "arm64")))


def fuses_multiply_adds() -> bool:
    """Tell whether a b + c is rounded once: by every x86 since Haswell and Zen, by every Arm.

    Where it is not, products and sums are rounded apart, and training ends in other bits.
    """
    return is_arm() or "fma" in features()


def lanes() -> int:
    """Return the float32 numbers of a vector register."""
    return 16 if "avx512vl" in features() else 8 if "avx2" in features() else 4


def registers() -> int:
    """Return the number of vector registers."""
    return 32 if is_arm() or lanes() == 16 else 16


def second_cache() -> int:
    """Return the bytes of a core's second cache, a small one's where Linux does not tell."""
    file = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
    try:
        return int(file.read_text().strip().removesuffix("K")) * 1024
    except (OSError, ValueError):
        return 2**19
