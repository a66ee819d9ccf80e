"""The losses of predictions whose outcomes are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from rondo.contracts.tasks.registry import task_named
from rondo.contracts.tasks.sketches import OBSERVED, PREDICTED
from rondo.monitor.windows import label_join

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rondo.monitor.evidence.reference import Reference


def losses_of(predicted: pa.Table, observed: pa.Table, reference: Reference) -> NDArray[np.float64]:
    """Return the loss of each of N predictions, from 0 to 1. It is NaN for a prediction without a loss.

    `predicted` has the columns of `PREDICTED`, and `observed` those of `OBSERVED` for the same requests.
    """
    columns = {column.name: label_join.values(predicted, column) for column in PREDICTED}
    columns |= {column.name: label_join.values(observed, column) for column in OBSERVED}
    return task_named(reference.task.task).losses(reference.task, pa.table(columns), reference.largest_loss)
