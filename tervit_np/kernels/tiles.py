"""The register tiles of all kernels.

A tile is the part of an output whose sums stay in registers while a loop runs over the inputs. The
sums, the vectors loaded at a step, and masks have to fit the registers: 32 with AVX-512 and on Arm,
16 with AVX2. Names are those of BLIS: MR rows (tokens), NR columns (outputs).

A matrix unit has registers that are tiles themselves (compiled/amx.py).
"""

from typing import Any, NamedTuple

from tervit_np.compiled.amx import AMX, EMULATED, MatrixTile
from tervit_np.target import lanes

LANES = lanes()  # of 32 bits, in a vector
_VECTOR_BYTES = 4 * LANES
_WIDE = LANES == 16  # AVX-512, with 32 vector registers
_AVX2_ONLY = LANES == 8


def _make_tile(base: type, name: str, *shape: int, variant: str = "") -> Any:
    """Make a tile that is the only instance of a new class.

    Numba compiles a kernel for each type of argument, not for each value. `variant` and `shape` are
    attributes of the class because an intrinsic gets only the types of its arguments.
    """
    attributes = {"variant": variant, "shape": shape, "__module__": __name__, "__slots__": ()}
    globals()[name] = type(name, (base,), attributes)  # where Numba's cache looks for it
    return globals()[name](*shape)


class Tile(NamedTuple):
    """A tile of the ternary kernels (microkernel.py), MR by NR = 64 `panels`."""

    vector_bytes: int
    mr: int
    panels: int
    inputs: int = 4  # of a step; the bytes of a token are padded to a multiple


_SHAPES = {  # by variant (isa.py)
    "generic": (_VECTOR_BYTES, 1 if _AVX2_ONLY else 2, 1),
    "avx2": (32, 3 if _WIDE else 2, 1),
    "vnni256": (32, 6 if _WIDE else 2, 1),
    "vnni512": (64, 6, 1),  # 24 sums, 4 vectors of weights, 1 of inputs
    "neon": (16, 3, 1),  # 12 sums; the other registers hold products
    "sdot": (16, 5, 1),  # 20 sums, 4 vectors of weights, 3 masks, inputs
    "usdot": (16, 5, 1),
}
_GEMV_SHAPES = {  # for one token: more panels, whose sums hide each other's latency
    "avx2": (32, 1, 4 if _WIDE else 2),
    "vnni256": (32, 1, 4 if _WIDE else 2),
    "vnni512": (64, 1, 4),
    "neon": (16, 1, 2),
    "sdot": (16, 1, 4),
    "usdot": (16, 1, 4),
}
TILES: dict[str, Tile | MatrixTile] = {
    name: _make_tile(Tile, name, *shape, variant=name) for name, shape in _SHAPES.items()
}
TILES |= {"amx": AMX, "amx_emulated": EMULATED}
GEMV_TILES: dict[str, Tile] = {
    name: _make_tile(Tile, f"{name}_gemv", *shape, variant=name)
    for name, shape in _GEMV_SHAPES.items()
}


class GemmTile(NamedTuple):
    """A tile of gemm.py, MR by NR = LANES `vectors`."""

    vectors: int


MR = 3 if _AVX2_ONLY else 6  # 24 sums in 32 registers, or 12 in 16
BYTE_TILES: tuple[GemmTile, ...] = tuple(
    _make_tile(GemmTile, f"bytes_{vectors}", vectors) for vectors in (4, 2, 1)
)
