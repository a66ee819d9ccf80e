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

from rondo.serving.errors import RequestRefusedError
from rondo.serving.requests.parser import Reader
from rondo.serving.requests.request_errors import unknown_model
from rondo.serving.requests.suggestions import Hints

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rondo.serving.models.loaded_version import Serving


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
        # Models that a deployment names and nothing serves here, with the reason as a sentence.
        self.unserved: dict[str, str] = {}
        self._revisions: dict[str, int] = {}

    @property
    def current(self) -> Mapping[str, Serving]:
        """What serves each model at this moment."""
        return self._table.models

    def revision(self, model: str) -> int:
        """Return the revision of a model's deployment that was followed last, 0 where none was."""
        return self._revisions.get(model, 0)

    def find(self, model: str) -> Serving:
        """Return what serves a model at this moment.

        Raises:
            RequestRefusedError: nothing does, and why.

        """
        if (serving := self._table.models.get(model)) is not None:
            return serving
        if why := self.unserved.get(model):
            raise RequestRefusedError("unserved_model", why, model)
        raise unknown_model(model, self._table.models, Hints())

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
        self._replace({**self._table.models, serving.model: serving})
        self._revisions[serving.model] = serving.revision
        self.unserved.pop(serving.model, None)

    def withdraw(self, model: str, revision: int, why: str) -> None:
        """Serve nothing for a model from the next micro-batch on; `why` is the sentence that its requests get."""
        self.unserved[model] = why
        self._replace({name: serving for name, serving in self._table.models.items() if name != model})
        self._revisions[model] = revision

    def _replace(self, models: Mapping[str, Serving]) -> None:
        # The new table compiles its decoders before the lock is taken: no micro-batch waits for it.
        table = Table(models)
        with self._changed:
            self._old = [old for old in [*self._old, self._table] if old.leases]
            self._table = table

    async def drained(self) -> None:
        """Wait until every lease on an older table has ended."""
        await asyncio.to_thread(self._wait)

    def _wait(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not any(old.leases for old in self._old))
            self._old.clear()
