"""The times at which checkpoints are saved, and their content."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from prometheus_client import REGISTRY
from rondo.monitor.alerts.dropped_rows import BLOCK_ROWS
from rondo.monitor.model_state import ModelState
from rondo.monitor.settings import MonitorTimings
from rondo.monitor.state.checkpointer import Checkpointer

from tests.monitor.builders import EPOCH, MODEL
from tests.monitor.fakes import FakeClock, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.monitor.alerts.findings import Announcement
    from rondo.monitor.ports import Checkpoint


class SlowStore(MemoryStore):
    """Advances the clock by `seconds` on each save."""

    clock: FakeClock
    seconds = 0.0

    async def save(self, checkpoint: Checkpoint, announcements: Sequence[Announcement]) -> None:
        await super().save(checkpoint, announcements)
        self.clock.now += self.seconds


class ThreadRecordingState(ModelState):
    """Records the thread that settles it."""

    settled_in: threading.Thread | None = None

    def settle(self) -> None:
        self.settled_in = threading.current_thread()


async def loaded(store: SlowStore) -> tuple[Checkpointer, FakeClock]:
    clock = store.clock = FakeClock()
    checkpointer = Checkpointer(store, clock, MonitorTimings(checkpoint_interval=1.0))
    await checkpointer.load()
    return checkpointer, clock


async def test_a_checkpoint_is_due_when_something_changed_and_not_immediately_after_a_load() -> None:
    checkpointer, clock = await loaded(SlowStore())
    due = []
    for clock.now, changed in ((0.9, {MODEL}), (1.0, set()), (1.0, {MODEL})):
        checkpointer.changed = changed
        due.append(checkpointer.due)
    assert due == [False, False, True]


@pytest.mark.parametrize(("took", "not_yet", "due"), [(0.0, 0.9, 1.0), (2.0, 21.9, 22.0)])
async def test_checkpoints_are_an_interval_apart_and_take_at_most_a_tenth_of_the_time(
    took: float, not_yet: float, due: float
) -> None:
    store = SlowStore()
    checkpointer, clock = await loaded(store)
    store.seconds = took
    await checkpointer.save({MODEL: ModelState(MODEL)}, [])
    checkpointer.changed.add(MODEL)
    assert [checkpointer.due for clock.now in (not_yet, due)] == [False, True]


async def test_the_dropped_share_is_exported_once_a_block_is_full() -> None:
    checkpointer, _ = await loaded(SlowStore())
    models = {MODEL: ModelState(MODEL)}
    for rows, share in ((1, 0.0), (BLOCK_ROWS, 1.0)):
        models[MODEL].dropped.record(MODEL, EPOCH, late_rows=np.ones(rows, np.bool_))
        checkpointer.changed.add(MODEL)
        await checkpointer.save(models, [])
        assert REGISTRY.get_sample_value("rondo_monitor_dropped_share", {"model": MODEL}) == share


async def test_only_changed_models_are_saved() -> None:
    store = SlowStore()
    checkpointer, _ = await loaded(store)
    checkpointer.changed.add(MODEL)
    await checkpointer.save({MODEL: ModelState(MODEL), "other": ModelState("other")}, [])
    assert store.models.keys() == {MODEL}


async def test_a_model_is_settled_off_the_event_loop() -> None:
    checkpointer, _ = await loaded(SlowStore())
    state = ThreadRecordingState(MODEL)
    checkpointer.changed.add(MODEL)
    await checkpointer.save({MODEL: state}, [])
    assert state.settled_in not in (None, threading.main_thread())
