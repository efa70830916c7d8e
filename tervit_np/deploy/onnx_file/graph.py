"""Build an ONNX graph node by node.

A value of the graph is represented by its name. Each method adds the nodes of one operation and
returns the name of its output. Constants are stored once each.
"""

from typing import Any

import numpy as np

from tervit_np.arrays import Array


class Graph:
    """Nodes in the order in which they run, and constants by name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []  # NodeProto
        self.constants: dict[str, Any] = {}  # TensorProto

    def op(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output."""
        from onnx import helper

        name = f"{operator} {len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, array: Array) -> str:
        """Store an array, numbers of float64 as float32, unless there is one of this name."""
        from onnx import numpy_helper

        if name not in self.constants:
            dtype = np.float32 if array.dtype == np.float64 else array.dtype
            self.constants[name] = numpy_helper.from_array(np.array(array, dtype, order="C"), name)
        return name

    def float32(self, value: float) -> str:
        """Store one float32 number.  -> (1,)."""
        return self.constant(f"float32 {value}", np.array([value], np.float32))

    def int64(self, *values: int) -> str:
        """Store a list of int64 numbers, such as a shape or axes."""
        return self.constant(f"[{', '.join(map(str, values))}]", np.array(values, np.int64))

    def reshape(self, x: str, *shape: int) -> str:
        """Reshape; 0 keeps the length of an axis, and -1 is inferred from the other axes."""
        return self.op("Reshape", x, self.int64(*shape))

    def transpose(self, x: str, *axes: int) -> str:
        """Permute the axes."""
        return self.op("Transpose", x, perm=axes)

    def slice(self, x: str, axis: int, start: int, stop: int, step: int = 1) -> str:
        """Take x[start:stop:step] along an axis."""
        return self.op("Slice", x, *(self.int64(n) for n in (start, stop, axis, step)))

    def take(self, x: str, axis: int, index: int) -> str:
        """Take x[index] along an axis, which is removed."""
        return self.op(
            "Gather", x, self.constant(f"index {index}", np.array(index, np.int64)), axis=axis
        )

    def concat(self, parts: list[str], axis: int) -> str:
        """Concatenate along an axis."""
        return self.op("Concat", *parts, axis=axis)
