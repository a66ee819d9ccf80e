"""The pipelines that a replica runs as partitions are assigned to it, without servers."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from rondo.chassis.errors import UnavailableError
from rondo.chassis.stream.follower import NotStartedError
from rondo.monitor.assignment.ports import Assignment
from rondo.monitor.assignment.replica import Replica
from rondo.monitor.errors import PartitionsChangedError, PartitionsDifferError
from rondo.monitor.stream.partition_numbers import PartitionNumber, count_of_numbers, number_of

from tests.monitor.fakes import FakeClock
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

COUNT = 4
UNUSED: Any = None


@dataclass
class FakePart:
    """Work that continues until it is cancelled, or fails with `error`."""

    part: PartitionNumber
    models: Any = None
    running: bool = False
    closed: bool = False
    error: Exception | None = None
    fail: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        self.running = True
        try:
            await self.fail.wait()
            raise AssertionError(self.part)
        finally:
            self.running = False

    async def check(self) -> None:
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        assert not self.running, "it is closed after it has ended"
        self.closed = True


@dataclass
class Assignments:
    """A group whose assignments come from the test."""

    queue: asyncio.Queue[Assignment] = field(default_factory=asyncio.Queue)
    error: UnavailableError | None = None

    async def run(self, take: Callable[[Assignment], Awaitable[None]]) -> None:
        while True:
            await take(await self.queue.get())
            self.queue.task_done()

    async def check(self) -> None:
        if self.error is not None:
            raise self.error

    async def assign(self, *assigned: int, partitions: int = COUNT, outcomes: int | None = None) -> None:
        counts = {"predictions.log": partitions, "outcomes.log": outcomes or partitions}
        await self.queue.put(Assignment(frozenset(assigned), counts))
        await self.queue.join()


@dataclass
class Running:
    group: Assignments
    replica: Replica
    started: list[FakePart]


@asynccontextmanager
async def running(models: Any = None, clock: Callable[[], float] = time.monotonic) -> AsyncIterator[Running]:
    """Run a replica whose parts answer with `models`."""
    started: list[FakePart] = []

    async def count_numbers(partitions: Mapping[str, int]) -> int:
        return count_of_numbers(partitions, COUNT)

    def start(part: PartitionNumber) -> FakePart:
        started.append(FakePart(part, models))
        return started[-1]

    group = Assignments()
    replica = Replica(group, count_numbers, start, clock)
    task = asyncio.create_task(replica.run())
    yield Running(group, replica, started)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_replica_works_on_what_is_assigned_to_it() -> None:
    async with running() as found:
        await found.group.assign(0, 1)
        await until(lambda: [each.running for each in found.started] == [True, True])
        assert [each.part for each in found.started] == [PartitionNumber(number, COUNT, COUNT) for number in (0, 1)]
        await found.group.assign(1, 2)
        await until(lambda: len(found.started) == 3 and found.started[2].running)
        first, kept, _ = found.started
        assert (first.running, first.closed) == (False, True)
        assert (kept.running, kept.closed) == (True, False), "an assigned partition keeps its memory"
        assert found.replica.numbers == (1, 2)
        assert found.replica.changed.is_set()
        await found.group.assign()
        assert found.replica.numbers == ()
        assert [each.closed for each in found.started] == [True] * 3
    assert not any(each.running for each in found.started)


async def test_a_number_that_comes_back_begins_with_what_was_saved() -> None:
    async with running() as found:
        await found.group.assign(3)
        await found.group.assign()
        await found.group.assign(3)
        assert [each.part.number for each in found.started] == [3, 3]
        assert found.replica.parts == {3: found.started[1]}


async def test_the_part_of_a_model_is_that_of_its_number() -> None:
    async with running() as found:
        assert found.replica.part_of("loans") is None, "before the first assignment"
        number = number_of("loans", COUNT)
        await found.group.assign(number)
        assert found.replica.part_of("loans") is found.started[0]
        await found.group.assign((number + 1) % COUNT)
        assert found.replica.part_of("loans") is None


async def test_more_partitions_start_all_parts_again() -> None:
    async with running() as found:
        await found.group.assign(0, 1)
        await found.group.assign(0, 1, 4, 5, partitions=2 * COUNT)
        assert [(each.part, each.closed) for each in found.started] == [
            (PartitionNumber(number, COUNT, partitions), closed)
            for partitions, closed in ((COUNT, True), (2 * COUNT, False))
            for number in (0, 1)
        ]


async def test_the_work_goes_on_while_partitions_are_added_to_one_log_after_the_other() -> None:
    async with running() as found:
        await found.group.assign(0, 1)
        await found.group.assign(0, 1, 4, 5, partitions=2 * COUNT, outcomes=COUNT)
        await until(lambda: [each.running for each in found.started] == [True, True])
        with pytest.raises(UnavailableError) as not_ready:
            await found.replica.check()
        refused = PartitionsDifferError({"predictions.log": 2 * COUNT, "outcomes.log": COUNT})
        assert not_ready.value.why == str(refused)
        # A number moves meanwhile. Its new owner does not read the added partitions, either.
        await found.group.assign(0, 1, 2, partitions=2 * COUNT, outcomes=COUNT)
        assert found.started[2].part == PartitionNumber(2, COUNT, COUNT)
        await found.group.assign(0, 1, 2, partitions=2 * COUNT)
        await found.replica.check()
        assert [each.closed for each in found.started] == [True] * 3 + [False] * 3
        assert [each.part.partitions for each in found.started[3:]] == [2 * COUNT] * 3


async def test_partitions_that_would_move_models_do_not_end_the_work() -> None:
    async with running() as found:
        await found.group.assign(0)
        await found.group.assign(0, partitions=COUNT + 1)
        assert found.replica.numbers == (0,)
        with pytest.raises(UnavailableError) as not_ready:
            await found.replica.check()
        assert not_ready.value.why == str(PartitionsChangedError(COUNT + 1, COUNT))


async def test_a_replica_that_starts_refuses_logs_with_different_partitions() -> None:
    group = Assignments()

    async def count_numbers(partitions: Mapping[str, int]) -> int:
        return count_of_numbers(partitions, COUNT)

    task = asyncio.create_task(Replica(group, count_numbers, FakePart).run())
    await group.queue.put(Assignment(frozenset({0}), {"predictions.log": 2 * COUNT, "outcomes.log": COUNT}))
    with pytest.raises(ExceptionGroup) as ended:
        await task
    assert ended.group_contains(PartitionsDifferError)


async def test_a_replica_stays_ready_while_it_loads_a_number_that_it_gained() -> None:
    clock = FakeClock()
    async with running(clock=clock) as found:
        await found.group.assign(0)
        found.started[0].error = NotStartedError("loading")
        with pytest.raises(UnavailableError):
            await found.replica.check()
        found.started[0].error = None
        await found.replica.check()
        await found.group.assign(0, 1)
        found.started[1].error = NotStartedError("loading")
        await found.replica.check()
        found.started[1].error = UnavailableError("PostgreSQL", "stopped")
        with pytest.raises(UnavailableError):
            await found.replica.check()
        found.started[1].error = NotStartedError("loading")
        clock.now += 60
        with pytest.raises(UnavailableError):
            await found.replica.check()


async def test_a_replica_is_ready_when_it_is_a_member_and_each_part_advances() -> None:
    async with running() as found:
        found.group.error = UnavailableError("the group", "has not joined yet")
        with pytest.raises(UnavailableError):
            await found.replica.check()
        found.group.error = None
        await found.replica.check()
        await found.group.assign(0, 2)
        await found.replica.check()
        found.started[1].error = UnavailableError("PostgreSQL", "stopped")
        with pytest.raises(UnavailableError) as not_ready:
            await found.replica.check()
        assert (not_ready.value.what, not_ready.value.why) == ("partition 2: PostgreSQL", "stopped")


async def test_a_part_that_fails_ends_the_replica() -> None:
    group = Assignments()
    parts: list[FakePart] = []

    async def count_numbers(_: Mapping[str, int]) -> int:
        return COUNT

    def start(part: PartitionNumber) -> FakePart:
        parts.append(FakePart(part))
        return parts[-1]

    task = asyncio.create_task(Replica(group, count_numbers, start).run())
    await group.assign(0, 1)
    await until(lambda: all(each.running for each in parts))
    parts[0].fail.set()
    with pytest.raises(ExceptionGroup):
        await task
    assert not parts[1].running
