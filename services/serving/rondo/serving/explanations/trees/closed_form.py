"""Shapley values of a sum of decision trees, in closed form for each leaf.

A set of features has the value of the row that has these features from the explained row, and the others from a row of
the background. It reaches a leaf only if each feature on the path meets its conditions: one of the set with the value
of the explained row, and another one with that of the background. Let A be the features with which only the explained
row meets them, and B those with which only the background row does. If a feature is in neither, and neither row meets
its conditions, no set reaches the leaf. Otherwise the leaf adds v (|A|-1)! |B|! / (|A|+|B|)! to each feature of A, and
takes v |A|! (|B|-1)! / (|A|+|B|)! from each of B, where v is the value of the leaf (Laberge and Pequignot,
"Understanding interventional TreeSHAP: how and why it works", 2022; Lundberg and others, "From local explanations to
global understanding with explainable AI for trees", Nature Machine Intelligence 2020). The values of a row are the
means over the background.

A feature may have several columns, and a column several conditions on a path. A feature meets its conditions if all its
columns do. The features of a path are the bits of a mask. For each leaf and row, the mask has the features that fail.
The mask of the background row is A, and that of the explained row is B. If they have a common bit, no set reaches the
leaf.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from math import factorial
from typing import TYPE_CHECKING

import numpy as np

from rondo.serving.explanations.shapley import Shapley

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.uint64]

# The largest number of features on a path, which are the bits of a mask.
MOST_ON_A_PATH = 63
# The number of conditions that are evaluated at once, as bytes.
_MOST_CONDITIONS = 4_000_000
# The number of conditions, or of outputs of features on paths, that take as long as a pair of a leaf and a mask.
_PER_PAIR = 8
# For each mode of a node, whether a value fulfils the condition.
MODES = {
    "BRANCH_LEQ": np.less_equal, "BRANCH_LT": np.less, "BRANCH_GTE": np.greater_equal, "BRANCH_GT": np.greater,
    "BRANCH_EQ": np.equal, "BRANCH_NEQ": np.not_equal,
}  # fmt: skip


class DeepPathError(ValueError):
    """A path has conditions on more than `MOST_ON_A_PATH` features."""


@dataclass(frozen=True)
class Splits:
    """The nodes of trees with a condition, arrays of shape [nodes].

    `modes` are indices of `MODES`. A missing value fulfils a condition if `missing` is true.
    """

    columns: NDArray[np.int64]
    thresholds: NDArray[np.float32]
    modes: NDArray[np.int64]
    missing: NDArray[np.bool_]

    def fulfilled(self, matrix: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return whether each row fulfils each condition, shape [nodes, rows], by the comparisons of onnxruntime."""
        values = matrix.T[self.columns]
        found = np.empty(values.shape, np.bool_)
        for index, compare in enumerate(MODES.values()):
            of_mode = self.modes == index
            found[of_mode] = compare(values[of_mode], self.thresholds[of_mode, np.newaxis])
        return found | (self.missing[:, np.newaxis] & np.isnan(values))


@dataclass(frozen=True)
class Paths:
    """The conditions on the paths to leaves: arrays of shape [conditions], sorted by leaf.

    A row reaches a leaf if it fulfils the conditions where `fulfilled` is true, and none where `fulfilled` is false.
    `values` are those of the leaves, shape [leaves, outputs]. Each of them has a condition. `constant`, of shape
    [outputs], is added to their sum.
    """

    leaves: NDArray[np.int64]
    nodes: NDArray[np.int64]
    fulfilled: NDArray[np.bool_]
    values: NDArray[np.float64]
    constant: NDArray[np.float64]


class TreeShapley:
    """Trees and a background, for the Shapley values of rows of the matrix that the trees take.

    `features` is the index of the feature of each column of the matrix, and `count` for a column without any.
    """

    def __init__(
        self, splits: Splits, paths: Paths, features: NDArray[np.int64], count: int, background: NDArray[np.float32]
    ) -> None:
        """Prepare the background.

        Raises:
            DeepPathError: the features of a path have no mask.

        """
        self._splits, self._paths, self._count = splits, paths, count
        of_conditions = features[splits.columns[paths.nodes]]
        order = np.lexsort((of_conditions, paths.leaves))
        leaves, of_conditions = paths.leaves[order], of_conditions[order]
        self._nodes, self._wanted = paths.nodes[order], paths.fulfilled[order, np.newaxis]
        # A slot is a feature on the path to a leaf. It has one or several conditions.
        first = np.ones(len(leaves), np.bool_)
        first[1:] = (np.diff(leaves) != 0) | (np.diff(of_conditions) != 0)
        self._first = np.flatnonzero(first)
        self._leaves, self._features = leaves[first], of_conditions[first]
        self._first_slot = np.searchsorted(self._leaves, np.arange(len(paths.values)))
        places = np.arange(len(self._leaves)) - self._first_slot[self._leaves]
        if places.max(initial=0) >= MOST_ON_A_PATH:
            raise DeepPathError
        self._places = places.astype(np.uint64)
        self._only_row, self._only_background = _weights(int(places.max(initial=0)) + 1)
        self._patterns(self._failing(background))
        reached = self._masks == 0
        self.base = paths.constant + self._shares[reached] @ paths.values[self._of[reached]]

    @property
    def work(self) -> int:
        """The time that one row takes, as a number of pairs of a leaf and a mask."""
        of_slots = len(self._leaves) * len(self._paths.constant)
        return len(self._masks) + (len(self._nodes) + of_slots) // _PER_PAIR

    @property
    def size(self) -> int:
        """The bytes of the arrays."""
        values = (value for part in (self, self._splits, self._paths) for value in vars(part).values())
        return sum(each.nbytes for each in chain(values, self._of_place) if isinstance(each, np.ndarray))

    def sums(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the sums of the trees, shape [rows, outputs]."""
        reached = self._failing(matrix) == 0
        return np.stack([self._paths.constant + self._paths.values[each].sum(axis=0) for each in reached.T])

    def explain(self, matrix: NDArray[np.float32]) -> list[Shapley]:
        """Return the values of each row."""
        return [self._explain(masks) for masks in self._failing(matrix).T]

    def _explain(self, failing: Mask) -> Shapley:
        leaves, values = len(failing), self._paths.values
        at = np.flatnonzero((self._masks & failing[self._of]) == 0)
        masks, of, shares = self._masks[at], self._of[at], self._shares[at]
        sizes = self._sizes[at], np.bitwise_count(failing)[of]
        gains, losses = shares * self._only_row[sizes], shares * self._only_background[sizes]
        lost = np.bincount(of, losses, leaves)[self._leaves]
        weights = np.where(failing[self._leaves] >> self._places & np.uint64(1), -lost, 0.0)
        for place in range(len(self._only_row) - 1):
            chosen = np.flatnonzero(masks >> np.uint64(place) & np.uint64(1))
            gained = np.bincount(of[chosen], gains[chosen], leaves)
            slots = self._of_place[place]
            weights[slots] += gained[self._leaves[slots]]
        found = np.empty((self._count, values.shape[1]))
        for output in range(values.shape[1]):
            added = np.bincount(self._features, weights * values[self._leaves, output], self._count + 1)
            found[:, output] = added[: self._count]
        return Shapley(found, np.zeros_like(found), self.base)

    def _patterns(self, failing: Mask) -> None:
        """Count the distinct masks of each leaf among the rows of the background."""
        leaves, rows = failing.shape
        ordered = np.sort(failing, axis=1)
        first = np.ones(ordered.shape, np.bool_)
        first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        at = np.flatnonzero(first)
        self._masks = ordered.reshape(-1)[at]
        self._of = (at // rows).astype(np.int32)
        self._shares = np.diff(at, append=leaves * rows) / rows
        self._sizes = np.bitwise_count(self._masks)
        places = self._places.astype(np.int64)
        self._of_place = [np.flatnonzero(places == place) for place in range(len(self._only_row) - 1)]

    def _failing(self, matrix: NDArray[np.float32]) -> Mask:
        """Return the mask of the features that fail on the path to each leaf, shape [leaves, rows]."""
        size = max(_MOST_CONDITIONS // max(len(self._nodes), 1), 1)
        parts = [self._of_part(matrix[first : first + size]) for first in range(0, len(matrix), size)]
        return np.concatenate(parts, axis=1)

    def _of_part(self, matrix: NDArray[np.float32]) -> Mask:
        if not len(self._nodes):
            return np.zeros((len(self._paths.values), len(matrix)), np.uint64)
        met = self._splits.fulfilled(matrix)[self._nodes] == self._wanted
        fails = ~np.logical_and.reduceat(met, self._first, axis=0)
        bits = fails.astype(np.uint64) << self._places[:, np.newaxis]
        return np.bitwise_or.reduceat(bits, self._first_slot, axis=0)


def _weights(most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights of a feature of A and of one of B, by the sizes of A and B, each up to `most`."""
    sizes = range(most + 1)
    of_a, of_b = (np.zeros((most + 1, most + 1)) for _ in range(2))
    for a in sizes:
        for b in sizes:
            if a:
                of_a[a, b] = factorial(a - 1) * factorial(b) / factorial(a + b)
            if b:
                of_b[a, b] = factorial(a) * factorial(b - 1) / factorial(a + b)
    return of_a, of_b
