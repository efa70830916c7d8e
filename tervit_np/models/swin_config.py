"""The configuration of a Swin, and the sizes that follow from it."""

from dataclasses import dataclass

from data_tools.plain_numbers import use_plain_numbers
from tervit_np.models.initialization import SCHEMES
from tervit_np.models.limits import (
    MAX_STAGES,
    as_tuple,
    check_choice,
    check_drop_path,
    check_mlp_ratio,
    check_size,
)
from tervit_np.nn import Conv3Stem
from tervit_np.ops.gelu import FORMS


@dataclass(frozen=True)
class SwinConfig:
    """The configuration of a Swin.

    Raises
    ------
    ValueError
        If sizes do not divide, or an option is unknown.
    """

    image_size: int
    patch_size: int
    num_classes: int
    dim: int  # of the first stage; each merging doubles it
    depths: tuple[int, ...]  # blocks of each stage
    heads: tuple[int, ...]  # of each stage
    window: int
    mlp_ratio: float = 4.0
    drop_path: float = 0.0
    init: str = "deit"  # or "xavier"
    gelu: str = "erf"  # or "tanh"
    stem: str = "linear"  # or "conv3"

    def __post_init__(self) -> None:
        for field in ("depths", "heads"):  # JSON has lists
            object.__setattr__(self, field, as_tuple(field, getattr(self, field)))
        use_plain_numbers(self)
        check_choice("stem", self.stem, ("linear", "conv3"))
        check_choice("init", self.init, SCHEMES)
        check_choice("gelu", self.gelu, FORMS)
        if self.stem == "conv3" and self.patch_size != 4:
            raise ValueError(f"the conv3 stem needs patch_size 4, found {self.patch_size}")
        for field in ("image_size", "patch_size", "num_classes", "dim", "window"):
            check_size(field, getattr(self, field))
        self._check_stages()
        check_mlp_ratio(self.mlp_ratio, self.dim)
        check_drop_path(self.drop_path)
        if self.image_size % (self.patch_size * 2 ** (len(self.depths) - 1)):
            raise ValueError(
                f"image_size {self.image_size} does not halve {len(self.depths) - 1} times into "
                f"patches of {self.patch_size}"
            )
        self._check_widths_and_windows()

    def _check_stages(self) -> None:
        """Raise ValueError unless each stage has a number of blocks and one of heads."""
        if not 1 <= len(self.depths) <= MAX_STAGES:
            raise ValueError(f"there are {len(self.depths)} depths, expected 1 to {MAX_STAGES}")
        if len(self.depths) != len(self.heads):
            raise ValueError(
                f"{len(self.depths)} depths and {len(self.heads)} heads differ in length"
            )
        for depth, heads in zip(self.depths, self.heads, strict=True):
            check_size("depth", depth)
            check_size("heads", heads)

    def _check_widths_and_windows(self) -> None:
        """Raise ValueError unless heads divide the width of each stage, and windows its map."""
        for stage, (heads, side) in enumerate(zip(self.heads, self.sides, strict=True)):
            if self.dim * 2**stage % heads:
                raise ValueError(f"dim {self.dim * 2**stage} is not a multiple of {heads} heads")
            if side > self.window and side % self.window:
                fitting = [
                    w for w in range(2, side) if all(s <= w or s % w == 0 for s in self.sides)
                ]
                raise ValueError(
                    f"a map of side {side} does not split into windows of {self.window}; at "
                    f"{self.image_size} pixels a window of {fitting or 'no size'} fits"
                )

    @property
    def sides(self) -> list[int]:
        """Height and width of the map in each stage."""
        return [self.image_size // self.patch_size // 2**i for i in range(len(self.depths))]

    @property
    def blocks(self) -> int:
        """Number of blocks in all stages."""
        return sum(self.depths)

    @property
    def parameters(self) -> int:
        """Number of parameters of a model, computed without building one."""
        last_dim = self.dim << len(self.depths) - 1
        total = self._stem_parameters + 2 * self.dim + last_dim * (2 + self.num_classes)
        for stage, (depth, heads, side) in enumerate(
            zip(self.depths, self.heads, self.sides, strict=True)
        ):
            dim, rows = self.dim << stage, (2 * min(self.window, side) - 1) ** 2
            hidden = int(dim * self.mlp_ratio)
            block = 9 * dim + 4 * dim * dim + 2 * dim * hidden + hidden + rows * heads
            total += depth * block + (dim < last_dim) * (8 * dim + 8 * dim * dim)
        return total + self.num_classes

    @property
    def _stem_parameters(self) -> int:
        if self.stem == "conv3":
            return Conv3Stem.parameters(self.dim)
        return self.dim * (3 * self.patch_size**2 + 1)

    @property
    def buffer_bytes(self) -> int:
        """Bytes of the index tables of all blocks and of the masks of the shifted ones."""
        total = 0
        for depth, side in zip(self.depths, self.sides, strict=True):
            window = min(self.window, side)
            mask = (side * window) ** 2 if side > window else 0
            total += 8 * (depth * window**4 + depth // 2 * mask)
        return total
