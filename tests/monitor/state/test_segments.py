"""Waiting rows in parts: each written once, and all there again."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from rondo.monitor.ports import Kept
from rondo.monitor.state.segments import FRESH, MAX_PARTS, Stored, load, plan, read, save

SCHEMA = pa.schema([("id", pa.int64()), ("place", pa.int64())])


def add(table: pa.Table, ids: range) -> pa.Table:
    fresh = pa.table({"id": list(ids), "place": [FRESH] * len(ids)}, schema=SCHEMA)
    return pa.concat_tables([table, fresh])


def behind(kept: Kept, saved: Kept) -> Kept:
    return Kept(saved.alive, saved.parts if saved.whole else kept.parts + saved.parts)


@given(st.lists(st.tuples(st.integers(0, 40), st.floats(0, 1)), max_size=12), st.integers(0, 2**32))
def test_whatever_comes_and_goes_is_read_back_in_its_order(steps: list[tuple[int, float]], seed: int) -> None:
    rng, table, stored, kept, known = random.Random(seed), SCHEMA.empty_table(), Stored(), Kept(b"", ()), 0
    for count, stays in steps:
        table = add(table, range(known, known + count))
        known += count
        table = table.filter(pa.array([rng.random() < stays for _ in range(table.num_rows)], pa.bool_()))
        table, stored, saved = save(table, stored)
        kept = behind(kept, saved)
        loaded, lies = load(kept, SCHEMA)
        assert (table.to_pydict(), stored) == (loaded.to_pydict(), lies)


def test_a_save_writes_what_is_new_alone() -> None:
    table, stored, _ = save(add(SCHEMA.empty_table(), range(1_000)), Stored())
    saved = save(add(table.slice(10), range(3)), stored)[2]
    assert (saved.whole, [load(Kept(b"", (part,)), SCHEMA)[0].column("id").to_pylist() for part in saved.parts]) == (
        False,
        [[0, 1, 2]],
    )


def test_all_is_written_anew_when_the_dead_are_the_larger_half() -> None:
    places = np.arange(100_000)
    assert not plan(places[55_000:], Stored(100_000, 3)).whole
    anew = plan(places[60_000:], Stored(100_000, 3))
    assert (anew.whole, anew.stored, anew.places[0]) == (True, Stored(40_000, 1), 0)


def test_nothing_left_leaves_nothing() -> None:
    table, stored, _ = save(add(SCHEMA.empty_table(), range(5)), Stored())
    saved = save(table.slice(0, 0), stored)[2]
    assert (saved.whole, saved.parts) == (True, ())


def test_parts_of_which_nothing_is_said_are_all_alive() -> None:
    _, _, saved = save(add(SCHEMA.empty_table(), range(3)), Stored())
    assert load(Kept(b"", saved.parts), SCHEMA)[0].column("place").to_pylist() == [0, 1, 2]


def test_many_small_saves_leave_few_parts_and_write_each_row_a_few_times() -> None:
    table, stored, kept, written = SCHEMA.empty_table(), Stored(), Kept(b"", ()), 0
    for turn in range(3_000):
        table, stored, saved = save(add(table, range(turn, turn + 1)), stored)
        kept, written = behind(kept, saved), written + sum(read(part).num_rows for part in saved.parts)
        assert len(kept.parts) <= MAX_PARTS
    assert load(kept, SCHEMA)[0].column("id").to_pylist() == list(range(3_000))
    assert written < 5 * 3_000
