"""The pairs of rows in which two versions scored the same request.

Several requests may have the same id. Two rows belong to the same request if their event times are equal, too. A row
that was sent without an event time has the time of its version's answer. In that case the k-th row with an id is paired
with the k-th. If one version has more such rows than the other, it is not known which are missing, and none of them is
paired.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray


def paired(primary: pa.Table, others: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of N pairs in each table, in the order of the primary.

    Both tables have the columns `id`, `event_time` and `row`. Rows of `others` that are `dated` were sent with their
    event time.
    """
    if not primary.num_rows or not others.num_rows:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    codes, their_codes = _codes(primary, others)
    times, their_times = (table.column("event_time").to_numpy() for table in (primary, others))
    rows, their_rows = _in_order(primary, codes), _in_order(others, their_codes)
    moments = np.unique(np.concatenate([times, their_times]))
    found, their_found = _matched(
        (codes * moments.size + np.searchsorted(moments, times))[rows],
        (their_codes * moments.size + np.searchsorted(moments, their_times))[their_rows],
    )
    exact = rows[found], their_rows[their_found]
    undated = pc.fill_null(pc.invert(others.column("dated")), fill_value=True).to_numpy()
    rows, their_rows = np.delete(rows, found), np.delete(their_rows, their_found)
    rows, their_rows = _as_often(codes, rows, their_codes, their_rows[undated[their_rows]])
    found, their_found = _matched(codes[rows], their_codes[their_rows])
    places = np.concatenate([exact[0], rows[found]])
    order = np.argsort(places)
    return places[order], np.concatenate([exact[1], their_rows[their_found]])[order]


def _in_order(table: pa.Table, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the indices of the rows that have an id, by event time and arrival."""
    order = np.lexsort((table.column("row").to_numpy(), table.column("event_time").to_numpy()))
    return order[codes[order] >= 0]


def _codes(primary: pa.Table, others: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a number for each row's id, which is the same in both tables. -1 for rows without an id."""
    chunks = [*primary.column("id").chunks, *others.column("id").chunks]
    encoded = pa.chunked_array(chunks, pa.string()).combine_chunks().dictionary_encode().indices
    codes = encoded.fill_null(-1).to_numpy().astype(np.int64)
    return codes[: primary.num_rows], codes[primary.num_rows :]


def _matched(mine: NDArray[np.int64], theirs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of the k-th occurrence of each key in both, for each k that both have."""
    _, keys = np.unique(np.concatenate([mine, theirs]), return_inverse=True)
    sides = keys[: mine.size], keys[mine.size :]
    counts = tuple(map(_occurrences, sides))
    width = 1 + max((int(each.max()) for each in counts if each.size), default=0)
    number, their_number = (side * width + count for side, count in zip(sides, counts, strict=True))
    _, places, their_places = np.intersect1d(number, their_number, assume_unique=True, return_indices=True)
    return places, their_places


def _occurrences(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of earlier occurrences of each key."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    found = np.empty(keys.size, np.int64)
    found[order] = np.arange(keys.size) - np.searchsorted(ordered, ordered)
    return found


def _as_often(
    codes: NDArray[np.int64], rows: NDArray[np.int64], their_codes: NDArray[np.int64], their_rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows whose id occurs equally often on both sides."""
    width = 1 + int(max(codes.max(initial=0), their_codes.max(initial=0)))
    equal = np.bincount(codes[rows], minlength=width) == np.bincount(their_codes[their_rows], minlength=width)
    return rows[equal[codes[rows]]], their_rows[equal[their_codes[their_rows]]]
