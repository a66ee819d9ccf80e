"""Rows of two versions that belong to the same request, although ids repeat."""

from __future__ import annotations

import pyarrow as pa
from rondo.monitor.rollouts.pairs import paired

Row = tuple[str | None, int]


def table(*rows: Row, dated: bool | None = True) -> pa.Table:
    ids, times = zip(*rows, strict=True)
    return pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "event_time": pa.array(times, pa.int64()),
            "dated": pa.array([dated] * len(rows), pa.bool_()),
            "row": pa.array(range(len(rows))),
        }
    )


def pairs(primary: pa.Table, others: pa.Table) -> list[tuple[int, int]]:
    mine, theirs = paired(primary, others)
    return list(zip(mine.tolist(), theirs.tolist(), strict=True))


def test_an_id_that_repeats_is_paired_by_its_event_time() -> None:
    assert pairs(table(("a", 2), ("b", 1), ("a", 5)), table(("a", 5), ("a", 2), ("b", 9))) == [(0, 1), (2, 0)]


def test_a_request_that_was_sent_twice_is_paired_twice() -> None:
    assert pairs(table(("a", 2), ("a", 2)), table(("a", 2), ("a", 2), ("a", 2))) == [(0, 0), (1, 1)]


def test_rows_without_an_event_time_are_paired_in_order() -> None:
    undated = table(("a", 11), ("b", 3), ("a", 1), dated=False)
    assert pairs(table(("a", 2), ("a", 12), ("b", 4), ("c", 4)), undated) == [(0, 2), (1, 0), (2, 1)]


def test_rows_without_an_event_time_are_not_paired_where_one_is_missing() -> None:
    assert pairs(table(("a", 2), ("a", 12)), table(("a", 11), dated=False)) == []


def test_rows_of_an_earlier_release_are_paired_either_way() -> None:
    assert pairs(table(("a", 2), ("b", 3)), table(("a", 2), ("b", 4), dated=None)) == [(0, 0), (1, 1)]


def test_rows_without_an_id_are_not_paired() -> None:
    assert pairs(table((None, 2), ("b", 3)), table((None, 2), (None, 3))) == []
