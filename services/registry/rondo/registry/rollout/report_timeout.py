"""Waits for the replicas that have yet to say whether they serve a version that another refuses; not for ever.

Replicas leave without a word, so silence must not keep a version that nobody can load. The time counts from when this
process first saw the refusal, not from when the replica spoke: what waited in Kafka meanwhile is read by then.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rondo.registry.rollout import on_replica_report
from rondo.registry.schedule import rounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.registry.ports import Archive, Store

# Long enough to fetch and warm up a large artifact; until then the replicas that refuse serve what they served.
PATIENCE_SECONDS = 60.0
LOOK_AGAIN_SECONDS = 5.0


class Patience:
    """Any number of replicas of the registry may have it: the first to lose it settles the matter."""

    def __init__(self, store: Store, archive: Archive, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._archive = archive
        self._clock = clock
        self._since: dict[tuple[str, int], float] = {}
        self._settled: set[tuple[str, int]] = set()

    async def run(self) -> None:
        """Wait and settle until cancelled."""
        await rounds.go_round("the refusals", self.turn)

    async def turn(self) -> float:
        """Settle what has waited long enough, and return the seconds until to look again."""
        now, unsettled = self._clock(), await self._archive.unsettled()
        self._since = {each: self._since.get(each, now) for each in unsettled}
        self._settled &= self._since.keys()
        for each, since in self._since.items():
            if now - since >= PATIENCE_SECONDS and each not in self._settled:
                async with self._store.work() as work:
                    await on_replica_report.wait_no_longer(work, *each)
                self._settled.add(each)
        return LOOK_AGAIN_SECONDS
