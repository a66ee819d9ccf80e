"""How waiting rows are kept: each is written once, in the part of the save after it came.

A save writes the new rows and one bit for each that lies in the store, whether it still waits. When the dead ones are
the larger half, everything is written anew: so a row costs a few writes in all, however long it waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rondo.monitor.ports import Kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The place of a row that no save has written yet.
FRESH = -1
_WORTH_IT = 10_000
_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")


@dataclass(frozen=True)
class Plan:
    """What a save does with rows: which of them it writes, their `places` after it, and the rows then in the store."""

    whole: bool
    written: NDArray[np.bool_]
    places: NDArray[np.int64]
    stored: int

    def kept(self, part: pa.Table) -> Kept:
        """Return it for the store; `part` are the rows to be written."""
        alive = np.zeros(self.stored, np.bool_)
        alive[self.places] = True
        return Kept(write(pa.table({"alive": alive})), (write(part),) if part.num_rows else (), self.whole)


def plan(places: NDArray[np.int64], stored: int) -> Plan:
    """Decide how rows are saved, by their places among the `stored` ones."""
    fresh = places == FRESH
    count = int(fresh.sum())
    if stored + count > 2 * places.size + (_WORTH_IT if places.size else 0) or not stored:
        return Plan(True, np.ones(places.size, np.bool_), np.arange(places.size), places.size)  # noqa: FBT003 - a field
    placed = places.copy()
    placed[fresh] = np.arange(stored, stored + count)
    return Plan(False, fresh, placed, stored + count)  # noqa: FBT003 - a field


def save(table: pa.Table, stored: int) -> tuple[pa.Table, int, Kept]:
    """Return the table with its new places, the rows then in the store, and what to write; `place` is the last column.

    The places are not written: they are the order of the rows in the parts.
    """
    planned = plan(table.column("place").to_numpy(), stored)
    part = table.drop_columns(["place"]).filter(pa.array(planned.written))
    placed = table.set_column(table.num_columns - 1, "place", pa.array(planned.places))
    return placed, planned.stored, planned.kept(part)


def load(kept: Kept, schema: pa.Schema) -> tuple[pa.Table, int]:
    """Return the rows that wait, with their places as the last column, and how many rows lie in the store."""
    whole = pa.concat_tables([_without_places(schema).empty_table(), *map(read, kept.parts)]).combine_chunks()
    alive = read(kept.alive).column("alive").to_numpy(zero_copy_only=False) if kept.alive else None
    placed = whole.append_column("place", pa.array(np.arange(whole.num_rows)))
    return placed if alive is None else placed.filter(pa.array(alive)), whole.num_rows


def _without_places(schema: pa.Schema) -> pa.Schema:
    return schema.remove(schema.get_field_index("place"))


def write(table: pa.Table) -> bytes:
    """Write a table as an Arrow IPC stream, compressed with zstd."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_OPTIONS) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def read(content: bytes) -> pa.Table:
    """Read what `write` wrote."""
    with pa.ipc.open_stream(content) as reader:
        return reader.read_all()
