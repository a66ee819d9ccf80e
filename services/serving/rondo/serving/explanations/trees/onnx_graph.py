"""A parsed ONNX graph: which node makes a tensor, which features a tensor depends on, and the values of constants."""

from __future__ import annotations

from functools import cached_property, reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import numpy as np
from google.protobuf.message import DecodeError

from rondo.serving.explanations.trees.errors import NotTreesError
from rondo.serving.explanations.trees.onnx_messages import Model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

# The limit of nodes and constants, which are removed one by one from the document before the trees.
MOST_NODES = 50_000
# By `TensorProto.DataType`: the type of the numbers, and the field that has them if there is no raw data.
_TYPES = {1: ("<f4", "float_data"), 7: ("<i8", "int64_data"), 11: ("<f8", "double_data")}
# By the name of the attribute of a node `Constant`, the field that has its numbers.
_PLAIN = {"value_float": "f", "value_int": "i", "value_floats": "floats", "value_ints": "ints"}


class OnnxGraph:
    """A graph. `inputs` are the names of the features."""

    def __init__(self, content: bytes) -> None:
        """Parse a model.

        Raises:
            NotTreesError: the bytes are no model, or it has too many nodes.

        """
        try:
            self._model = Model.FromString(content)
        except DecodeError:
            raise NotTreesError("unreadable", "its graph can't be read") from None
        graph = self._model.graph
        if (count := len(graph.node) + len(graph.initializer)) > MOST_NODES:
            raise NotTreesError("too_large", f"its graph has {count:,} nodes, and at most {MOST_NODES:,} are read")
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self.inputs = tuple(value.name for value in graph.input if value.name not in self._constants)
        self._makers = {output: node for node in graph.node for output in node.output if output}

    @cached_property
    def _features(self) -> dict[str, int]:
        """The features of each tensor, as the bits of a number. A set for each tensor takes GBs in a large graph."""
        found = {name: 1 << bit for bit, name in enumerate(self.inputs)}
        for node in self._model.graph.node:
            # A subgraph may use any tensor.
            inner = any(each.HasField("g") or each.graphs for each in node.attribute)
            parts = (found.get(name, 0) for name in node.input)
            of_node = (1 << len(self.inputs)) - 1 if inner else reduce(or_, parts, 0)
            found |= dict.fromkeys(node.output, of_node)
        return found

    def features_of(self, tensor: str) -> list[str]:
        """Return the features that a tensor depends on. A constant depends on none."""
        of_tensor = self._features.get(tensor, 0)
        return [name for bit, name in enumerate(self.inputs) if of_tensor >> bit & 1]

    def is_constant(self, tensor: str) -> bool:
        return not self._features.get(tensor)

    def maker(self, tensor: str) -> Any:
        """Return the node that makes a tensor.

        Raises:
            NotTreesError: it is an input or a constant.

        """
        if tensor not in self._makers:
            raise NotTreesError("no_trees", "its output is a feature or a constant")
        return self._makers[tensor]

    def numbers(self, tensor: str) -> NDArray[Any] | None:
        """Return the values of a constant. None if the tensor is no constant of numbers."""
        if (found := self._constants.get(tensor)) is not None:
            return _array(found)
        if (node := self._makers.get(tensor)) is None or node.op_type != "Constant":
            return None
        value = node.attribute[0]
        if value.name == "value":
            return _array(value.t)
        plain = _PLAIN.get(value.name)
        return None if plain is None else np.array(getattr(value, plain))

    def document(self, outputs: Iterable[str]) -> bytes:
        """Return a model of the nodes that these tensors need, with the same inputs. The graph has no more nodes then.

        A tensor that is an input can't be an output.
        """
        graph, wanted = self._model.graph, set(outputs)
        del graph.output[:], graph.value_info[:]
        for name in sorted(wanted):
            graph.output.add(name=name)
        for index in reversed(range(len(graph.node))):
            if wanted.isdisjoint(graph.node[index].output):
                del graph.node[index]
            else:
                wanted.update(graph.node[index].input)
        for index in reversed(range(len(graph.initializer))):
            if graph.initializer[index].name not in wanted:
                del graph.initializer[index]
        content: bytes = self._model.SerializeToString()
        return content


def attribute(node: Any, name: str) -> Any:
    """Return an attribute of a node. None if it is absent."""
    return next((each for each in node.attribute if each.name == name), None)


def _array(tensor: Any) -> NDArray[Any] | None:
    if tensor.data_type not in _TYPES:
        return None
    dtype, name = _TYPES[tensor.data_type]
    found = np.frombuffer(tensor.raw_data, dtype) if tensor.raw_data else np.array(getattr(tensor, name), dtype)
    return found.reshape(tuple(tensor.dims))
