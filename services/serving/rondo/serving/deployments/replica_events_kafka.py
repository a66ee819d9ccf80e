"""Publishes `replicas.changed`: the states of a deployment's versions on this replica."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4, uuid5

from aiokafka.errors import KafkaError

from rondo.chassis.errors import Backoff
from rondo.chassis.retry import Retry
from rondo.chassis.telemetry import current_traceparent
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import ReplicaChanged

if TYPE_CHECKING:
    from faststream.kafka import KafkaBroker

    from rondo.contracts.vocabularies import ReplicaState
    from rondo.serving.settings import Settings


class KafkaReplicaEvents:
    """Implements `ports.ReplicaEvents`. It needs no outbox, because the topic of deployments is the source of truth.

    The id of an event is a function of the process, the revision and the state, so that a repeat has the same id.
    """

    def __init__(self, broker: KafkaBroker, settings: Settings, backoff: Backoff | None = None) -> None:
        self._broker = broker
        self._settings = settings
        self._retry = Retry("ReplicaChanged", (KafkaError, OSError), backoff or Backoff())
        self._process = uuid4()

    async def publish(
        self, model: str, revision: int, version: tuple[int, str], state: ReplicaState, detail: str = ""
    ) -> None:
        number, digest = version
        now = datetime.now(UTC)
        event = ReplicaChanged(
            model=model, replica=self._settings.instance, model_version=number, digest=digest, revision=revision,
            state=state, detail=detail, at=now,
        )  # fmt: skip
        event_id = str(uuid5(self._process, f"{model}/{revision}/{number}/{digest}/{state}"))
        await self._send(Envelope(event_id, f"rondo/{self._settings.service}", now, event, current_traceparent()))

    async def _send(self, envelope: Envelope[ReplicaChanged]) -> None:
        await self._retry.call(
            lambda: self._broker.publish(
                envelope.value(), envelope.data.topic, key=envelope.data.key.encode(), headers=envelope.headers()
            )
        )
