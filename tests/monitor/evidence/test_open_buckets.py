"""Buckets that still accept rows: they merge by addition, and each version has its own."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.monitor.evidence.open_buckets import OpenBuckets, added_up


def filled(*parts: tuple[int, list[int], list[int]]) -> OpenBuckets:
    found = OpenBuckets()
    for version, starts, rows in parts:
        count = np.array(rows, np.int64)
        found.add(version, np.array(starts, np.int64), count, np.column_stack((count, 2 * count)))
    return found


def test_parts_of_a_bucket_add_up_and_empty_ones_are_left_out() -> None:
    found = filled((1, [0, 10, 20], [3, 0, 2]), (1, [0, 10], [1, 4]))
    assert [(key, rows, counts.tolist()) for key, rows, counts in found] == [
        ((1, 0), 4, [4, 8]), ((1, 10), 4, [4, 8]), ((1, 20), 2, [2, 4])
    ]  # fmt: skip


def test_the_buckets_of_a_version_before_a_time_are_taken_in_order_once() -> None:
    found = filled((1, [10, 20], [2, 3]), (1, [0], [1]), (2, [0], [9]))
    taken = added_up(found.pop(1, 20))
    assert [each.tolist() for each in taken] == [[0, 10], [1, 2], [[1, 2], [2, 4]]]
    assert found.pop(1, 20) == []
    assert [key for key, _, _ in found] == [(1, 20), (2, 0)]


def test_other_versions_are_discarded() -> None:
    found = filled((1, [0], [1]), (2, [0, 10], [1, 1]))
    assert found.versions() == {1, 2}
    found.keep({2, 3})
    assert [key for key, _, _ in found] == [(2, 0), (2, 10)]


def test_counts_can_not_be_changed_once_they_are_added() -> None:
    found, counts = OpenBuckets(), np.ones((1, 2), np.int64)
    found.add(1, np.zeros(1, np.int64), np.ones(1, np.int64), counts)
    with pytest.raises(ValueError, match="read-only"):
        counts += 5


def test_rows_that_arrive_one_by_one_take_the_room_of_their_buckets() -> None:
    found = filled(*((1, [10 * (at % 3)], [1]) for at in reversed(range(3_000))))
    assert sum(len(part.starts) for part in found.parts[1]) < 100
    assert [(key, rows, counts.tolist()) for key, rows, counts in found] == [
        ((1, 10 * at), 1_000, [1_000, 2_000]) for at in range(3)
    ]
