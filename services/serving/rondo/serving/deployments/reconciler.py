"""Follows the deployments in the background: the latest of each model, one after another, until each is served."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from rondo.chassis.errors import Backoff, UnavailableError
from rondo.serving.handlers import Replica, on_deployment_changed

if TYPE_CHECKING:
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.events.deployment import DeploymentChanged
    from rondo.serving.deployments.pending import Arrivals

log = logging.getLogger(__name__)


class Reconciler:
    """What is not followed yet, by model. A deployment that a later one replaced meanwhile is never loaded."""

    def __init__(self, replica: Replica, arrivals: Arrivals, backoff: Backoff | None = None) -> None:
        self._replica = replica
        self._arrivals = arrivals
        self._backoff = backoff or Backoff(first=0.1)
        self._waiting: dict[str, Envelope[DeploymentChanged]] = {}
        self._arrived, self._settled = asyncio.Event(), asyncio.Event()
        self._settled.set()
        self.trouble: str | None = None

    async def take(self, envelope: Envelope[DeploymentChanged]) -> None:
        """Remember a deployment, unless a later revision is known; returns at once."""
        model, revision = envelope.data.model, envelope.data.revision
        waiting = self._waiting.get(model)
        if waiting is not None and waiting.data.revision > revision:
            return
        self._waiting[model] = envelope
        self._arrivals.expect(model, revision)
        self._settled.clear()
        self._arrived.set()

    async def run(self, caught_up: asyncio.Event) -> None:
        """Follow until cancelled, from when the topic was read to its end: what was replaced meanwhile is skipped."""
        await caught_up.wait()
        while True:
            self._arrived.clear()
            while self._waiting:
                await self._follow(*next(iter(self._waiting.items())))
            self._settled.set()
            await self._arrived.wait()

    async def settled(self) -> None:
        """Wait until every deployment known by now is served or refused."""
        await self._settled.wait()

    async def check(self) -> None:
        """Tell the truth for `/readyz`.

        Raises:
            UnavailableError: a deployment can't be followed because something is away.

        """
        if self.trouble:
            raise UnavailableError("a version that should serve", self.trouble)

    async def _follow(self, model: str, envelope: Envelope[DeploymentChanged]) -> None:
        attempt = 0
        while self._waiting.get(model) is envelope:
            try:
                await on_deployment_changed(envelope, self._replica)
            except UnavailableError as error:
                attempt, self.trouble = attempt + 1, str(error)
                log.warning("%s waits: %s", model, error, extra={"attempt": attempt})
                await asyncio.sleep(self._backoff.delay(attempt))
            else:
                self.trouble = None
                if self._waiting.get(model) is envelope:
                    del self._waiting[model]
                    self._arrivals.settled(model)
