"""The trees of one version. The part of its graph before the trees runs in onnxruntime."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.serving.explanations.trees import tree_graph
from rondo.serving.explanations.trees.closed_form import DeepPathError, TreeShapley
from rondo.serving.explanations.trees.errors import NotTreesError
from rondo.serving.models.onnx_runtime import open_session

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from numpy.typing import NDArray

    from rondo.serving.explanations.shapley import Shapley
    from rondo.serving.models.loaded_version import LoadedVersion
    from rondo.serving.requests.rows import Column

# The relative error of an output, and the absolute error of a probability.
_RELATIVE, _ABSOLUTE = 1e-3, 1e-6
# The limits of pairs of a leaf, or of a condition, and a row of the background, of which a leaf keeps up to 20 bytes.
MOST_LEAF_ROWS, MOST_CONDITION_ROWS = 5_000_000, 500_000_000


class TreeModel:
    """`by_trees.Trees` of one version. It does not refer to the version, which may be unloaded."""

    def __init__(self, content: bytes, version: LoadedVersion, background: Mapping[str, Column]) -> None:
        """Read the graph, and prepare the background.

        Raises:
            NotTreesError: the graph has another form, or its trees do not give its output.

        """
        output, features = version.outputs.explained, list(version.schema.features)
        graph = tree_graph.read(content, output.tensor)
        self._session = open_session(graph.document, 1) if graph.document else None
        # The session has its own copy of the document.
        self._graph, self._document_size = replace(graph, document=b""), len(graph.document)
        found = self._tensors({graph.matrix, *(part for part, _ in graph.columns.parts)}, background)
        matrix = found[graph.matrix]
        widths = {part: found[part].shape[1] for part, _ in graph.columns.parts}
        of_columns = graph.columns.features(widths, features)
        if matrix.dtype != np.float32 or matrix.shape[1:] != of_columns.shape:
            raise NotTreesError("columns", "the columns of the matrix that its trees take are not those of its parts")
        if len(graph.ensemble.paths.values) * len(matrix) > MOST_LEAF_ROWS or (
            len(graph.ensemble.paths.nodes) * len(matrix) > MOST_CONDITION_ROWS
        ):
            raise NotTreesError("too_large", f"its trees are too large for the {len(matrix):,} rows of its background")
        try:
            self._shapley = TreeShapley(graph.ensemble.splits, graph.ensemble.paths, of_columns, len(features), matrix)
        except DeepPathError:
            raise NotTreesError("too_large", "a path in its trees has conditions on too many features") from None
        answers = version.scorer.score(background)[output.name]
        self._check(matrix, answers.reshape(len(matrix), -1))

    @property
    def is_sum(self) -> bool:
        return self._graph.link is None

    @property
    def work(self) -> int:
        return self._shapley.work

    @property
    def size(self) -> int:
        """The bytes of the trees, and of the document before them."""
        return self._shapley.size + self._document_size

    def explain(self, columns: Mapping[str, Column], answers: NDArray[np.float32]) -> list[Shapley]:
        matrix = self._tensors({self._graph.matrix}, columns)[self._graph.matrix]
        self._check(matrix, answers)
        return self._shapley.explain(matrix)

    def _tensors(self, names: AbstractSet[str], columns: Mapping[str, Column]) -> dict[str, Any]:
        """Return tensors of the graph. The features are tensors that no node makes."""
        feeds: dict[str, Any] = {name: column.reshape(-1, 1) for name, column in columns.items()}
        if self._session is None or not (made := sorted(names - feeds.keys())):
            return feeds
        return feeds | dict(zip(made, self._session.run(made, feeds), strict=True))

    def _check(self, matrix: NDArray[np.float32], answers: NDArray[np.float32]) -> None:
        """Check that the trees give the answers of the graph, which shows that the graph was read correctly."""
        found = self._graph.output(self._shapley.sums(matrix))
        # Leaves may be much larger than their sum, and are added in another order.
        absolute = tree_graph.ROUNDING * self._graph.ensemble.size + (0.0 if self.is_sum else _ABSOLUTE)
        if found.shape != answers.shape or not np.allclose(found, answers, _RELATIVE, absolute):
            raise NotTreesError("mismatch", "its output is not that of its trees for each row")
