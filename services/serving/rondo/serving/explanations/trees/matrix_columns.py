"""The feature of each column of the matrix that the trees of a graph take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.serving.explanations.trees.errors import NotTreesError
from rondo.serving.explanations.trees.graph_walk import GraphWalk
from rondo.serving.explanations.trees.onnx_graph import attribute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.serving.explanations.trees.onnx_graph import OnnxGraph

# Operators whose result has the columns of their operands. Each column of it depends on the same column of these only.
_BY_COLUMN = frozenset(
    {
        "Abs", "Add", "And", "Cast", "Clip", "Div", "Equal", "Greater", "Identity", "Imputer", "IsInf", "IsNaN", "Less",
        "Max", "Min", "Mul", "Neg", "Not", "Or", "Scaler", "Sub", "Where",
    }
)  # fmt: skip


@dataclass(frozen=True)
class MatrixColumns:
    """The tensors whose columns are those of a matrix, each with its feature. The feature is None for a constant.

    `taken` are the positions of the columns that the matrix has, and None if it has all.
    """

    parts: tuple[tuple[str, str | None], ...]
    taken: tuple[int, ...] | None = None

    def features(self, widths: Mapping[str, int], features: Sequence[str]) -> NDArray[np.int64]:
        """Return the index of the feature of each column, and `len(features)` for a constant.

        `widths` are the numbers of columns of the tensors.
        """
        indices = [len(features) if feature is None else features.index(feature) for _, feature in self.parts]
        found = np.repeat(np.array(indices, np.int64), [widths[tensor] for tensor, _ in self.parts])
        return found if self.taken is None else found[list(self.taken)]


def find(graph: OnnxGraph, tensor: str) -> MatrixColumns:
    """Return the columns of a matrix.

    Raises:
        NotTreesError: a column depends on several features, or may depend on them, or the graph is too large.

    """
    return GraphWalk(graph, _find)(tensor)


def _find(walk: GraphWalk[MatrixColumns], tensor: str) -> MatrixColumns:
    graph = walk.graph
    if len(features := graph.features_of(tensor)) <= 1:
        return MatrixColumns(((tensor, features[0] if features else None),))
    node = graph.maker(tensor)
    if node.op_type == "Concat" and attribute(node, "axis").i in (1, -1):
        found = [walk(each) for each in node.input]
        if all(each.taken is None for each in found):
            # A matrix that is joined with itself has twice the parts, so a chain of nodes may have 2^N.
            walk.add_columns(sum(len(each.parts) for each in found))
            return MatrixColumns(tuple(chain.from_iterable(each.parts for each in found)))
    if node.op_type in ("Gather", "ArrayFeatureExtractor") and (positions := _positions(graph, node)) is not None:
        walk.add_columns(len(positions))
        found_of = walk(node.input[0])
        known = found_of.taken
        return replace(found_of, taken=tuple(positions if known is None else (known[each] for each in positions)))
    if node.op_type in _BY_COLUMN:
        first, *others = [walk(each) for each in node.input if not graph.is_constant(each)]
        if all(each == first for each in others):
            return first
    raise NotTreesError(
        "mixed_features", f"its node {node.op_type} combines {' and '.join(sorted(features)[:2])} before the trees"
    )


def _positions(graph: OnnxGraph, node: Any) -> list[int] | None:
    """Return the positions of the columns that a node takes. None if it takes something else."""
    axis = attribute(node, "axis")
    if node.op_type == "Gather" and (axis is None or axis.i not in (1, -1)):
        return None
    found = graph.numbers(node.input[1])
    return None if found is None or (node.op_type == "Gather" and found.ndim != 1) else found.reshape(-1).tolist()
