"""Applies deployments in the background. It takes the latest of each model, one after another, until each is served."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rondo.chassis.errors import Backoff, UnavailableError
from rondo.chassis.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.events.deployment import DeploymentChanged
    from rondo.serving.deployments.pending import PendingDeployments

    Apply = Callable[[Envelope[DeploymentChanged]], Awaitable[None]]


class Reconciler:
    """Keeps the latest deployment of each model until `apply` returns. A replaced deployment is never loaded."""

    def __init__(self, apply: Apply, pending: PendingDeployments, backoff: Backoff | None = None) -> None:
        self._apply = apply
        self._pending = pending
        self._backoff = backoff or Backoff(first=0.1)
        self._latest: dict[str, Envelope[DeploymentChanged]] = {}
        self._added, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._problem: str | None = None

    async def add(self, envelope: Envelope[DeploymentChanged]) -> None:
        """Add a deployment unless a later revision is known. The call returns at once."""
        model, revision = envelope.data.model, envelope.data.revision
        latest = self._latest.get(model)
        if latest is not None and latest.data.revision > revision:
            return
        self._latest[model] = envelope
        self._pending.add(model, revision)
        self._idle.clear()
        self._added.set()

    async def run(self, caught_up: asyncio.Event) -> None:
        """Apply deployments until cancelled. Start when the topic is read to its end, so that repeats are skipped."""
        await caught_up.wait()
        while True:
            self._added.clear()
            while self._latest:
                await self._apply_one(*next(iter(self._latest.items())))
            self._idle.set()
            await self._added.wait()

    async def idle(self) -> None:
        """Wait until every deployment known now is served or refused."""
        await self._idle.wait()

    async def check(self) -> None:
        """Raise the error of a deployment that is waiting, for `/readyz`.

        Raises:
            UnavailableError: a deployment can't be applied because a dependency is unavailable.

        """
        if self._problem:
            raise UnavailableError("a version that should serve", self._problem)

    async def _apply_one(self, model: str, envelope: Envelope[DeploymentChanged]) -> None:
        async def apply_unless_replaced() -> None:
            if self._latest.get(model) is envelope:
                await self._apply(envelope)

        retry = Retry(f"the deployment of {model}", backoff=self._backoff, on_failure=self._note)
        await retry.call(apply_unless_replaced)
        self._problem = None
        if self._latest.get(model) is envelope:
            del self._latest[model]
            self._pending.resolve(model)

    def _note(self, error: Exception) -> None:
        self._problem = str(error)
