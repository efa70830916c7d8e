"""Which variants of the kernels a CPU can run, found from its features before any is compiled.

    numpy      NumPy's product in float64, the reference
    loop       three loops and a branch on each weight
    vector     the same loops with a product instead of the branch: the compiler vectorizes them
    generic    a register tile with 16-bit products, for any CPU
    avx2       8-bit products added in pairs (vpmaddubsw), 256-bit vectors
    vnni256    the dot product instruction vpdpbusd, 256-bit vectors
    vnni512    vpdpbusd, 512-bit vectors
    amx        Intel's matrix unit: products of whole tiles of bytes
    neon       8-bit products of any 64-bit Arm, added in pairs (smull, addp), 128-bit vectors
    sdot       the dot product of signed bytes (dotprod), 128-bit vectors
    usdot      the dot product of unsigned and signed bytes (i8mm), 128-bit vectors

An instruction that the CPU lacks would end the process, so features are checked first. The matrix
unit needs the system's permission too (tile_permission.py). `amx_emulated` runs the kernels of amx
on any CPU, slowly, with the matrix unit as a program (compiled/amx_emulation.py); it is never
selected unless TERVIT_KERNEL names it.
"""

import os
from functools import cache

from tervit_np import target, tile_permission
from tervit_np.backends import backend_name

WITHOUT_TILE = ("numpy", "loop", "vector")
_X86, _ARM = ("avx2", "vnni256", "vnni512", "amx"), ("neon", "sdot", "usdot")
VARIANTS = (*WITHOUT_TILE, "generic", *_X86, *_ARM)  # slowest first, for each kind of CPU
DOT_VARIANTS = (*_X86, *_ARM[1:])  # whose dot products are timed alone (peak.py)
MATRIX_UNIT, EMULATED = "amx", "amx_emulated"
FEWEST_TOKENS = 7  # for a matrix unit
_REQUIRED: dict[str, tuple[tuple[str, ...], ...]] = {  # alternative sets of features
    "avx2": (("avx2",),),
    "vnni256": (("avx512vnni", "avx512vl"), ("avxvnni",)),
    "vnni512": (("avx512vnni", "avx512bw"),),
    "amx": (("amx-tile", "amx-int8", "avx512vnni", "avx512bw", "gfni"),),
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


def runnable() -> tuple[str, ...]:
    """Return the variants that this process can run, slowest first."""
    return _permitted(supported(features()))


def _permitted(variants: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out the matrix unit if the system refuses its registers; otherwise ask for them."""
    if MATRIX_UNIT in variants and tile_permission.refusal():
        return tuple(variant for variant in variants if variant != MATRIX_UNIT)
    return variants


def why_no_matrix_unit() -> str:
    """Say why the variant amx does not run here, or nothing if it does."""
    if MATRIX_UNIT not in supported(features()):
        lacking = ", ".join(f for f in _required(MATRIX_UNIT)[0] if f not in features())
        return f"this processor lacks {lacking}"
    return tile_permission.refusal()


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


def for_tokens(variant: str, tokens: int) -> str:
    """Return the variant for so many tokens: for a few, a matrix unit is no faster than registers.

    Its tiles have 16 rows, however few of them are used, and weights are unpacked to memory first.
    """
    if variant not in (MATRIX_UNIT, EMULATED) or tokens >= FEWEST_TOKENS:
        return variant
    return [name for name in supported(features()) if name != MATRIX_UNIT][-1]


def has_tile(variant: str) -> bool:
    """Tell whether a variant has a register tile (tiles.py), which the fused block needs."""
    return variant not in WITHOUT_TILE


@cache
def _resolve(wanted: str, features: frozenset[str] | None) -> str:
    """Return `wanted`, or if it is empty, the fastest variant; features are None without Numba."""
    if wanted and wanted not in (*VARIANTS, EMULATED):
        raise ValueError(f"{VARIABLE} is {wanted!r}; expected one of {', '.join(VARIANTS)}")
    if wanted == "numpy" or features is None:
        if wanted not in ("", "numpy"):
            raise ValueError(f"{VARIABLE} is {wanted!r}, which needs Numba, absent or switched off")
        return "numpy"
    return check_supported(wanted) if wanted else _permitted(supported(features))[-1]


def check_supported(variant: str) -> str:
    """Return `variant` if this CPU can run it.

    Raises
    ------
    ValueError
        If it is not a variant, or one that this CPU cannot run.
    """
    if variant in ("numpy", EMULATED):
        return variant
    if variant not in VARIANTS:
        raise ValueError(f"no kernel {variant!r}; expected one of {', '.join(VARIANTS)}")
    if variant in (here := runnable()):
        return variant
    if variant in supported(features()):
        raise ValueError(f"the kernel {variant!r} cannot run: {tile_permission.refusal()}; "
                         f"here {', '.join(here)} run")  # fmt: skip
    raise ValueError(
        f"the kernel {variant!r} needs {_required_text(variant)}, which this processor lacks; "
        f"it runs {', '.join(here)}"
    )


def _required_text(variant: str) -> str:
    return ", or ".join(" and ".join(features) for features in _required(variant))
