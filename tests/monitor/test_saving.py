"""When the state is saved."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from monitor_fakes import Clock, MemoryStore
from monitor_world import MODEL
from rondo.monitor.pace import Pace
from rondo.monitor.saving import Saving
from rondo.monitor.waiting import Waiting
from rondo.monitor.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.monitor.alerts import Announcement
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


async def test_a_save_is_due_a_second_after_the_last_if_something_changed() -> None:
    saving, clock, models = await begun(SlowStore())
    clock.now = 1.0
    assert not saving.due
    saving.changed.add(MODEL)
    assert saving.due
    await saving.save(models, [])
    saving.changed.add(MODEL)
    assert not saving.due
    clock.now = 2.0
    assert saving.due


async def test_saves_take_a_tenth_of_the_time_at_most() -> None:
    store = SlowStore()
    saving, clock, models = await begun(store)
    store.seconds = 2.0
    saving.changed.add(MODEL)
    await saving.save(models, [])
    saving.changed.add(MODEL)
    clock.now = 21.9
    assert not saving.due
    clock.now = 22.0
    assert saving.due


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
    assert asyncio.get_running_loop().is_running()
