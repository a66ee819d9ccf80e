"""What dies while the flights are replayed, and when all is ready again: for the timeline and for the report."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from rondo.client import AsyncRondo

_LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class Outage:
    """Who died, when the first of them did, and the seconds until all was ready again; None while it is not."""

    names: tuple[str, ...]
    at: datetime
    seconds: float | None = None


@dataclass(frozen=True)
class Incident:
    """A line of the timeline that no service wrote. `time` is of this machine's clock, in UTC."""

    id: str
    time: datetime
    kind: Literal["Died", "Healed"]
    what: str


class Outages:
    """Notes who has died, by the counts of `restarts`, and when `all_ready` says that nobody is missing any more."""

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
    async def watched(self) -> AsyncIterator[None]:
        """Look again and again while the body runs."""
        watch = asyncio.create_task(self._watch(), name="outages")
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Note what has changed since the last look."""
        now = dict(self._restarts())
        died = [name for name, count in now.items() if count > self._seen.get(name, 0)]
        self._seen = now
        for name in died:
            self._note_death(name)
        if self._is_open and await self._all_ready():
            self._note_healing()

    @property
    def _is_open(self) -> bool:
        return bool(self.found) and self.found[-1].seconds is None

    def _note_death(self, name: str) -> None:
        at = self._clock()
        self._tell("Died", at, f"{name} died, and is started again")
        if self._is_open:
            last = self.found[-1]
            self.found[-1] = replace(last, names=(*last.names, name))
        else:
            self.found.append(Outage((name,), at))

    def _note_healing(self) -> None:
        at, last = self._clock(), self.found[-1]
        seconds = (at - last.at).total_seconds()
        self.found[-1] = replace(last, seconds=seconds)
        self._tell("Healed", at, f"ready again {seconds:.1f} s after {' and '.join(last.names)} died")

    def _tell(self, kind: Literal["Died", "Healed"], at: datetime, what: str) -> None:
        self.incidents.append(Incident(f"{kind} {len(self.incidents)}", at, kind, what))


async def all_ready(rondo: AsyncRondo) -> bool:
    """Say whether every service is ready, and so Kafka and PostgreSQL, on which they stand."""
    return all(said["ready"] for said in (await rondo.status()).values())
