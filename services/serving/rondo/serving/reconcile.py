"""Follows the deployments in the background: the latest of each model, one after another, until each is served."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING

from rondo.chassis.failures import Backoff, UnavailableError
from rondo.serving.handlers import Replica, on_deployment_changed

if TYPE_CHECKING:
    from rondo.contracts.cloudevents import Envelope
    from rondo.contracts.deployment import DeploymentChanged

log = logging.getLogger(__name__)
# Below the transaction timeout: a micro-batch may wait this long for a deployment that is on its way.
_PATIENCE_SECONDS = 10.0


class Reconciler:
    """What is not followed yet, by model. A deployment that a later one replaced meanwhile is never loaded."""

    def __init__(self, replica: Replica, backoff: Backoff | None = None) -> None:
        self._replica = replica
        self._backoff = backoff or Backoff(first=0.1)
        self._waiting: dict[str, Envelope[DeploymentChanged]] = {}
        self._arrived = asyncio.Event()
        self._settled = threading.Event()
        self._settled.set()
        self.trouble: str | None = None

    async def take(self, envelope: Envelope[DeploymentChanged]) -> None:
        """Remember a deployment; returns at once."""
        self._waiting[envelope.data.model] = envelope
        self._settled.clear()
        self._replica.versions.expecting = True
        self._arrived.set()

    async def run(self, caught_up: asyncio.Event) -> None:
        """Follow until cancelled, from when the topic was read to its end: what was replaced meanwhile is skipped."""
        await caught_up.wait()
        while True:
            self._arrived.clear()
            while self._waiting:
                await self._follow(*next(iter(self._waiting.items())))
            self._replica.versions.expecting = False
            self._settled.set()
            await self._arrived.wait()

    async def settled(self) -> None:
        """Wait until every deployment known by now is served or refused."""
        while not self._settled.is_set():
            await asyncio.to_thread(self._settled.wait, 0.5)

    def wait_settled(self) -> None:
        """Wait likewise, from another thread, for some seconds at most."""
        self._settled.wait(_PATIENCE_SECONDS)

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
