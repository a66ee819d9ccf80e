"""Walks from a tensor of a graph to the tensors that it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from rondo.serving.explanations.trees.errors import NotTreesError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.explanations.trees.onnx_graph import OnnxGraph

# The limit of nodes in a row. Each takes up to 4 of the 1,000 calls that Python nests.
MOST_DEPTH = 100
# The limit of names and positions of columns in all values of a walk.
MOST_COLUMNS = 1_000_000
Found = TypeVar("Found")


class GraphWalk(Generic[Found]):
    """A function of tensors that calls itself for the operands of a node.

    Each tensor is evaluated once. Without that, a chain of N nodes that take a tensor twice has 2^N evaluations.
    """

    def __init__(self, graph: OnnxGraph, evaluate: Callable[[GraphWalk[Found], str], Found]) -> None:
        self.graph = graph
        self._evaluate = evaluate
        self._known: dict[str, Found] = {}
        self._depth = self._columns = 0

    def __call__(self, tensor: str) -> Found:
        """Return the value for a tensor.

        Raises:
            NotTreesError: too many nodes are in a row, or the function raises it.

        """
        if tensor not in self._known:
            if self._depth >= MOST_DEPTH:
                raise NotTreesError("too_large", f"its graph has more than {MOST_DEPTH} nodes in a row at its trees")
            self._depth += 1
            try:
                self._known[tensor] = self._evaluate(self, tensor)
            finally:
                self._depth -= 1
        return self._known[tensor]

    def add_columns(self, count: int) -> None:
        """Count names or positions of columns before they are copied. A graph may name the same ones in each node.

        Raises:
            NotTreesError: there are too many.

        """
        self._columns += count
        if self._columns > MOST_COLUMNS:
            raise NotTreesError("too_large", f"its nodes name more than {MOST_COLUMNS:,} columns at its trees")
