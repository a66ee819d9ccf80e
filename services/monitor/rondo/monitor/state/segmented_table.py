"""Stores a growing table in append-only segments: each row is written once, by the checkpoint after its arrival.

A checkpoint writes the new rows, and one bit for each stored row: whether it is live. When the dead rows outnumber the
live ones, or when there are many segments, one segment replaces all others. So a row is written a few times in total,
and once more for every `MAX_SEGMENTS` checkpoints that it stays. A restart reads few segments, however small each
checkpoint was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rondo.monitor.ports import StoredTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Reading a segment takes a fifth of a millisecond.
MAX_SEGMENTS = 500
# Dead rows below this number are not worth a replacement.
_MIN_DEAD = 10_000
# Rows that are written once are compressed well. The parts that each checkpoint writes again are compressed quickly.
_ONCE, _AGAIN = (pa.ipc.IpcWriteOptions(compression=codec, use_threads=False) for codec in ("zstd", "lz4"))


@dataclass(frozen=True, eq=False)
class SegmentState:
    """The stored `rows` by their ascending numbers, including dead ones, and their number of `segments`."""

    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    segments: int = 0


def save(table: pa.Table, stored: SegmentState) -> tuple[SegmentState, StoredTable]:
    """Return the stored rows after a checkpoint, and what the checkpoint writes. The column `row` ascends.

    Row numbers are not written, because they follow from the order of the rows in the segments.
    """
    rows = table.column("row").to_numpy()
    first = int(rows.searchsorted(stored.rows[-1], "right")) if stored.rows.size else 0
    new = rows[first:]
    appended = SegmentState(np.concatenate([stored.rows, new]), stored.segments + int(new.size > 0))
    if not stored.rows.size or appended.segments > MAX_SEGMENTS or _mostly_dead(appended.rows.size, live=rows.size):
        return _stored(table, SegmentState(rows, min(1, rows.size)), replace=True)
    return _stored(table.slice(first), appended, replace=False, live=rows)


def _mostly_dead(stored: int, live: int) -> bool:
    return stored > 2 * live + (_MIN_DEAD if live else 0)


def _stored(
    segment: pa.Table, after: SegmentState, *, replace: bool, live: NDArray[np.int64] | None = None
) -> tuple[SegmentState, StoredTable]:
    mask = np.zeros(after.rows.size, np.bool_)
    mask[slice(None) if live is None else _places(after.rows, live)] = True
    # Combined chunks: the bytes must not depend on how the rows were divided into messages.
    content = (_written(segment.drop_columns(["row"]).combine_chunks(), _ONCE),) if segment.num_rows else ()
    return after, StoredTable(write(pa.table({"live": mask})), content, replace)


def _places(rows: NDArray[np.int64], live: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """Return the indices of the live rows among all rows. In most cases these are the last ones."""
    last = slice(rows.size - live.size, None)
    return last if np.array_equal(rows[last], live) else rows.searchsorted(live)


def load(stored: StoredTable, schema: pa.Schema) -> tuple[pa.Table, SegmentState]:
    """Return the live rows, renumbered from 0 in the last column, and the stored rows."""
    empty = schema.remove(schema.get_field_index("row")).empty_table()
    segments = [empty, *map(read, stored.segments)]
    # Segments may have different columns, see `label_join`.
    table = pa.concat_tables(segments, promote_options="default").combine_chunks()
    rows = np.arange(table.num_rows)
    numbered = table.append_column("row", pa.array(rows))
    live = read(stored.live).column("live") if stored.live else None
    return numbered if live is None else numbered.filter(live), SegmentState(rows, len(stored.segments))


def write(table: pa.Table) -> bytes:
    """Write a table as an Arrow IPC stream."""
    return _written(table, _AGAIN)


def _written(table: pa.Table, options: pa.ipc.IpcWriteOptions) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def read(content: bytes) -> pa.Table:
    """Read an Arrow IPC stream."""
    with pa.ipc.open_stream(content) as reader:
        return reader.read_all()
