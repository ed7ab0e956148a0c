"""Builds ONNX graphs: nodes and constants are added one by one, and each call returns the name of what it computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

OPSET = 17
_IR_VERSION = 8  # the one of opset 17: the oldest runtimes that know the operators can read the file

Array = npt.NDArray[Any]


@dataclass
class Graph:
    """Nodes and constants so far. A graph within a graph (the body of a loop) sees the constants of the outer one."""

    outer: Graph | None = None
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    inputs: dict[str, tuple[Any, Sequence[str]]] = field(default_factory=dict)
    """Name -> type and names of the axes."""
    outputs: dict[str, tuple[Any, Sequence[str]]] = field(default_factory=dict)
    count: int = 0

    def input(self, name: str, kind: Any, axes: Sequence[str]) -> str:
        """Declare an input with a NumPy type and named axes; declaring it twice is the same as once."""
        self.inputs[name] = (kind, axes)
        return name

    def output(self, name: str, value: str, kind: Any, axes: Sequence[str]) -> None:
        """Declare a value as an output under a name of its own."""
        from onnx import helper

        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs[name] = (kind, axes)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; "" leaves an optional input out."""
        return self.ops(kind, inputs, 1, **attributes)[0]

    def ops(self, kind: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        """Add a node with `count` outputs."""
        from onnx import helper

        names = [self.name(kind.lower()) for _ in range(count)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def constant(self, value: Any, kind: Any = None) -> str:
        """A constant array or number; small equal ones are kept once."""
        array = np.ascontiguousarray(value, kind)
        array = array.reshape(np.shape(value))
        root = self._root
        if array.size <= 16:
            for name, known in root.constants.items():
                same = known.dtype == array.dtype and known.shape == array.shape
                if same and known.tobytes() == array.tobytes():
                    return name
        name = root.name("constant")
        root.constants[name] = array
        return name

    def cast(self, value: str, kind: Any) -> str:
        """The value as another NumPy type."""
        return self.op("Cast", value, to=_type(kind))

    def dot(self, value: str, weight: str, bias: str | None = None) -> str:
        """`value @ weight + bias` over the last axis."""
        product = self.op("MatMul", value, weight)
        return product if bias is None else self.op("Add", product, bias)

    def shape(self, value: str, axis: int) -> str:
        """(1,) the size of an axis."""
        return self.op("Shape", value, start=axis, end=axis + 1)

    def numbers(self, size: str) -> str:
        """(n,) int64 from 0 to n - 1, for size (1,)."""
        scalar = self.op("Squeeze", size, self.ints(0))
        return self.op("Range", self.constant(0, np.int64), scalar, self.constant(1, np.int64))

    def ints(self, *values: int) -> str:
        """A constant vector of int64."""
        return self.constant(np.array(values, np.int64))

    def unsqueeze(self, value: str, *axes: int) -> str:
        """The value with axes of size 1 at these places."""
        return self.op("Unsqueeze", value, self.ints(*axes))

    def body(self) -> Graph:
        """An empty graph for a loop of this one."""
        return Graph(outer=self)

    def finished(self, name: str) -> Any:
        """The graph as ONNX has it."""
        from onnx import helper, numpy_helper

        given = [helper.make_tensor_value_info(key, _type(kind), axes) for key, (kind, axes) in self.inputs.items()]
        made = [helper.make_tensor_value_info(key, _type(kind), axes) for key, (kind, axes) in self.outputs.items()]
        stored = [numpy_helper.from_array(array, key) for key, array in self.constants.items()]
        return helper.make_graph(self.nodes, name, given, made, stored)

    def model(self, name: str) -> Any:
        """The graph as a model that `onnx.checker` accepts."""
        import onnx
        from onnx import helper

        made = helper.make_model(
            self.finished(name),
            opset_imports=[helper.make_opsetid("", OPSET)],
            producer_name="onomast",
            ir_version=_IR_VERSION,
        )
        onnx.checker.check_model(made)
        return made

    def name(self, stem: str) -> str:
        """A name that no other value has."""
        root = self._root
        root.count += 1
        return f"{stem}_{root.count}"

    @property
    def _root(self) -> Graph:
        return self if self.outer is None else self.outer._root


@dataclass(frozen=True)
class Tensors:
    """The saved tensors of one module; of every language, where each has a module of its own."""

    graph: Graph
    values: Mapping[str, Array]
    prefixes: tuple[str, ...]
    """One, or one for each language."""

    def __contains__(self, name: str) -> bool:
        return f"{self.prefixes[0]}{name}" in self.values

    def inner(self, name: str, *, languages: int = 0) -> Tensors:
        """The module of this name within this one; `languages` above 0: that many, one for each."""
        places = [f"{number}." for number in range(languages)] or [""]
        return Tensors(
            self.graph, self.values, tuple(f"{prefix}{name}.{place}" for prefix in self.prefixes for place in places)
        )

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor (of one language)."""
        return self.values[self.prefixes[0] + name].shape

    def weight(self, *names: str, make: Callable[..., Array] = lambda array: array) -> str:
        """A constant made of the tensors of these names; of the batch's language, where there are several."""
        made = [make(*(self.values[prefix + name] for name in names)) for prefix in self.prefixes]
        if len(made) == 1:
            return self.graph.constant(made[0])
        language = self.graph.input("language", np.int64, ())
        return self.graph.op("Gather", self.graph.constant(np.stack(made)), language, axis=0)


def _type(kind: Any) -> int:
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(np.dtype(kind)))
