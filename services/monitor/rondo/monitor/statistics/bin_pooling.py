"""The distributions of columns in a window and in the reference, and the pooling of sparse bins."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts

# Cochran's rule: the chi-square approximation needs this many expected rows in each bin.
_LEAST_EXPECTED = 5.0


class Distributions(NamedTuple):
    """Counts by bin of columns in a window and in the reference, and a mask of existing bins. Shapes `[..., bins]`."""

    observed: NDArray[np.int64]
    reference: NDArray[np.int64]
    exists: NDArray[np.bool_]


def of_columns(
    distance: Callable[[Distributions], NDArray[np.float64]],
    window: WindowCounts,
    reference: Reference,
    categorical: bool | None = None,  # noqa: FBT001 - as of `Distance`
) -> dict[str, float]:
    """Return a distance by column, for columns with or without categories, or for all. 0 if a side has no rows.

    `distance` takes counts of shape `[columns, bins]` without missing values, where both sides have rows.
    """
    columns = reference.binning.columns
    found: dict[int, float] = {}
    for alike in reference.binning.alike:
        if categorical is None or alike.is_categorical == categorical:
            observed, expected = window.bins[alike.places], reference.counts[alike.places]
            there = np.asarray(observed.any(axis=1) & expected.any(axis=1))
            values = np.zeros(len(there))
            if there.any():
                exists = np.ones(observed[there].shape, np.bool_)
                values[there] = distance(Distributions(observed[there], expected[there], exists))
            found |= dict(zip(alike.numbers, values.tolist(), strict=True))
    return {columns[number].name: found[number] for number in sorted(found)}


def shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of each bin in its column. Every column has rows."""
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))


def pool(counts: Distributions) -> Distributions:
    """Merge the bins of each column with fewer than five expected rows into one, which becomes the last bin.

    The merged bin stays separate, however few rows are expected in it. Otherwise values that the reference does not
    have would disappear among those that it has.
    """
    observed, reference, exists = counts
    rows, total = observed.sum(axis=-1, keepdims=True), reference.sum(axis=-1, keepdims=True)
    sparse = exists & (reference * rows < _LEAST_EXPECTED * total)
    sparse &= (exists & ~sparse).any(axis=-1, keepdims=True)
    if not sparse.any():
        return counts
    split = [
        np.concatenate((np.where(sparse, 0, each), np.where(sparse, each, 0).sum(axis=-1, keepdims=True)), axis=-1)
        for each in (observed, reference)
    ]
    exists = np.concatenate((exists & ~sparse, sparse.any(axis=-1, keepdims=True)), axis=-1)
    return Distributions(split[0], split[1], exists)
