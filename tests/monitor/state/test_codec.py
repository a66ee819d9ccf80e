"""A model's state encoded and decoded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rondo.monitor.state.codec import decode_state, encode_state, nothing_stored

from tests.monitor.builders import MODEL, SPEC
from tests.monitor.state.states import add_rows, filled_state, without_row_numbers

if TYPE_CHECKING:
    from rondo.monitor.model_state import ModelState
    from rondo.monitor.ports import ModelCheckpoint


def decoded(state: ModelState, now: float = 0.0) -> ModelState:
    return decode_state(MODEL, encode_state(state, nothing_stored())[0], state.max_out_of_orderness, now)[0]


def stored_after(before: ModelCheckpoint, after: ModelCheckpoint) -> ModelCheckpoint:
    """Return what a store has after two checkpoints."""
    tables = {
        name: table if table.replace else replace(table, segments=before.tables[name].segments + table.segments)
        for name, table in after.tables.items()
    }
    return replace(after, tables=tables)


def test_a_decoded_state_equals_the_encoded_one() -> None:
    before = filled_state()
    after = decoded(before, now=5.0)
    assert without_row_numbers(before) == without_row_numbers(after)
    assert (after.unmatched.predictions.num_rows, after.labelled.table.num_rows) == (20, 10)
    assert [each.received_at for each in after.buffer.messages] == [5.0]


def test_rows_that_arrive_after_a_removal_are_read_back() -> None:
    """They arrive before the next checkpoint, whose segments still have the rows before the removal."""
    state = filled_state()
    checkpoint, stored = encode_state(state, nothing_stored())
    state.remove(2)
    state.apply_spec(SPEC)
    add_rows(state, 0, 20)
    state.settle()
    appended, _ = encode_state(state, stored)
    restored = decode_state(MODEL, stored_after(checkpoint, appended), state.max_out_of_orderness, now=0.0)[0]
    assert without_row_numbers(state) == without_row_numbers(restored)


def test_rows_that_arrive_after_a_restart_are_appended() -> None:
    before = filled_state()
    checkpoint, _ = encode_state(before, nothing_stored())
    after, stored = decode_state(MODEL, checkpoint, before.max_out_of_orderness, now=0.0)
    after.apply_spec(SPEC)
    add_rows(after, 1_000, 30)
    after.settle()
    appended, _ = encode_state(after, stored)
    assert {name: table.replace for name, table in appended.tables.items()} == {
        "predictions": False, "outcomes": False, "labelled": False, "buffered": False, "compared": True
    }  # fmt: skip
    restored, _ = decode_state(MODEL, stored_after(checkpoint, appended), before.max_out_of_orderness, now=0.0)
    assert without_row_numbers(after) == without_row_numbers(restored)
