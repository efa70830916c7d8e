"""The register tiles of the ternary kernels: one shape for each variant of isa.py.

A tile is the part of the output whose sums stay in registers while the loop runs over the inputs:
`mr` tokens (MR in BLIS) by `panels` panels, of which `vector_bytes` bytes are taken at a time. The
sums, the vectors loaded and the masks have to fit the registers: 32 with AVX-512 and on Arm, 16
with AVX2. A single token gets more panels, so that there are enough independent sums to hide the
latency of a dot product.
"""

from typing import NamedTuple

from tervit_np.kernels.isa import features

_WIDE = "avx512vl" in features()  # 32 vector registers instead of 16
_AVX2 = "avx2" in features()


class Tile(NamedTuple):
    """The shape of a register tile."""

    vector_bytes: int
    mr: int  # rows: tokens
    panels: int


def _tiles(suffix: str, shapes: dict[str, tuple[int, int, int]]) -> dict[str, Tile]:
    """Make each tile the one instance of a class of its own.

    Numba compiles a kernel for each type of argument, not for each value. `variant` and `shape` are
    attributes of the class because an intrinsic knows the types of its arguments alone.
    """
    tiles: dict[str, Tile] = {}
    for variant, shape in shapes.items():
        name = variant + suffix
        attributes = {"variant": variant, "shape": shape, "__module__": __name__, "__slots__": ()}
        globals()[name] = type(name, (Tile,), attributes)  # where Numba's cache looks for it
        tiles[variant] = globals()[name](*shape)
    return tiles


TILES = _tiles("", {
    "generic": (64 if _WIDE else 32 if _AVX2 else 16, 1 if _AVX2 and not _WIDE else 2, 1),
    "avx2": (32, 3 if _WIDE else 2, 1),
    "vnni256": (32, 6 if _WIDE else 2, 1),
    "vnni512": (64, 6, 1),  # 24 sums, 4 vectors of weights, 1 of inputs
    "neon": (16, 3, 1),  # 12 sums, and room for products
    "sdot": (16, 5, 1),  # 20 sums, 4 vectors of weights, 3 masks, inputs
    "usdot": (16, 5, 1),
})  # fmt: skip
GEMV_TILES = _tiles("_gemv", {  # for one token, where another tile is faster
    "vnni256": (32, 1, 4 if _WIDE else 2),
    "vnni512": (64, 1, 4),
    "neon": (16, 1, 2),
    "sdot": (16, 1, 4),
    "usdot": (16, 1, 4),
})  # fmt: skip
