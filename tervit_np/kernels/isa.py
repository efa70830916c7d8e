"""Which variants of the kernels a CPU can run, found from its features before any is compiled.

    numpy      NumPy's product in float64, the reference
    loop       three loops and a branch on each weight
    vector     the same loops with a product instead of the branch: the compiler vectorizes them
    generic    a register tile with 16-bit products, for any CPU
    avx2       8-bit products added in pairs (vpmaddubsw), 256-bit vectors
    vnni256    the dot product instruction vpdpbusd, 256-bit vectors
    vnni512    vpdpbusd, 512-bit vectors
    neon       8-bit products of any 64-bit Arm, added in pairs (smull, addp), 128-bit vectors
    sdot       the dot product of signed bytes (dotprod), 128-bit vectors
    usdot      the dot product of unsigned and signed bytes (i8mm), 128-bit vectors

An instruction that the CPU lacks would end the process, so features are checked first.
"""

import os
from functools import cache

from tervit_np import target
from tervit_np.backends import backend_name

WITHOUT_TILE = ("numpy", "loop", "vector")
_X86, _ARM = ("avx2", "vnni256", "vnni512"), ("neon", "sdot", "usdot")
VARIANTS = (*WITHOUT_TILE, "generic", *_X86, *_ARM)  # slowest first, for each kind of CPU
DOT_VARIANTS = (*_X86[1:], *_ARM[1:])  # with one instruction for four products and their sum
_REQUIRED: dict[str, tuple[tuple[str, ...], ...]] = {  # alternative sets of features
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
    """Return the features that Numba compiles for, with the dot products of an Arm."""
    if not target.is_arm():
        return target.features()
    import llvmlite.binding as llvm
    from numba import config

    from tervit_np.kernels.arm_features import dot_products

    name, listed = config.CPU_NAME, config.CPU_FEATURES  # type: ignore[attr-defined]
    if not name and not listed:
        name, listed = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    dots = dot_products(llvm.get_process_triple(), name or "", listed or "")
    return target.features() | dots | {"neon"}


def supported(features: frozenset[str]) -> tuple[str, ...]:
    """Return the variants that a CPU with these features can run, slowest first."""
    return tuple(
        variant for variant in VARIANTS if any(features.issuperset(s) for s in _required(variant))
    )


def _required(variant: str) -> tuple[tuple[str, ...], ...]:
    return _REQUIRED.get(variant, ((),))


def selected_variant() -> str:
    """Return the variant to use: the fastest, or the one that TERVIT_KERNEL names.

    Raises
    ------
    ValueError
        If TERVIT_KERNEL is not a variant, or one that this CPU cannot run.
    """
    compiled = backend_name() == "numba"
    return _resolve(os.environ.get(VARIABLE, ""), features() if compiled else None)


def has_tile(variant: str) -> bool:
    """Tell whether a variant has a register tile (tiles.py), which the fused block needs."""
    return variant not in WITHOUT_TILE


@cache
def _resolve(wanted: str, features: frozenset[str] | None) -> str:
    """Return `wanted`, or if it is empty, the fastest variant; features are None without Numba."""
    if wanted and wanted not in VARIANTS:
        raise ValueError(f"{VARIABLE} is {wanted!r}; expected one of {', '.join(VARIANTS)}")
    if wanted == "numpy" or features is None:
        if wanted not in ("", "numpy"):
            raise ValueError(f"{VARIABLE} is {wanted!r}, which needs Numba, absent or switched off")
        return "numpy"
    return check_supported(wanted) if wanted else supported(features)[-1]


def check_supported(variant: str) -> str:
    """Return `variant` if this CPU can run it.

    Raises
    ------
    ValueError
        If it is not a variant, or one that this CPU cannot run.
    """
    if variant not in VARIANTS:
        raise ValueError(f"no kernel {variant!r}; expected one of {', '.join(VARIANTS)}")
    if variant != "numpy" and variant not in (here := supported(features())):
        raise ValueError(
            f"the kernel {variant!r} needs {_required_text(variant)}, which this processor lacks; "
            f"it runs {', '.join(here)}"
        )
    return variant


def _required_text(variant: str) -> str:
    return ", or ".join(" and ".join(features) for features in _required(variant))
