"""When the state is saved."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from monitor_fakes import Clock, MemoryStore
from monitor_world import EPOCH, MODEL
from prometheus_client import REGISTRY
from rondo.monitor.alerts.coverage import BLOCK_ROWS
from rondo.monitor.model_state import Watch
from rondo.monitor.pace import Pace
from rondo.monitor.state.checkpointer import Saving
from rondo.monitor.stream.message_buffer import Waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.monitor.alerts.findings import Announcement
    from rondo.monitor.ports import Saved


class SlowStore(MemoryStore):
    """A store that takes its time."""

    clock: Clock
    seconds = 0.0

    async def save(self, saved: Saved, announcements: Sequence[Announcement]) -> None:
        await super().save(saved, announcements)
        self.clock.now += self.seconds


class Slow(Watch):
    """A watch that takes note of the thread in which it is settled."""

    settled_in: threading.Thread | None = None

    def settle(self) -> None:
        self.settled_in = threading.current_thread()


async def begun(store: SlowStore) -> tuple[Saving, Clock, dict[str, Waiting]]:
    clock = store.clock = Clock()
    saving = Saving(store, clock, Pace(save_every=1.0))
    await saving.load()
    return saving, clock, {MODEL: Waiting(Watch(MODEL))}


async def test_a_save_is_due_when_something_changed_and_not_at_once_after_a_load() -> None:
    saving, clock, _ = await begun(SlowStore())
    due = []
    for clock.now, changed in ((0.9, {MODEL}), (1.0, set()), (1.0, {MODEL})):
        saving.changed = changed
        due.append(saving.due)
    assert due == [False, False, True]


@pytest.mark.parametrize(("took", "not_yet", "due"), [(0.0, 0.9, 1.0), (2.0, 21.9, 22.0)])
async def test_saves_are_a_second_apart_and_take_a_tenth_of_the_time_at_most(
    took: float, not_yet: float, due: float
) -> None:
    store = SlowStore()
    saving, clock, models = await begun(store)
    store.seconds = took
    await saving.save(models, [])
    saving.changed.add(MODEL)
    assert [saving.due for clock.now in (not_yet, due)] == [False, True]


async def test_the_share_of_rows_in_no_window_is_exported_once_a_block_is_full() -> None:
    saving, _, models = await begun(SlowStore())
    for rows, share in ((1, 0.0), (BLOCK_ROWS, 1.0)):
        models[MODEL].watch.left_out.rows(MODEL, EPOCH, late_rows=np.ones(rows, np.bool_))
        saving.changed.add(MODEL)
        await saving.save(models, [])
        assert REGISTRY.get_sample_value("rondo_monitor_left_out_share", {"model": MODEL}) == share


async def test_only_what_changed_is_saved() -> None:
    store = SlowStore()
    saving, _, models = await begun(store)
    saving.changed.add(MODEL)
    await saving.save({**models, "other": Waiting(Watch("other"))}, [])
    assert store.watches.keys() == {MODEL}


async def test_the_event_loop_does_not_wait_for_it() -> None:
    saving, _, _ = await begun(SlowStore())
    watch = Slow(MODEL)
    saving.changed.add(MODEL)
    await saving.save({MODEL: Waiting(watch)}, [])
    assert watch.settled_in is not None
    assert watch.settled_in is not threading.main_thread()
