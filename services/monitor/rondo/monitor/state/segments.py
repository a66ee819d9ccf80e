"""How waiting rows are kept: each is written once, in the part of the save after it came.

A save writes the new rows and one bit for each that lies in the store, whether it still waits. When the dead ones are
the larger half, or the parts are many, everything is written anew: so a row costs a few writes in all, and one more for
every `MAX_PARTS` saves that it waits; and a restart reads few parts, however little each save brought.
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
# Each takes a fifth of a millisecond to read.
MAX_PARTS = 500
_WORTH_IT = 10_000
_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")


@dataclass(frozen=True)
class Stored:
    """What lies in the store: the number of `rows`, dead ones included, and of the `parts` that they are in."""

    rows: int = 0
    parts: int = 0


@dataclass(frozen=True)
class Plan:
    """What a save does with rows: which of them it writes, their `places` after it, and what is then in the store."""

    whole: bool
    written: NDArray[np.bool_]
    places: NDArray[np.int64]
    stored: Stored

    def kept(self, part: pa.Table) -> Kept:
        """Return it for the store; `part` are the rows to be written."""
        alive = np.zeros(self.stored.rows, np.bool_)
        alive[self.places] = True
        return Kept(write(pa.table({"alive": alive})), (write(part),) if part.num_rows else (), self.whole)


def plan(places: NDArray[np.int64], stored: Stored) -> Plan:
    """Decide how rows are saved, by their places among the `stored` ones."""
    fresh = places == FRESH
    after = Stored(stored.rows + int(fresh.sum()), stored.parts + int(fresh.any()))
    if not stored.rows or after.parts > MAX_PARTS or _mostly_dead(after.rows, alive=places.size):
        whole = Stored(places.size, min(1, places.size))
        return Plan(True, np.ones(places.size, np.bool_), np.arange(places.size), whole)  # noqa: FBT003 - a field
    placed = places.copy()
    placed[fresh] = np.arange(stored.rows, after.rows)
    return Plan(False, fresh, placed, after)  # noqa: FBT003 - a field


def _mostly_dead(rows: int, alive: int) -> bool:
    return rows > 2 * alive + (_WORTH_IT if alive else 0)


def save(table: pa.Table, stored: Stored) -> tuple[pa.Table, Stored, Kept]:
    """Return the table with its new places, what is then in the store, and what to write; `place` is the last column.

    The places are not written: they are the order of the rows in the parts.
    """
    planned = plan(table.column("place").to_numpy(), stored)
    part = table.drop_columns(["place"]).filter(pa.array(planned.written))
    placed = table.set_column(table.num_columns - 1, "place", pa.array(planned.places))
    return placed, planned.stored, planned.kept(part)


def load(kept: Kept, schema: pa.Schema) -> tuple[pa.Table, Stored]:
    """Return the rows that wait, with their places as the last column, and what lies in the store."""
    whole = pa.concat_tables([_without_places(schema).empty_table(), *map(read, kept.parts)]).combine_chunks()
    alive = read(kept.alive).column("alive").to_numpy(zero_copy_only=False) if kept.alive else None
    placed = whole.append_column("place", pa.array(np.arange(whole.num_rows)))
    stored = Stored(whole.num_rows, len(kept.parts))
    return placed if alive is None else placed.filter(pa.array(alive)), stored


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
