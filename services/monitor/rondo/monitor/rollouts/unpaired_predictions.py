"""The difference between the predictions of two versions, as soon as both are there. It needs no outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rondo.monitor.rollouts.pairs import paired

if TYPE_CHECKING:
    from numpy.typing import NDArray

PREDICTIONS = pa.schema(
    [("id", pa.string()), ("event_time", pa.int64()), ("dated", pa.bool_()), ("number", pa.float32())]
)
# Both versions score a request in the same micro-batch, so their records are neighbours in the log.
_MAX_ROWS = 10_000


@dataclass
class UnpairedPredictions:
    """The newest rows of two versions that have no counterpart yet, by arrival.

    A checkpoint does not contain them, so pairs that a restart separates are left out.
    """

    primary: pa.Table = field(default_factory=PREDICTIONS.empty_table)
    other: pa.Table = field(default_factory=PREDICTIONS.empty_table)

    def take(self, rows: pa.Table, *, is_primary: bool) -> NDArray[np.float64]:
        """Take rows of one version. Returns the absolute differences of the N pairs that are complete now.

        Predictions that are not finite numbers, such as labels, have no difference.
        """
        added = pa.concat_tables([self.primary if is_primary else self.other, rows.select(PREDICTIONS.names)])
        primary, other = (added, self.other) if is_primary else (self.primary, added)
        places, their_places = paired(_numbered(primary), _numbered(other))
        mine, theirs = (
            table.column("number").to_numpy()[at].astype(np.float64)
            for table, at in ((primary, places), (other, their_places))
        )
        self.primary, self.other = _without(primary, places), _without(other, their_places)
        differences: NDArray[np.float64] = np.abs(mine - theirs)
        return differences[np.isfinite(differences)]

    def clear(self) -> None:
        self.primary, self.other = PREDICTIONS.empty_table(), PREDICTIONS.empty_table()


def _numbered(table: pa.Table) -> pa.Table:
    return table.append_column("row", pa.array(np.arange(table.num_rows)))


def _without(table: pa.Table, places: NDArray[np.int64]) -> pa.Table:
    kept = np.delete(np.arange(table.num_rows), places)[-_MAX_ROWS:]
    return table.take(pa.array(kept)).combine_chunks()
