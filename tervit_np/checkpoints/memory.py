"""The memory that a described model takes, compared with the file that describes it.

A file of a few hundred bytes can describe a model of any size. So nothing is allocated before the
description is compared with the arrays that are there.
"""

from tervit_np.models.registry import Config

SPARE = 32_000_000  # bytes that a model may take in addition to twice its arrays


def require_fits(config: Config, nbytes: int, bytes_per_parameter: float = 4) -> None:
    """Check that arrays of `nbytes` bytes can hold the parameters of a configuration.

    Raises
    ------
    ValueError
        If the model has more parameters, or larger index tables and masks.
    """
    needed = config.parameters * bytes_per_parameter + config.buffer_bytes
    if needed > 2 * nbytes + SPARE:
        raise ValueError(
            f"a model of {config.parameters:,} parameters is described, for which its {nbytes:,} "
            f"bytes of arrays are too few: the file is damaged, or tensors are missing"
        )
