"""Sketches of performance: vectors of whole numbers.

They add up, so that windows merge and corrections subtract exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# The columns that a sketch counts: those of a prediction, and those of its outcome. `number` is the score or the value.
# `label` is the predicted class of a multiclass model. An outcome is a number or a label. Columns that a task does not
# use are null.
PREDICTED = pa.schema([("number", pa.float32()), ("label", pa.string()), ("low", pa.float32()), ("high", pa.float32())])
OBSERVED = pa.schema([("outcome", pa.float64()), ("outcome_label", pa.string())])


def numbers(rows: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the columns `number` and `outcome`, NaN where missing, as new arrays of shape `[rows]`."""
    predicted, observed = (rows.column(name).to_numpy().astype(np.float64) for name in ("number", "outcome"))
    return predicted, observed


@dataclass(frozen=True)
class Figure:
    """A metric, and its standard error. The error is None if no formula gives one."""

    value: float
    error: float | None = None


def share_of(rows: int, total: int) -> Figure:
    """Return `rows` as a share of `total`, which is not 0, with its binomial standard error."""
    share = rows / total
    return Figure(share, sqrt(share * (1 - share) / total))


class PerformanceSketch(Protocol):
    """Counts labelled predictions of one model. Counts of disjoint sets of rows can be added."""

    @property
    def size(self) -> int:
        """The length of the vector of counts."""
        ...

    def count(self, rows: pa.Table) -> NDArray[np.int64]:
        """Count rows with the columns of `PREDICTED` and `OBSERVED`. The result has the shape `[size]`.

        Rows without a finite prediction or without an outcome do not count.
        """
        ...

    def labelled(self, counts: NDArray[np.int64]) -> int:
        """Return the number of rows that were counted."""
        ...

    def figures(self, counts: NDArray[np.int64]) -> Mapping[str, Figure]:
        """Return the metrics by name, without undefined ones, such as the ROC AUC of one class."""
        ...
