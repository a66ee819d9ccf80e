"""Outages during a run: the processes that died, and the recovery of the platform."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from rondo.client import AsyncRondo

_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Outage:
    """The processes that died, the time of the first death, and the seconds until all were ready (None: not yet)."""

    names: tuple[str, ...]
    at: datetime
    seconds: float | None = None


@dataclass(frozen=True)
class Incident:
    """A line of the timeline that is not an event. `time` is from this machine's clock, in UTC."""

    id: str
    time: datetime
    kind: Literal["Died", "Recovered"]
    what: str


class OutageObserver:
    """Finds deaths from the counts of `restarts`, and the recovery from `all_ready`."""

    def __init__(
        self,
        restarts: Callable[[], Mapping[str, int]],
        all_ready: Callable[[], Awaitable[bool]],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.found: list[Outage] = []
        self.incidents: list[Incident] = []
        self._restarts, self._all_ready, self._clock = restarts, all_ready, clock
        self._seen = dict(restarts())

    @asynccontextmanager
    async def observing(self) -> AsyncIterator[None]:
        """Check periodically while the body runs."""
        task = asyncio.create_task(self._run(), name="outages")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            await self.check()

    async def check(self) -> None:
        """Record the changes since the last check."""
        now = dict(self._restarts())
        died = [name for name, count in now.items() if count > self._seen.get(name, 0)]
        self._seen = now
        for name in died:
            self._record_death(name)
        if self._is_open and await self._all_ready():
            self._record_recovery()

    @property
    def _is_open(self) -> bool:
        return bool(self.found) and self.found[-1].seconds is None

    def _record_death(self, name: str) -> None:
        at = self._clock()
        self._add("Died", at, f"{name} died and is restarted")
        if self._is_open:
            last = self.found[-1]
            self.found[-1] = replace(last, names=(*last.names, name))
        else:
            self.found.append(Outage((name,), at))

    def _record_recovery(self) -> None:
        at, last = self._clock(), self.found[-1]
        seconds = (at - last.at).total_seconds()
        self.found[-1] = replace(last, seconds=seconds)
        self._add("Recovered", at, f"ready again {seconds:.1f} s after {' and '.join(last.names)} died")

    def _add(self, kind: Literal["Died", "Recovered"], at: datetime, what: str) -> None:
        self.incidents.append(Incident(f"{kind} {len(self.incidents)}", at, kind, what))


async def all_ready(rondo: AsyncRondo) -> bool:
    """Return whether every service is ready, with Kafka and PostgreSQL."""
    return all(state["ready"] for state in (await rondo.status()).values())
