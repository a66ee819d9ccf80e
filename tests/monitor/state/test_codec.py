"""A model's state encoded and decoded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from rondo.monitor.state import segmented_table
from rondo.monitor.state.codec import decode_state, encode_state, nothing_stored

from tests.monitor.builders import MODEL, SPEC
from tests.monitor.state.states import add_rows, filled_state, without_row_numbers
from tests.monitor.streams import CITIES

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
    """The rows arrive before the next checkpoint, and its segments still have the rows from before the removal."""
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


def test_a_checkpoint_of_a_release_without_evidence_of_slices_continues() -> None:
    """It has the losses of a slice by window, and no alarm about slices."""
    before = filled_state()
    checkpoint, _ = encode_state(before, nothing_stored())
    alarms = checkpoint.figures["alarms"]
    assert isinstance(alarms, dict)
    alarms["by_kind"].pop("slices")
    windows = segmented_table.read(checkpoint.windows)
    for name in ("slice_loss_rows", "slice_loss_sums"):
        sums = [np.array(each).reshape(len(CITIES), -1).sum(axis=1).tolist() for each in windows[name].to_pylist()]
        windows = windows.set_column(windows.schema.get_field_index(name), windows.schema.field(name), [sums])
    earlier = replace(checkpoint, windows=segmented_table.write(windows))
    after, _ = decode_state(MODEL, earlier, before.max_out_of_orderness, now=0.0)
    after.apply_spec(SPEC)
    assert after.alarms == before.alarms
    assert {each.slices.parts for each in after.windows.values()} == {1}
    add_rows(after, 1_000, 30)
    add_rows(before, 1_000, 30)
    after.settle()
    before.settle()
    for key, counts in before.windows.items():
        mine = after.windows[key].slices
        assert np.array_equal(mine.loss_rows.sum(axis=1), counts.slices.loss_rows.sum(axis=1))
        assert mine.plus(counts.slices).loss_rows.sum() == 2 * counts.slices.loss_rows.sum()
