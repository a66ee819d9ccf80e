"""The versions that this replica serves: a table that is replaced as a whole, while micro-batches hold the old one.

Who answers takes a lease: one consistent picture for a whole micro-batch. A version that a new table no longer
names is free once every lease on older tables has ended.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.serving import routing
from rondo.serving.requests import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rondo.contracts.deployment import Role
    from rondo.serving.layout import Layout
    from rondo.serving.log import Log
    from rondo.serving.ports import Scorer


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A version that is loaded and warmed up."""

    model: str
    model_version: int
    digest: str
    layout: Layout
    scorer: Scorer
    log: Log


@dataclass(frozen=True, slots=True)
class Serving:
    """What serves one model: the versions with their shares, and the deployment that asked for them."""

    model: str
    revision: int
    versions: tuple[Version, ...]
    shares: tuple[float, ...]
    roles: tuple[Role, ...]
    traceparent: str | None = None

    def version_for(self, key: str) -> Version:
        """Return the version that answers requests with this key."""
        if len(self.versions) == 1:
            return self.versions[0]
        shares = [0.0 if role == "shadow" else share for share, role in zip(self.shares, self.roles, strict=True)]
        return self.versions[routing.choose(routing.position(self.model, key), shares)]


@dataclass(eq=False)
class Table:
    """One picture of everything that serves."""

    models: Mapping[str, Serving] = field(default_factory=dict)
    leases: int = 0

    def __post_init__(self) -> None:
        self.reader = Reader(serving.versions[0].layout for serving in self.models.values())


class Versions:
    """Holds the current table; safe to use from the stream's thread and the event loop at once."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._table = Table()
        self._old: list[Table] = []
        # Models that are deployed and have no version here that could be loaded, with the reason.
        self.unserved: dict[str, str] = {}
        # Whether a deployment is on its way to be served.
        self.expecting = False

    @property
    def current(self) -> Mapping[str, Serving]:
        """What serves each model at this moment."""
        return self._table.models

    @contextmanager
    def lease(self) -> Iterator[Table]:
        """Hold the current table: nothing in it is unloaded before the body ends."""
        with self._changed:
            table = self._table
            table.leases += 1
        try:
            yield table
        finally:
            with self._changed:
                table.leases -= 1
                self._changed.notify_all()

    def swap(self, serving: Serving) -> None:
        """Serve a model this way from the next micro-batch on."""
        # The new table compiles its decoders before the lock is taken: no micro-batch waits for it.
        table = Table({**self._table.models, serving.model: serving})
        with self._changed:
            self._old = [old for old in [*self._old, self._table] if old.leases]
            self._table = table
        self.unserved.pop(serving.model, None)

    async def drained(self) -> None:
        """Wait until every lease on an older table has ended."""
        await asyncio.to_thread(self._wait)

    def _wait(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not any(old.leases for old in self._old))
            self._old.clear()
