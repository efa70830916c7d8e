"""The memory that a described model takes, compared with the arrays that are there.

A file of a few hundred bytes can describe a model of any size. So nothing is allocated before the
description is compared with the arrays.
"""

from collections.abc import Mapping

from tervit_np.arrays import Array
from tervit_np.models import Config

_SPARE = 32_000_000  # bytes that a model may take in addition to twice its arrays


def require_fits(config: Config, arrays: Mapping[str, Array], bytes_per_parameter: float) -> None:
    """Check that arrays can hold the parameters of a configuration.

    Raises
    ------
    ValueError
        If the model has more parameters, larger index tables and masks, or more blocks.
    """
    nbytes = sum(array.nbytes for array in arrays.values())
    needed = config.parameters * bytes_per_parameter + config.buffer_bytes
    if needed > 2 * nbytes + _SPARE or config.blocks > len(arrays):
        raise ValueError(
            f"it describes a model of {config.blocks} blocks and {config.parameters:,} parameters, "
            f"and holds {len(arrays)} arrays of {nbytes:,} bytes: it is damaged, or arrays are "
            "missing"
        )
