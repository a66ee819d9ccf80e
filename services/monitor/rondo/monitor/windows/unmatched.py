"""What waits: predictions for their outcome, and outcomes for their prediction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rondo.monitor.state.segments import FRESH, Stored
from rondo.monitor.windows import label_join

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Rows of each of the two; the oldest go first.
MAX_WAITING = 1_000_000


@dataclass
class Pending:
    """The two tables (see `matching`), and what lies of each in the store.

    `matched` until something is added: what did not match then does not match now. `most` rows of each may wait.
    """

    predictions: pa.Table = field(default_factory=label_join.PREDICTIONS.empty_table)
    outcomes: pa.Table = field(default_factory=label_join.OUTCOMES.empty_table)
    stored_predictions: Stored = field(default_factory=Stored)
    stored_outcomes: Stored = field(default_factory=Stored)
    matched: bool = field(default=False, compare=False)
    most: int = field(default=MAX_WAITING, compare=False)

    def add_predictions(self, rows: pa.Table, times: NDArray[np.int64], version: int) -> int:
        """Let rows of `predictions.log` wait; returns how many older ones had to go."""
        columns = [
            rows.column("id"), rows.column("entity"), pa.array(times), pa.array(np.full(times.size, version)),
            rows.column("output.score"), _fresh(times.size),
        ]  # fmt: skip
        added = pa.table(columns, schema=label_join.PREDICTIONS)
        self.matched = False
        self.predictions, gone = _bounded(pa.concat_tables([self.predictions, added]), self.most)
        return gone

    def add_outcomes(self, rows: pa.Table, times: NDArray[np.int64]) -> int:
        """Let rows of `outcomes.log` wait; returns how many older ones had to go."""
        columns = [
            rows.column("id"), rows.column("entity"), rows.column("outcome"), pa.array(times), _fresh(times.size)
        ]  # fmt: skip
        added = pa.table(columns, schema=label_join.OUTCOMES)
        self.matched = False
        self.outcomes, gone = _bounded(pa.concat_tables([self.outcomes, added]), self.most)
        return gone

    def match(self) -> pa.Table:
        """Take out the pairs, and return them."""
        if self.matched:
            return label_join.match(self.predictions.slice(0, 0), self.outcomes.slice(0, 0)).pairs
        found = label_join.match(self.predictions, self.outcomes)
        self.predictions, self.outcomes = found.predictions.combine_chunks(), found.outcomes.combine_chunks()
        self.matched = True
        return found.pairs

    def keep_predictions(self, mask: NDArray[np.bool_]) -> None:
        """Forget the predictions that are not in the mask."""
        if not mask.all():
            self.predictions = self.predictions.filter(pa.array(mask))

    def keep_outcomes(self, mask: NDArray[np.bool_]) -> None:
        """Forget the outcomes that are not in the mask."""
        if not mask.all():
            self.outcomes = self.outcomes.filter(pa.array(mask))


def _fresh(rows: int) -> pa.Array:
    return pa.array(np.full(rows, FRESH, np.int64))


def _bounded(table: pa.Table, most: int) -> tuple[pa.Table, int]:
    beyond = max(0, table.num_rows - most)
    return table.slice(beyond), beyond
