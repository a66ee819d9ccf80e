"""Deployments that are known and not yet applied. The stream's thread and the event loop use them concurrently.

A request for a model whose first version is being loaded waits for it instead of being refused. A deployment that stays
pending, because the artifact store is unavailable, is awaited once, so that it does not delay all other models.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Collection


class PendingDeployments:
    """The pending revision of each model."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pending: dict[str, int] = {}
        self._awaited: dict[str, int] = {}
        self._stopped = False

    def add(self, model: str, revision: int) -> None:
        """Record that a deployment is known."""
        with self._changed:
            self._pending[model] = revision

    def resolve(self, model: str) -> None:
        """Record that a model's deployment is served or refused."""
        with self._changed:
            self._pending.pop(model, None)
            self._awaited.pop(model, None)
            self._changed.notify_all()

    def to_await(self, models: Collection[str]) -> frozenset[str]:
        """Return the models that are pending and were not yet awaited."""
        with self._changed:
            return frozenset(m for m in models if m in self._pending and self._awaited.get(m) != self._pending[m])

    def is_pending(self, model: str) -> bool:
        """Return whether a deployment of the model is known and neither served nor refused."""
        with self._changed:
            return model in self._pending

    def wait_once(self, models: Collection[str], seconds: float) -> None:
        """Wait until none of the models is pending, at most `seconds`. The same revisions are not awaited again.

        Raises:
            UnavailableError: the service stops. Another replica, or this one after its restart, answers the request.

        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or not any(model in self._pending for model in models), seconds
            )
            if self._stopped:
                raise UnavailableError(", ".join(sorted(models)), "this replica stops")
            self._awaited.update({model: self._pending[model] for model in models if model in self._pending})

    async def stop(self) -> None:
        """End every wait."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
