"""Which kernel a processor can run: decided from its features, before anything is compiled.

    numpy      the int64 product of NumPy, the reference
    loop       three loops and a branch: what the mathematics says, and why it is slow
    vector     the same sum without a branch, which the compiler turns into vectors
    generic    a register tile in vectors of 16-bit products, for any processor
    avx2       8-bit products added in pairs (vpmaddubsw), 256-bit vectors
    vnni256    the dot product instruction vpdpbusd, 256-bit vectors
    vnni512    the same, 512-bit vectors
    neon       8-bit products of any 64-bit Arm, added in pairs (smull, addp), 128-bit vectors
    sdot       its dot product, for bytes with a sign (dotprod)
    usdot      the same, one side without a sign (i8mm)

Machine code with an instruction that the processor lacks ends the process, so asking comes first.
"""

import os
from functools import cache

from tervit_np.backends import backend_name

_X86, _ARM = ("avx2", "vnni256", "vnni512"), ("neon", "sdot", "usdot")
VARIANTS = ("numpy", "loop", "vector", "generic", *_X86, *_ARM)
_TILES = VARIANTS[3:]
DOTS = (*_X86[1:], *_ARM[1:])  # rungs with an instruction for four products and their sum
_NEEDS: dict[str, tuple[tuple[str, ...], ...]] = {  # one of these sets of features
    "avx2": (("avx2",),),
    "vnni256": (("avx512vnni", "avx512vl"), ("avxvnni",)),
    "vnni512": (("avx512vnni", "avx512bw"),),
    "neon": (("neon",),),
    "sdot": (("dotprod",),),
    "usdot": (("dotprod", "i8mm"),),
}
VARIABLE = "TERVIT_KERNEL"


@cache
def features() -> frozenset[str]:
    """Return the names of this processor's features, as LLVM spells them.

    Where NUMBA_CPU_NAME or NUMBA_CPU_FEATURES makes Numba compile for another one, those are it.
    """
    import llvmlite.binding as llvm
    from numba import config

    name, listed = config.CPU_NAME, config.CPU_FEATURES  # type: ignore[attr-defined]
    if not name and not listed:
        name, listed = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    found = frozenset(word[1:] for word in (listed or "").split(",") if word.startswith("+"))
    if (triple := llvm.get_process_triple()).startswith(("aarch64", "arm64")):
        from tervit_np.kernels.arm_features import dot_products

        found |= dot_products(triple, name or "", listed or "") | {"neon"}
    return found


def supported(found: frozenset[str]) -> tuple[str, ...]:
    """Return the rungs that a processor with these features can run, slowest first."""
    return tuple(
        variant for variant in VARIANTS if any(found.issuperset(s) for s in _needs(variant))
    )


def _needs(variant: str) -> tuple[tuple[str, ...], ...]:
    return _NEEDS.get(variant, ((),))


def selected_variant() -> str:
    """Return the rung to use: the fastest, or the one that TERVIT_KERNEL names.

    Raises
    ------
    ValueError
        If TERVIT_KERNEL names no rung, or one that needs what is not here.
    """
    compiled = backend_name() == "numba"
    return _resolve(os.environ.get(VARIABLE, ""), features() if compiled else None)


def has_tile(variant: str) -> bool:
    """Tell whether a rung is compiled from a register tile, as the fused block needs it."""
    return variant in _TILES


@cache
def _resolve(wanted: str, found: frozenset[str] | None) -> str:
    """Choose among the rungs that these features allow; None stands for an absent compiler."""
    if wanted and wanted not in VARIANTS:
        raise ValueError(f"{VARIABLE} is {wanted!r}; expected one of {', '.join(VARIANTS)}")
    if wanted == "numpy" or found is None:
        if wanted not in ("", "numpy"):
            raise ValueError(f"{VARIABLE} is {wanted!r}, which needs Numba, absent or switched off")
        return "numpy"
    return check_supported(wanted) if wanted else supported(found)[-1]


def check_supported(variant: str) -> str:
    """Return a rung that this processor can run.

    Raises
    ------
    ValueError
        If there is no such rung, or it needs what is not here.
    """
    if variant not in VARIANTS:
        raise ValueError(f"no kernel {variant!r}; expected one of {', '.join(VARIANTS)}")
    if variant != "numpy" and variant not in (here := supported(features())):
        raise ValueError(
            f"the kernel {variant!r} needs {_words(variant)}, which this processor lacks; "
            f"it runs {', '.join(here)}"
        )
    return variant


def _words(variant: str) -> str:
    return ", or ".join(" and ".join(needed) for needed in _needs(variant))
