"""Publishes the costs of the last inferences before a pause.

A record of the log has at most one cost a second, so the inferences of the last second of a burst are in no record.
Without a next request they would not be counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rondo.serving.models.serving_table import ServedModels

_SECONDS = 1.0


@dataclass(frozen=True)
class IdleCosts:
    """`publish` sends a record of a model's log, as in `InferenceService`."""

    models: ServedModels
    publish: Callable[[str, bytes], Awaitable[None]]

    async def tick(self) -> float:
        """Publish the costs of the versions without an inference for a second. Return the seconds until the next call.

        Raises:
            UnavailableError: Kafka did not acknowledge a record in time. Kafka may still have it. Its costs are
                published again.

        """
        for model, served in self.models.table.models.items():
            for version in served.versions:
                if (cost := version.log.meter.due_when_idle()) is None:
                    continue
                try:
                    for record in version.log.encode_cost(cost):
                        await self.publish(model, record)
                except UnavailableError:
                    version.log.meter.add(cost)
                    raise
        return _SECONDS
