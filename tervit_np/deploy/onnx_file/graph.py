"""A graph of ONNX operators, written down node by node.

A value is known by its name. A node names its inputs, and its output is named after it; constants
are stored once, under the name of what they are.
"""

from typing import Any

import numpy as np

from tervit_np.arrays import Array


class Graph:
    """Nodes in the order in which they run, and constants."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; return the output's name."""
        from onnx import helper

        name = f"{kind} {len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, array: Array) -> str:
        """Store an array under a name, once."""
        from onnx import numpy_helper

        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.array(array, order="C"), name)
        return name

    def real(self, value: float) -> str:
        """Store a float32 number."""
        return self.constant(f"real {value}", np.array([value], np.float32))

    def whole(self, *values: int) -> str:
        """Store a list of int64 numbers: a shape, axes, places."""
        return self.constant(f"[{', '.join(map(str, values))}]", np.array(values, np.int64))

    def reshape(self, x: str, *shape: int) -> str:
        """Reshape; 0 keeps an axis, -1 takes the rest."""
        return self.op("Reshape", x, self.whole(*shape))

    def transpose(self, x: str, *order: int) -> str:
        """Order the axes anew."""
        return self.op("Transpose", x, perm=order)

    def part(self, x: str, axis: int, first: int, last: int, step: int = 1) -> str:
        """Take x[first:last:step] along an axis."""
        places = (self.whole(n) for n in (first, last, axis, step))
        return self.op("Slice", x, *places)

    def pick(self, x: str, axis: int, index: int) -> str:
        """Take x[index] along an axis, which goes."""
        return self.op(
            "Gather", x, self.constant(f"index {index}", np.array(index, np.int64)), axis=axis
        )

    def join(self, parts: list[str], axis: int) -> str:
        """Concatenate."""
        return self.op("Concat", *parts, axis=axis)
