"""Stops waiting for replicas that never report on a refused version.

Replicas disappear without a report, so a missing report must not keep a version that no replica can load. The timeout
counts from the time at which this process first saw the refusal, not from the time at which the replica sent it, so
that a backlog in Kafka is read before it ends.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rondo.chassis.periodic import run_periodically
from rondo.registry.rollout import on_replica_report

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.registry.ports import ReplicaQueries, Store

# Long enough to fetch and warm up a large artifact. Meanwhile the replicas that refuse serve the previous version.
TIMEOUT_SECONDS = 60.0
POLL_SECONDS = 5.0


class ReportTimeout:
    """Runs in every registry replica. The first one whose timer expires decides the rollback."""

    def __init__(self, store: Store, queries: ReplicaQueries, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._queries = queries
        self._clock = clock
        self._since: dict[tuple[str, int], float] = {}
        self._expired: set[tuple[str, int]] = set()

    async def run(self) -> None:
        """Run until cancelled."""
        await run_periodically("the timeout of replica reports", self.tick)

    async def tick(self) -> float:
        """Expire the refused deployments whose timeout has ended. Returns the seconds until the next tick."""
        now, refused = self._clock(), await self._queries.refused_deployments()
        self._since = {each: self._since.get(each, now) for each in refused}
        self._expired &= self._since.keys()
        for each, since in self._since.items():
            if now - since >= TIMEOUT_SECONDS and each not in self._expired:
                async with self._store.work() as work:
                    await on_replica_report.expire_report(work, *each)
                self._expired.add(each)
        return POLL_SECONDS
