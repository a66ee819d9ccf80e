"""Buckets that still accept rows: they are merged by addition, and each version has its own.

Rows are kept as bins until their bucket becomes evidence. Their sums and counts equal those from counts by bucket.
"""

from __future__ import annotations

import numpy as np
import pytest
from rondo.monitor.evidence.component_sums import INPUT_GROUPS
from rondo.monitor.evidence.open_buckets import BucketArrays, BucketedRows, OpenBuckets, added_up

from tests.monitor.builders import predictions, times
from tests.monitor.streams import STREAMS, Stream

MINUTE = 60_000_000


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


def rows_of(stream: Stream, count: int, buckets: int, seed: int = 1) -> tuple[BucketedRows, BucketArrays]:
    """Return rows in any order in `buckets` buckets, with some missing values, and their counts by bucket."""
    rng = np.random.default_rng(seed)
    data = stream.rows(rng, count)
    data["x"] = np.where(rng.random(count) < 0.1, np.nan, data["x"]).astype(np.float32)
    binning = stream.reference.binning
    bins = binning.bins(predictions(data, times(0, count), ["i"] * count))
    starts, groups = np.unique(rng.integers(buckets, size=count), return_inverse=True)
    counts = BucketArrays(MINUTE * starts, np.bincount(groups), binning.count(bins, groups, len(starts)))
    return BucketedRows.of(MINUTE * starts[groups], bins, binning), counts


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.task)
def test_rows_have_the_sums_and_counts_of_their_buckets(stream: Stream) -> None:
    rows, counts = rows_of(stream, 1_000, 150)
    assert [each.tolist() for each in rows.counted] == [each.tolist() for each in counts]
    for group in INPUT_GROUPS:
        mine, theirs = (stream.reference.components.of_part(group, part) for part in (rows, counts))
        # Equal bit by bit, because replicas take the rows in different parts.
        assert [each.tobytes() for each in mine] == [each.tobytes() for each in theirs]
    for column in stream.reference.binning.watched:
        assert rows.counts_of(column).tolist() == counts.counts_of(column).tolist()
    assert rows.between(20, 70).tolist() == counts.counts[20:70].sum(axis=0).tolist()


@pytest.mark.parametrize("part", range(2))
def test_parts_are_split_at_a_time(part: int) -> None:
    for number in (0, 7, 40):
        parts = rows_of(STREAMS[0], 300, 40)
        before, others = parts[part].split(MINUTE * number)
        found = [each and each.starts.tolist() for each in (before, others)]
        assert found == [[MINUTE * at for at in some] or None for some in (range(number), range(number, 40))]
        for each in (before, others):
            counted = each.counted if isinstance(each, BucketedRows) else each
            assert counted is None or counted.counts.tolist() == [
                parts[1].counts[start // MINUTE].tolist() for start in counted.starts.tolist()
            ]


@pytest.mark.medium
def test_open_rows_take_no_more_room_than_counts_of_their_buckets() -> None:
    found, size = OpenBuckets(), STREAMS[0].reference.binning.size
    for count, buckets in ((50, 40), (300, 40), (30_000, 40), (30_000, 3_000)):
        found.add_rows(1, rows_of(STREAMS[0], count, buckets)[0])
        part = found.parts[1][-1]
        used = part.bins.nbytes if isinstance(part, BucketedRows) else part.counts.nbytes
        assert used <= len(part.starts) * size * np.dtype(np.int64).itemsize


def test_rows_and_counts_of_a_bucket_add_up() -> None:
    found = OpenBuckets()
    rows, counts = rows_of(STREAMS[0], 300, 40)
    assert rows.is_sparse
    found.add_rows(1, rows)
    found.add(1, *counts)
    assert [(key, count, each.tolist()) for key, count, each in found] == [
        ((1, start), 2 * count, (2 * each).tolist())
        for start, count, each in zip(*(each.tolist() for each in counts[:2]), counts.counts, strict=True)
    ]
