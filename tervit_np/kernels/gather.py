"""Gather windows of tokens from the images into a workspace, and scatter them back.

Each image has nW T rows in x, and `token_index` (nW, T) holds the row of each token of each of its
nW windows. Windows are numbered through all images: window w of image b has the number b nW + w.
"""

from tervit_np.arrays import Array
from tervit_np.compiled.exponential import F
from tervit_np.compiled.jit import kernel
from tervit_np.kernels.team import round_up
from tervit_np.kernels.workspace import SharedWorkspace


@kernel(boundscheck=False)
def gather_tokens(
    x: Array,
    token_index: Array,
    shared: SharedWorkspace,
    first: int,
    start: int,
    stop: int,
    unit: int,
) -> None:
    """Copy tokens start..stop - 1, counted from the first of window `first`, to the workspace.

    x (B nW T, D). Rows up to the next multiple of `unit`, and all branches, are set to 0.
    """
    for t in range(start, round_up(stop, unit)):
        row = x[row_of(token_index, first, min(t, stop - 1))]
        for i in range(x.shape[1]):
            shared.x[t, i] = row[i] if t < stop else F(0)
            shared.branch[t, i] = F(0)


@kernel(boundscheck=False)
def scatter_tokens(
    x: Array, token_index: Array, shared: SharedWorkspace, first: int, start: int, stop: int
) -> None:
    """Add the branch, and copy tokens start..stop - 1 of the workspace back to x (B nW T, D)."""
    for t in range(start, stop):
        row = x[row_of(token_index, first, t)]
        for i in range(x.shape[1]):
            row[i] = shared.x[t, i] + shared.branch[t, i]


@kernel(boundscheck=False)
def row_of(token_index: Array, first: int, t: int) -> int:
    """Return the row in x of token t, counted from the first of window `first`."""
    windows, tokens = token_index.shape
    image, window = divmod(first + t // tokens, windows)
    row: int = image * windows * tokens + token_index[window, t % tokens]
    return row
