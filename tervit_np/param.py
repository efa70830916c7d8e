"""A parameter: an array and the gradient that backward passes add into."""

from collections.abc import Iterable, Mapping

import numpy as np

from tervit_np.arrays import Array


class Param:
    """`data` and `grad`, of one shape and dtype; neither array is replaced once a model is in use.

    Optimizers write into `data` in place and backward passes add into `grad` in place, so another
    model may share `data` (replicas in threads do) and always has the latest values.
    """

    def __init__(self, data: Array) -> None:
        self.data = np.asarray(data, order="C")  # ascontiguousarray would turn () into (1,)
        # Takes no memory before the first write.
        self.grad = np.zeros(self.data.shape, self.data.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data."""
        return self.data.shape

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.data.size

    def __repr__(self) -> str:
        return f"Param{self.shape} {self.data.dtype}"


def distinctly_named(named_params: Iterable[tuple[str, Param]]) -> list[tuple[str, Param]]:
    """List named parameters, of which an optimizer or an average keeps a state under each name.

    Raises
    ------
    ValueError
        If two of them have the same name: they would share one state.
    """
    listed = list(named_params)
    names = [name for name, _ in listed]
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(
            f"two parameters are called {repeated}; for two models give their names different "
            "prefixes, such as student. and teacher."
        )
    return listed


def copy_state(source: Mapping[str, Array], into: Mapping[str, Array]) -> None:
    """Copy saved arrays into those of a state, by name; on an error into none.

    Raises
    ------
    ValueError
        If one is missing, or has another shape.
    """
    for name, array in into.items():
        found = np.shape(source[name]) if name in source else "missing"
        if found != array.shape:
            raise ValueError(
                f"the saved state is not of these parameters: {name} is {found}, expected "
                f"{array.shape}"
            )
    for name, array in into.items():
        array[...] = source[name]


def zero_grad(params: Iterable[Param]) -> None:
    """Set the gradients to zero, in place."""
    for param in params:
        param.grad.fill(0)
