"""The losses of a window's labelled rows by bin of the prediction. They are additive, and a correction subtracts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rondo.chassis.profiles.components import in_units

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from rondo.monitor.evidence.reference import Reference


@dataclass(frozen=True, eq=False)
class LossesByPrediction:
    """`sums` has the number of rows, the sums of their losses and of the squared losses by bin, shape `[3, bins]`.

    `edges` separate the bins, as in `NumericProfile`. Without a calibration there are no bins, and nothing is counted.
    """

    edges: NDArray[np.float32]
    sums: NDArray[np.float64]

    @classmethod
    def empty(cls, reference: Reference) -> LossesByPrediction:
        """Return the sums over no rows."""
        edges = reference.estimator.column.edges if reference.estimator else None
        if edges is None:
            return cls(np.zeros(0, np.float32), np.zeros((3, 0)))
        return cls(edges, np.zeros((3, len(edges) + 1)))

    def plus(self, other: LossesByPrediction) -> LossesByPrediction:
        """Return the sums of both. They belong to the same version."""
        return replace(self, sums=self.sums + other.sums)

    def plus_labelled(self, rows: pa.Table, losses: NDArray[np.float64], sign: int) -> LossesByPrediction:
        """Count rows with these losses, or remove them with a `sign` of -1. A loss of NaN does not count."""
        bins = self.sums.shape[1]
        if not bins:
            return self
        known = np.isfinite(losses)
        found = np.searchsorted(self.edges, rows.column("number").to_numpy()[known].astype(np.float32), side="right")
        parts = np.ones(known.sum()), losses[known], in_units(losses[known] ** 2)
        sums = np.array([np.bincount(found, each, minlength=bins) for each in parts])
        return replace(self, sums=self.sums + sign * sums)

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return (
            isinstance(other, LossesByPrediction)
            and np.array_equal(self.edges, other.edges)
            and np.array_equal(self.sums, other.sums)
        )

    def __hash__(self) -> int:
        return hash(self.sums.shape)
