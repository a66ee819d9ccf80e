"""Predictions and outcomes that have no match yet, and the time for which they are retained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rondo.contracts.tasks.sketches import OBSERVED, PREDICTED
from rondo.monitor.stream.watermark import NEVER
from rondo.monitor.windows import label_join

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from rondo.monitor.windows.tumbling import TumblingWindows

# The limit of each table. The oldest rows are evicted.
MAX_ROWS = 1_000_000
# With this many chunks a table is copied into one. Other appends need no copy.
_MAX_CHUNKS = 64
LATEST = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Progress:
    """The watermarks of predictions and outcomes, and the start of the earliest `open` window, in microseconds."""

    predictions: int
    outcomes: int
    open: int


@dataclass
class UnmatchedRows:
    """Two tables (see `label_join`), each of at most `max_rows`. `next_row` is the number of the next row to arrive."""

    predictions: pa.Table = field(default_factory=label_join.PREDICTIONS.empty_table)
    outcomes: pa.Table = field(default_factory=label_join.OUTCOMES.empty_table)
    next_prediction: int = 0
    next_outcome: int = 0
    max_rows: int = field(default=MAX_ROWS, compare=False)
    # True if rows were added since the last `take_pairs`.
    changed: bool = field(default=True, compare=False)
    # No prediction has an earlier event time.
    _oldest: int = field(default=NEVER, compare=False)

    def add_predictions(
        self,
        rows: pa.Table,
        times: NDArray[np.int64],
        version: int,
        counted: Mapping[str, str],
        slices: NDArray[np.int64] | None = None,
    ) -> int:
        """Add rows of `predictions.log`. Returns how many older ones were evicted.

        `counted` maps each column of `PREDICTED` to an output (see `Task.counted`). `slices` are the codes of the rows'
        slices.
        """
        columns = [
            rows.column("id"), rows.column("entity"), pa.array(times), pa.array(np.full(times.size, version)),
            _numbers(self.next_prediction, times.size),
        ]  # fmt: skip
        sources = {name: f"output.{output}" for name, output in counted.items()}
        added = _with(pa.table(columns, schema=label_join.PREDICTIONS), rows, PREDICTED, sources)
        if slices is not None and slices.any():
            added = added.append_column(label_join.SLICES, pa.array(slices))
        self.next_prediction += times.size
        self._oldest = min(self._oldest, int(times.min(initial=self._oldest)))
        self.changed = True
        self.predictions, evicted = bounded(label_join.concatenated([self.predictions, added]), self.max_rows)
        return evicted

    def add_outcomes(self, rows: pa.Table, times: NDArray[np.int64]) -> int:
        """Add rows of `outcomes.log`. Returns how many older ones were evicted."""
        columns = [
            rows.column("id"), rows.column("entity"), pa.array(times), _numbers(self.next_outcome, times.size)
        ]  # fmt: skip
        sources = {name: name for name in OBSERVED.names}
        added = _with(pa.table(columns, schema=label_join.OUTCOMES), rows, OBSERVED, sources)
        self.next_outcome += times.size
        self.changed = True
        self.outcomes, evicted = bounded(label_join.concatenated([self.outcomes, added]), self.max_rows)
        return evicted

    def take_pairs(self, tumbling: TumblingWindows) -> tuple[pa.Table, int]:
        """Remove and return the pairs of prediction and outcome (`LABELLED`).

        Also returns how many outcomes were late.
        """
        self.changed = False
        if not self.predictions.num_rows or not self.outcomes.num_rows:
            return label_join.LABELLED.empty_table(), 0
        joined = label_join.join(self.predictions, self.outcomes, tumbling)
        self.predictions, self.outcomes = joined.predictions.combine_chunks(), joined.outcomes.combine_chunks()
        return joined.pairs, joined.late

    def retain(self, tumbling: TumblingWindows, progress: Progress, closes: Callable[[int], bool]) -> None:
        """Discard outcomes and predictions that can't be matched any more.

        Predictions are discarded only for versions whose windows close.
        """
        if self.outcomes.num_rows:
            self.keep_outcomes(retained_outcomes(self.outcomes, tumbling, progress))
        first = min(progress.open, first_retained(tumbling, progress))
        # The oldest ones are discarded first. After a restart the oldest time is not known.
        if self._oldest > NEVER and self._oldest >= first:
            return
        times = self.predictions.column("event_time").to_numpy()
        retained = times >= first
        if not retained.all():
            versions = self.predictions.column("version").to_numpy()
            over = versions[~retained]
            numbers = [int(over[0])] if (over == over[0]).all() else np.unique(over).tolist()
            if others := [each for each in numbers if not closes(each)]:
                retained |= np.isin(versions, others)
        self.keep_predictions(retained)
        self._oldest = int(times[retained].min(initial=LATEST))

    def clear(self) -> None:
        """Discard all rows. Row numbers continue, because a checkpoint still has the rows before."""
        self.clear_predictions()
        self.outcomes = self.outcomes.slice(0, 0)

    def clear_predictions(self) -> None:
        self.predictions = self.predictions.slice(0, 0)

    def keep_predictions(self, mask: NDArray[np.bool_]) -> None:
        """Discard the predictions outside of the mask."""
        if not mask.all():
            self.predictions = _filtered(self.predictions, mask)

    def keep_outcomes(self, mask: NDArray[np.bool_]) -> None:
        """Discard the outcomes outside of the mask."""
        if not mask.all():
            self.outcomes = self.outcomes.filter(pa.array(mask))


def retained_outcomes(outcomes: pa.Table, tumbling: TumblingWindows, progress: Progress) -> NDArray[np.bool_]:
    """Return which outcomes may still get a prediction."""
    oldest = max(progress.predictions - tumbling.length - tumbling.label_delay, NEVER)
    return np.asarray(outcomes.column("known_at").to_numpy() > oldest)


def first_retained(tumbling: TumblingWindows, progress: Progress) -> int:
    """Return the first event time of predictions whose outcome can still arrive, by the watermarks alone.

    Predictions of a closed window are discarded with it. If the window closed without waiting for outcomes, they are
    retained for the same time again. An outcome that arrives in that time is counted as late.
    """
    open_for = tumbling.length + tumbling.label_delay
    over = max(progress.outcomes - open_for, progress.predictions - 2 * open_for)
    return over - over % tumbling.length + tumbling.length


def _filtered(table: pa.Table, mask: NDArray[np.bool_]) -> pa.Table:
    """Return the masked rows. In most cases only the oldest are left out, and the others need no copy."""
    first = int(mask.argmax())
    return table.slice(first) if mask[first:].all() else table.filter(pa.array(mask))


def _numbers(first: int, count: int) -> pa.Array:
    return pa.array(np.arange(first, first + count, dtype=np.int64))


def _with(table: pa.Table, rows: pa.Table, schema: pa.Schema, sources: Mapping[str, str]) -> pa.Table:
    """Append the columns of a schema in which `rows` have any value, each from its source."""
    for column in schema:
        source = sources.get(column.name)
        if source in rows.column_names and (found := rows.column(source)).null_count < rows.num_rows:
            table = table.append_column(column, found.cast(column.type))
    return table


def bounded(table: pa.Table, max_rows: int) -> tuple[pa.Table, int]:
    """Return the last `max_rows` rows, in at most 64 chunks, and how many were evicted."""
    if table.column("row").num_chunks > _MAX_CHUNKS:
        table = table.combine_chunks()
    beyond = max(0, table.num_rows - max_rows)
    return table.slice(beyond), beyond
