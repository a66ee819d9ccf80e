"""The deployments that are on their way to be served; safe to use from the stream's thread and the event loop at once.

A request for a model whose first version is just being loaded waits for it, rather than hear that there is no such
model. One that stays away, because the artifact store does, is waited for once: it may not hold up all other models.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Collection


class Arrivals:
    """The revision that is on its way, by model."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._expected: dict[str, int] = {}
        self._waited: dict[str, int] = {}
        self._stopped = False

    def expect(self, model: str, revision: int) -> None:
        """Say that a deployment is on its way."""
        with self._changed:
            self._expected[model] = revision

    def settled(self, model: str) -> None:
        """Say that it is served or refused."""
        with self._changed:
            self._expected.pop(model, None)
            self._waited.pop(model, None)
            self._changed.notify_all()

    def worth_waiting_for(self, models: Collection[str]) -> frozenset[str]:
        """Return those of the models that are on their way and were not waited for yet."""
        with self._changed:
            return frozenset(m for m in models if m in self._expected and self._waited.get(m) != self._expected[m])

    def wait_once(self, models: Collection[str], seconds: float) -> None:
        """Wait until all of the models are served or refused, but no longer than `seconds`, and never again.

        Raises:
            UnavailableError: serving stops. Who asked is answered by the replica that reads on, or after the restart.

        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or not any(model in self._expected for model in models), seconds
            )
            if self._stopped:
                raise UnavailableError(", ".join(sorted(models)), "serving stops")
            self._waited.update({model: self._expected[model] for model in models if model in self._expected})

    async def stop(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
