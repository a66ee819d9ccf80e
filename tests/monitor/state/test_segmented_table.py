"""Tables in segments: each row is written once, and every live row is read back."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.monitor.ports import StoredTable
from rondo.monitor.state.segmented_table import MAX_SEGMENTS, SegmentState, load, read, save

SCHEMA = pa.schema([("id", pa.int64()), ("row", pa.int64())])
NOTHING = StoredTable(b"", ())


def table(ids: range) -> pa.Table:
    return pa.table({"id": list(ids), "row": list(ids)}, schema=SCHEMA)


def appended(before: StoredTable, saved: StoredTable) -> StoredTable:
    return StoredTable(saved.live, saved.segments if saved.replace else before.segments + saved.segments)


def ids(stored: StoredTable) -> list[int]:
    found: list[int] = load(stored, SCHEMA)[0].column("id").to_pylist()
    return found


@given(st.lists(st.tuples(st.integers(0, 40), st.floats(0, 1)), max_size=12), st.integers(0, 2**32))
def test_live_rows_are_read_back_in_their_order(steps: list[tuple[int, float]], seed: int) -> None:
    rng, rows, state, stored, known = random.Random(seed), table(range(0)), SegmentState(), NOTHING, 0
    for count, live in steps:
        rows = pa.concat_tables([rows, table(range(known, known + count))])
        known += count
        rows = rows.filter(pa.array([rng.random() < live for _ in range(rows.num_rows)], pa.bool_()))
        state, saved = save(rows, state)
        stored = appended(stored, saved)
        assert ids(stored) == rows.column("id").to_pylist()
        loaded = load(stored, SCHEMA)[1]
        assert (loaded.rows.size, loaded.segments) == (state.rows.size, state.segments)


def test_a_checkpoint_writes_only_new_rows() -> None:
    state, _ = save(table(range(1_000)), SegmentState())
    _, saved = save(table(range(10, 1_003)), state)
    assert not saved.replace
    assert [ids(StoredTable(b"", (segment,))) for segment in saved.segments] == [[1_000, 1_001, 1_002]]


def test_segments_are_replaced_when_most_rows_are_dead() -> None:
    state, _ = save(table(range(100_000)), SegmentState())
    assert not save(table(range(55_000, 100_000)), state)[1].replace
    after, saved = save(table(range(60_000, 100_000)), state)
    assert (saved.replace, after.rows.size, after.segments) == (True, 40_000, 1)


def test_an_empty_table_deletes_its_segments() -> None:
    state, _ = save(table(range(5)), SegmentState())
    _, saved = save(table(range(0)), state)
    assert (saved.replace, saved.segments) == (True, ())


def test_without_a_bitmap_every_row_is_live() -> None:
    _, saved = save(table(range(3)), SegmentState())
    assert ids(StoredTable(b"", saved.segments)) == [0, 1, 2]


def test_loaded_rows_are_renumbered_with_the_dead_ones() -> None:
    state, first = save(table(range(5)), SegmentState())
    _, second = save(table(range(3, 6)), state)
    rows, loaded = load(appended(first, second), SCHEMA)
    assert (rows.column("row").to_pylist(), loaded.rows.size) == ([3, 4, 5], 6)


@pytest.mark.medium
def test_many_small_checkpoints_leave_few_segments_and_write_each_row_a_few_times() -> None:
    state, stored, written = SegmentState(), NOTHING, 0
    for count in range(1, 1_001):
        state, saved = save(table(range(count)), state)
        stored, written = appended(stored, saved), written + sum(read(part).num_rows for part in saved.segments)
        assert len(stored.segments) <= MAX_SEGMENTS
    assert ids(stored) == list(range(1_000))
    assert written < 5 * 1_000
