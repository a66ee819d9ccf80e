"""Target encoding: a category becomes the mean of the target in the training rows that have it.

The mean of a rare category is shrunk towards the mean of all rows (Micci-Barreca, "A preprocessing scheme for
high-cardinality categorical attributes", 2001). A category that the training rows lack becomes the mean of all rows, so
that the other features decide. A missing category is the category "". There is one column per target: several classes
have one each.

The training rows are encoded out of fold, as by scikit-learn's `TargetEncoder.fit_transform`: the mean of a row's
category comes from the rows of the other folds. If the mean included the row's own label, a category of few rows would
reveal the label, and the model would rely on it (decision 28 has figures).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.trainer.preparation import levels
from rondo.trainer.preparation.onnx_nodes import Nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    import polars as pl
    from numpy.typing import NDArray

# The weight of the mean of all rows, in rows. The AUC on the flights data hardly changes from 5 to 100.
PRIOR_ROWS = 20
# Row i is in fold i modulo FOLDS. The rows are in order of event time, so each fold covers the whole time.
FOLDS = 5


@dataclass(frozen=True, eq=False)
class TargetEncoding:
    """`means` has one row per level and a last row for any other text, shape `[levels + 1, targets]`."""

    levels: tuple[str, ...]
    means: NDArray[np.float32]

    def names(self, feature: str) -> tuple[str, ...]:
        targets = self.means.shape[1]
        return (feature,) if targets == 1 else tuple(f"{feature}.{target}" for target in range(targets))

    def apply(self, text: pl.Series) -> NDArray[np.float32]:
        """Return the columns of texts, shape `[rows, targets]`."""
        return np.take(self.means, levels.positions(text, self.levels), axis=0)

    def onnx_nodes(self, text: str, output: str) -> Sequence[onnx.NodeProto]:
        """Return the nodes from `text`, `[N, 1]`, to `output`, float32 `[N, targets]`."""
        nodes = Nodes(output)
        if self.means.shape[1] == 1:
            nodes.look_up(text, self.levels, self.means[:-1, 0], float(self.means[-1, 0]), name=output)
            return nodes.made
        position = nodes.look_up(text, self.levels, np.arange(len(self.levels)), len(self.levels))
        rows = nodes.add("Gather", nodes.constant(self.means), position)
        nodes.add("Flatten", rows, name=output)
        return nodes.made


def fit(text: pl.Series, targets: NDArray[np.float32]) -> tuple[TargetEncoding, NDArray[np.float32]]:
    """Return the encoding, and the columns of the training rows, out of fold. `targets` has shape `[rows, targets]`."""
    known = levels.distinct(text)
    # The cell of each row: its level and its fold as one index.
    cell = levels.positions(text, known) * FOLDS
    cell += np.tile(np.arange(FOLDS), len(text) // FOLDS + 1)[: len(text)]
    sums, rows = _by_level_and_fold(cell, targets.astype(np.float64), len(known))
    means = _means(sums.sum(axis=1), rows.sum(axis=1))
    others = [_means(sums.sum(axis=1) - sums[:, each], rows.sum(axis=1) - rows[:, each]) for each in range(FOLDS)]
    return TargetEncoding(tuple(known), means), np.take(np.stack(others, axis=1).reshape(-1, means.shape[1]), cell, 0)


def _by_level_and_fold(
    cell: NDArray[np.int64], targets: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums of the targets, shape `[levels, folds, targets]`, and the counts, shape `[levels, folds, 1]`."""
    cells = count * FOLDS
    sums = [np.bincount(cell, target, cells).astype(np.float64) for target in targets.T]
    rows = np.bincount(cell, minlength=cells).astype(np.float64)
    return np.stack(sums, axis=-1).reshape(count, FOLDS, -1), rows.reshape(count, FOLDS, 1)


def _means(sums: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the shrunk mean of each level, and the mean of all rows as the last row, shape `[levels + 1, targets]`."""
    mean = sums.sum(axis=0) / max(rows.sum(), 1)
    shrunk = (sums + PRIOR_ROWS * mean) / (rows + PRIOR_ROWS)
    return np.vstack([shrunk, mean]).astype(np.float32)
