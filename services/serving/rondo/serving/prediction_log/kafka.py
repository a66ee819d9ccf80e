"""Publishes records of the inference log with the broker's idempotent producer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka.errors import KafkaError

from rondo.chassis.errors import UnavailableError
from rondo.contracts.events.logs import PREDICTIONS_LOG
from rondo.serving.prediction_log.batch import CONTENT_TYPE

if TYPE_CHECKING:
    from faststream.kafka import KafkaBroker


class KafkaLog:
    """Publishes to `predictions.log`."""

    def __init__(self, broker: KafkaBroker) -> None:
        self._broker = broker

    async def publish(self, model: str, record: bytes) -> None:
        """Return when Kafka has the record.

        Raises:
            UnavailableError: Kafka does not take it.

        """
        try:
            await self._broker.publish(
                record, PREDICTIONS_LOG, key=model.encode(), headers={"content-type": CONTENT_TYPE}
            )
        except (KafkaError, OSError) as error:
            raise UnavailableError("the inference log", str(error)) from error
