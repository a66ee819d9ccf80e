"""A replica: one pipeline for each partition number that is assigned to it.

Pipelines start and stop with assignments.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

import pyarrow as pa

from rondo.chassis.errors import StartRefusedError, UnavailableError
from rondo.chassis.stream.follower import NotStartedError
from rondo.monitor.stream.partition_numbers import PartitionNumber, changed_numbers, number_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from rondo.monitor.assignment.ports import Assignment, Part, ReplicaGroup

log = logging.getLogger(__name__)
# The time to load the state of a new number. Until then the replica stays ready, because its other numbers advance.
_LOAD_SECONDS = 30.0


class Replica:
    """Works on the numbers that a group assigns. `start` creates the work on a number.

    `count_numbers` returns the count of numbers, by the partitions of each topic (see `count_of_numbers`). Partitions
    are added to one topic after the other, so it may refuse them for a time. A replica that has worked before then
    continues with the previous ones.
    """

    def __init__(
        self,
        group: ReplicaGroup,
        count_numbers: Callable[[Mapping[str, int]], Awaitable[int]],
        start: Callable[[PartitionNumber], Part],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._group, self._count_numbers, self._start, self._clock = group, count_numbers, start, clock
        self._parts: dict[int, tuple[Part, asyncio.Task[None]]] = {}
        self._partitions: Mapping[str, int] = {}
        self._refused: StartRefusedError | None = None
        self._was_ready = False
        self._gained_at = dict[int, float]()
        self.count = 0
        # Set when the numbers of this replica have changed.
        self.changed = asyncio.Event()

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers that this replica works on."""
        return tuple(sorted(self._parts))

    @property
    def parts(self) -> Mapping[int, Part]:
        """The work on each number of this replica."""
        return {number: part for number, (part, _) in self._parts.items()}

    def part_of(self, model: str) -> Part | None:
        """Return the work on a model's number. None if another replica does it."""
        found = self._parts.get(number_of(model, self.count)) if self.count else None
        return found[0] if found else None

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            await self._group.run(lambda assignment: self._take(assignment, tasks))

    async def check(self) -> None:
        """Check for `/readyz`.

        Raises:
            UnavailableError: this replica is not a member of the group, the work on one of its numbers does not
                advance, or partitions were added that it does not read.

        """
        await self._group.check()
        for number, part in self.parts.items():
            try:
                await part.check()
            except UnavailableError as error:
                if not (isinstance(error, NotStartedError) and self._was_ready and self._is_new(number)):
                    raise UnavailableError(f"partition {number}: {error.what}", error.why) from error
        self._was_ready = True
        if self._refused is not None:
            raise UnavailableError("the partitions that were added", str(self._refused))

    def _is_new(self, number: int) -> bool:
        return self._clock() - self._gained_at[number] < _LOAD_SECONDS

    async def _take(self, assignment: Assignment, tasks: asyncio.TaskGroup) -> None:
        if assignment.partitions != self._partitions:
            await self._count(assignment.partitions)
        lost, gained = changed_numbers(self._parts, assignment.assigned, self.count)
        await self._stop(lost)
        for number in gained:
            part = self._start(PartitionNumber(number, self.count, max(self._partitions.values())))
            self._gained_at[number] = self._clock()
            self._parts[number] = part, tasks.create_task(part.run(), name=f"partition {number}")
        if lost or gained:
            log.info("this replica has partitions %s: gained %s, lost %s", *map(_listed, (self.numbers, gained, lost)))
        self.changed.set()

    async def _count(self, partitions: Mapping[str, int]) -> None:
        try:
            count = await self._count_numbers(partitions)
        except StartRefusedError as error:
            if not self.count:
                raise
            self._refused = error
            log.error("new partitions are not read until a restart: %s", error)  # noqa: TRY400 - its text says all
            return
        # The tasks read the partitions that existed when they started.
        await self._stop(self.numbers)
        self.count, self._partitions, self._refused = count, partitions, None

    async def _stop(self, numbers: Sequence[int]) -> None:
        """End the work on these numbers, and discard their state. The next owner loads what was saved."""
        stopped = [self._parts.pop(number) for number in numbers]
        for _, task in stopped:
            task.cancel()
        for part, task in stopped:
            await asyncio.wait([task])
            part.close()
        if stopped:
            del stopped, part, task
            pa.default_memory_pool().release_unused()


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"
