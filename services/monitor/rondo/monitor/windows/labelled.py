"""Labelled predictions of open windows. An outcome can be corrected until its window closes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rondo.contracts.tasks.sketches import OBSERVED
from rondo.monitor.windows import label_join
from rondo.monitor.windows.label_join import LABELLED, UNMATCHED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.monitor.windows.tumbling import TumblingWindows

# The outcomes of older rows are final.
MAX_ROWS = 1_000_000
# With this many chunks the table is copied into one. Other appends need no copy.
_MAX_CHUNKS = 64


@dataclass(frozen=True)
class Corrections:
    """The same predictions with their labels `before` and `after` a correction. `consumed` masks the outcomes by id."""

    before: pa.Table
    after: pa.Table
    consumed: NDArray[np.bool_]


@dataclass
class LabelledRows:
    """A table of `label_join.LABELLED`. `next_row` is the number of the next row to be added."""

    table: pa.Table = field(default_factory=LABELLED.empty_table)
    next_row: int = 0
    max_rows: int = field(default=MAX_ROWS, compare=False)
    # Outcomes by entity below this row number have been compared with the table.
    _compared: int = field(default=0, compare=False)

    def add(self, rows: pa.Table) -> None:
        """Append rows. The oldest beyond `max_rows` are evicted, and can't be corrected any more."""
        numbers = pa.array(np.arange(self.next_row, self.next_row + rows.num_rows))
        numbered = rows.set_column(rows.schema.get_field_index("row"), "row", numbers)
        self.next_row += rows.num_rows
        table = label_join.concatenated([self.table, numbered])
        if table.column("row").num_chunks > _MAX_CHUNKS:
            table = table.combine_chunks()
        self.table = table.slice(max(0, table.num_rows - self.max_rows))

    def clear(self) -> None:
        """Discard all rows. Row numbers continue, as in `UnmatchedRows.clear`."""
        self.table = self.table.slice(0, 0)

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Discard the rows outside of the mask."""
        if not mask.all():
            self.table = self.table.filter(pa.array(mask))

    def correct(self, outcomes: pa.Table, tumbling: TumblingWindows) -> Corrections:
        """Apply the outcomes that take precedence over the present labels, by the rule of `label_join`."""
        by_id, by_entity = label_join.split(outcomes)
        corrected = [self._correct_by_id(by_id, tumbling), self._correct_by_entity(by_entity)]
        before, after = (label_join.concatenated(side) for side in zip(*corrected, strict=True))
        consumed = np.zeros(outcomes.num_rows, np.bool_)
        consumed[outcomes.column("id").is_valid().to_numpy()] = label_join.known_ids(by_id, self.table)
        return Corrections(before, after, consumed)

    def _correct_by_id(self, by_id: pa.Table, tumbling: TumblingWindows) -> tuple[pa.Table, pa.Table]:
        if not by_id.num_rows:
            return LABELLED.empty_table(), LABELLED.empty_table()
        found = label_join.last_in_time(self.table, by_id, tumbling)
        after = label_join.labelled(self.table, by_id, found, by_id=True)
        hits = np.flatnonzero(found != UNMATCHED)
        before = self.table.take(pa.array(hits))
        return self._replace(hits, after, _earlier(before, after) | ~before.column("by_id").to_numpy())

    def _correct_by_entity(self, by_entity: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Apply outcomes by entity that arrived since the last call, and were known before the present label."""
        new = by_entity.filter(pc.greater_equal(by_entity.column("row"), self._compared))
        if not new.num_rows or not self.table.num_rows:
            return LABELLED.empty_table(), LABELLED.empty_table()
        self._compared = pc.max(new.column("row")).as_py() + 1
        concerned = pc.is_in(self.table.column("entity"), new.column("entity").combine_chunks(), skip_nulls=True)
        candidates = np.flatnonzero(concerned.to_numpy() & ~self.table.column("by_id").to_numpy())
        rows = self.table.take(pa.array(candidates))
        found = label_join.first_after(rows, new)
        after = label_join.labelled(rows, new, found, by_id=False)
        hits = candidates[found != UNMATCHED]
        return self._replace(hits, after, _earlier(after, self.table.take(pa.array(hits))))

    def _replace(
        self, indices: NDArray[np.int64], after: pa.Table, mask: NDArray[np.bool_]
    ) -> tuple[pa.Table, pa.Table]:
        """Replace the masked rows. Returns them before and after. A replaced row moves to the end with a new number."""
        replaced = indices[mask]
        before, after = self.table.take(pa.array(replaced)), after.filter(pa.array(mask))
        if replaced.size:
            kept = np.ones(self.table.num_rows, np.bool_)
            kept[replaced] = False
            self.keep(kept)
            self.add(after)
        return before, after


def _earlier(labels: pa.Table, others: pa.Table) -> NDArray[np.bool_]:
    """Return which labels were known before the others, or at the same time with another outcome.

    A label with the same time is a correction: it arrived after the label in the table.
    """
    known_at, other_known_at = labels.column("known_at").to_numpy(), others.column("known_at").to_numpy()
    return np.asarray((known_at < other_known_at) | ((known_at == other_known_at) & _other_outcomes(labels, others)))


def _other_outcomes(labels: pa.Table, others: pa.Table) -> NDArray[np.bool_]:
    different = np.zeros(labels.num_rows, np.bool_)
    for column in OBSERVED:
        if column.name in labels.column_names or column.name in others.column_names:
            mine, theirs = (label_join.values(table, column) for table in (labels, others))
            unequal = pc.coalesce(pc.not_equal(mine, theirs), pc.xor(mine.is_null(), theirs.is_null()))
            different |= unequal.to_numpy()
    return different
