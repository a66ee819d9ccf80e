"""Finds the trees in the graph of a model, the matrix that they take, and what is between them and the output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.serving.explanations.trees import matrix_columns, tree_nodes
from rondo.serving.explanations.trees.errors import NotTreesError
from rondo.serving.explanations.trees.graph_walk import GraphWalk
from rondo.serving.explanations.trees.onnx_graph import OnnxGraph, attribute

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.serving.explanations.trees.matrix_columns import MatrixColumns
    from rondo.serving.explanations.trees.tree_nodes import Ensemble

# The limit of the bytes of a document. 100,000 leaves have about 10 MB.
MOST_BYTES = 64 * 2**20
# The rounding error of a sum of float32 leaves, relative to the sum of their absolute values.
ROUNDING = 1e-6
# The numbers of float32 and float64 in ONNX.
_FLOATS = (1, 11)


@dataclass(frozen=True)
class TreeGraph:
    """A graph whose output is a sum of trees, or a function of it.

    `link` is that function, `Sigmoid` or `Softmax`, and None if the output is the sum. `matrix` is the tensor that the
    trees take, and `columns` are its columns. `document` is a model without the trees, whose outputs are that tensor
    and the parts of the columns that are no inputs. It is empty if the trees take an input.
    """

    ensemble: Ensemble
    link: str | None
    matrix: str
    columns: MatrixColumns
    document: bytes

    def output(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the output of the graph for sums of all trees, shape [rows, outputs]."""
        if self.link is None:
            return sums
        others = np.logaddexp(0, -sums)
        if self.link == "Softmax":
            others = np.logaddexp.reduce(sums, axis=1, keepdims=True) - sums
        found: NDArray[np.float64] = np.exp(-others)
        return found


@dataclass(frozen=True)
class _Trace:
    """The node of the trees, and what is between it and a tensor.

    `low` and `high` are the strictest limits of the nodes `Clip` after the sum, and `widths` are the numbers of columns
    of each `Reshape`.
    """

    node: Any
    link: str | None = None
    taken: tuple[int, ...] | None = None
    low: float = -np.inf
    high: float = np.inf
    widths: frozenset[int] = frozenset()


_Walk = GraphWalk[_Trace]


def read(content: bytes, tensor: str) -> TreeGraph:
    """Return the trees of which `tensor` is the output.

    Raises:
        NotTreesError: the graph has another form.

    """
    if len(content) > MOST_BYTES:
        raise NotTreesError("too_large", f"its graph has {len(content):,} bytes, and at most {MOST_BYTES:,} are read")
    graph = OnnxGraph(content)
    trace = GraphWalk(graph, _trace)(tensor)
    ensemble = tree_nodes.read(trace.node)
    if trace.link and ensemble.link:
        raise NotTreesError("link", "its trees have two links")
    link = trace.link or ensemble.link
    if any(width != len(ensemble.paths.constant) for width in trace.widths):
        raise NotTreesError("output_shape", "the output of its trees is reshaped")
    rounding = ROUNDING * ensemble.size
    if link is None and (ensemble.least < trace.low - rounding or ensemble.most > trace.high + rounding):
        raise NotTreesError("limited", "the sum of its trees is limited by a node Clip")
    if link == "Softmax" and trace.taken is not None:
        raise NotTreesError(
            "several_margins", "its output is one of several probabilities, which depends on several margins"
        )
    matrix = trace.node.input[0]
    columns = matrix_columns.find(graph, matrix)
    outputs = {matrix, *(part for part, _ in columns.parts)} - set(graph.inputs)
    document = graph.document(outputs) if outputs else b""
    return TreeGraph(tree_nodes.take(ensemble, trace.taken), link, matrix, columns, document)


def _trace(walk: _Walk, tensor: str) -> _Trace:
    node = walk.graph.maker(tensor)
    if node.op_type in tree_nodes.OPERATORS:
        if tensor != node.output[-1]:
            raise NotTreesError("no_trees", "its output is the label of trees")
        return _Trace(node)
    if node.op_type not in _STEPS:
        raise NotTreesError("no_trees", f"its output comes from a node {node.op_type}, not from trees")
    found: _Trace = _STEPS[node.op_type](walk, node)
    return found


def _same(walk: _Walk, node: Any) -> _Trace:
    if node.op_type == "Cast" and attribute(node, "to").i not in _FLOATS:
        raise NotTreesError("not_a_sum", "its output is no number with a fraction")
    return walk(node.input[0])


def _link(walk: _Walk, node: Any) -> _Trace:
    found = walk(node.input[0])
    if found.link or found.taken is not None or found.low > -np.inf or found.high < np.inf:
        raise NotTreesError("link", f"a node {node.op_type} follows other nodes after its trees")
    return replace(found, link=node.op_type)


def _clip(walk: _Walk, node: Any) -> _Trace:
    found = walk(node.input[0])
    limits = [np.array(-np.inf), np.array(np.inf)]
    for at, name in enumerate(node.input[1:]):
        limit = walk.graph.numbers(name) if name else limits[at]
        if limit is None:
            raise NotTreesError("limited", "a node Clip after its trees has no constant limits")
        limits[at] = limit
    low, high = (float(limit.reshape(-1)[0]) for limit in limits)
    return replace(found, low=max(found.low, low), high=min(found.high, high))


def _add(walk: _Walk, node: Any) -> _Trace:
    """Take the operand beside one that is 0 or NaN: a sum over 0 times the matrix, which is NaN for invalid rows."""
    others = [name for name in node.input if not _is_zero_or_nan(walk.graph, name)]
    if len(others) != 1:
        raise NotTreesError("not_a_sum", "its output is a sum of trees and something else")
    return walk(others[0])


def _once(walk: _Walk, node: Any) -> _Trace:
    """Take the factor beside 1, which onnxmltools adds to LightGBM."""
    factors = [(name, walk.graph.numbers(name)) for name in node.input]
    others = [name for name, factor in factors if factor is None or (factor != 1).any()]
    if len(others) != 1:
        raise NotTreesError("not_a_sum", "its output is a multiple of a sum of trees")
    return walk(others[0])


def _is_zero_or_nan(graph: OnnxGraph, tensor: str) -> bool:
    node = graph.maker(tensor)
    if node.op_type == "ReduceSum":
        node = graph.maker(node.input[0])
    if node.op_type != "Mul":
        return False
    factors = [graph.numbers(name) for name in node.input]
    return any(factor is not None and not factor.any() for factor in factors)


def _reshape(walk: _Walk, node: Any) -> _Trace:
    found, shape = walk(node.input[0]), walk.graph.numbers(node.input[1])
    if shape is None or shape.shape != (2,) or found.taken is not None:
        raise NotTreesError("output_shape", "the output of its trees is reshaped")
    return replace(found, widths=found.widths | {int(shape[1])})


def _gather(walk: _Walk, node: Any) -> _Trace:
    found, taken, axis = walk(node.input[0]), walk.graph.numbers(node.input[1]), attribute(node, "axis")
    if taken is None or taken.ndim != 1 or axis is None or axis.i not in (1, -1) or found.taken is not None:
        raise NotTreesError("output_shape", "the output of its trees is taken in parts")
    walk.add_columns(len(taken))
    return replace(found, taken=tuple(taken.tolist()))


def _where(walk: _Walk, node: Any) -> _Trace:
    """Take a choice between an output of trees and the same output within limits."""
    first, second = (walk(name) for name in node.input[1:])
    both = replace(first, low=max(first.low, second.low), high=min(first.high, second.high))
    if first.node is not second.node or both != replace(second, low=both.low, high=both.high):
        raise NotTreesError("not_a_sum", "its output is a choice of several nodes")
    return both


_STEPS: Any = {
    "Identity": _same, "Cast": _same, "Sigmoid": _link, "Softmax": _link, "Clip": _clip, "Add": _add,
    "Mul": _once, "Reshape": _reshape, "Gather": _gather, "Where": _where,
}  # fmt: skip
