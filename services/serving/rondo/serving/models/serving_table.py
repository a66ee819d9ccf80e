"""The table of served models. It is immutable, and is replaced as a whole while micro-batches hold the old table.

A transport leases the table, which gives a whole micro-batch one consistent view. A version that the new table does not
contain can be unloaded when every lease on older tables has ended.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.serving.requests.parser import RequestParser
from rondo.serving.requests.request_errors import unknown_model
from rondo.serving.requests.suggestions import NameSuggester

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rondo.serving.models.loaded_version import ServedModel


@dataclass(eq=False)
class ServingTable:
    """The models that are served, and the parser of their requests.

    `unserved` are the models with a deployment that this replica does not serve, with the reason as a sentence.
    `windows` has the deduplication window in seconds of each model with `deduplicate`.
    """

    models: Mapping[str, ServedModel] = field(default_factory=dict)
    unserved: Mapping[str, str] = field(default_factory=dict)
    leases: int = 0

    def __post_init__(self) -> None:
        self.parser = RequestParser((served.schema for served in self.models.values()), self.unserved)
        self.windows = {
            model: served.deduplicate.total_seconds()
            for model, served in self.models.items()
            if served.deduplicate is not None
        }

    def find(self, model: str) -> ServedModel:
        """Return a served model.

        Raises:
            RequestRefusedError: this replica does not serve the model. The message says why.

        """
        if (served := self.models.get(model)) is None:
            raise unknown_model(model, self.models, self.unserved, NameSuggester())
        return served


class ServedModels:
    """Holds the current table. The stream's thread and the event loop use it concurrently."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._unserved: dict[str, str] = {}
        self._table = ServingTable(unserved=self._unserved)
        self._old: list[ServingTable] = []
        self._revisions: dict[str, int] = {}

    @property
    def table(self) -> ServingTable:
        return self._table

    def revision(self, model: str) -> int:
        """Return the revision of a model's deployment that was applied last. 0 if none was applied."""
        return self._revisions.get(model, 0)

    @contextmanager
    def lease(self) -> Iterator[ServingTable]:
        """Hold the current table. None of its versions is unloaded before the body ends."""
        table = self.acquire()
        try:
            yield table
        finally:
            self.release(table)

    def acquire(self) -> ServingTable:
        """Return the current table. None of its versions is unloaded before `release`."""
        with self._changed:
            self._table.leases += 1
            return self._table

    def release(self, table: ServingTable) -> None:
        with self._changed:
            table.leases -= 1
            if not table.leases:
                self._changed.notify_all()

    def swap(self, served: ServedModel) -> None:
        """Serve a model with these versions from the next micro-batch on."""
        self._replace({**self._table.models, served.model: served})
        self._revisions[served.model] = served.revision
        self._unserved.pop(served.model, None)

    def withdraw(self, model: str, revision: int, reason: str) -> None:
        """Stop serving a model from the next micro-batch on. Its requests get `reason`."""
        self._unserved[model] = reason
        self._replace({name: served for name, served in self._table.models.items() if name != model})
        self._revisions[model] = revision

    def refuse(self, model: str, reason: str) -> None:
        """Answer requests for a model with `reason`, unless a version serves the model."""
        if model not in self._table.models:
            self._unserved[model] = reason

    def _replace(self, models: Mapping[str, ServedModel]) -> None:
        # The new table compiles its decoders before the lock is taken, so that no micro-batch waits for this.
        table = ServingTable(models, self._unserved)
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
