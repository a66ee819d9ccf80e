"""Reads requests again, for a model with its own queue."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException, TopicPartition

from rondo.chassis.errors import UnavailableError
from rondo.chassis.kafka_records import readable
from rondo.chassis.stream.config import assigned_consumer_config
from rondo.contracts.events.predictions import PredictionRequested

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from confluent_kafka import Message

    from rondo.contracts.kafka_connection import KafkaConnection


# A replica may have 32 of these consumers, and each prefetches this amount.
_OPTIONS = {"enable.partition.eof": False, "queued.max.messages.kbytes": 2_048, "fetch.message.max.bytes": 1 << 20}


class KafkaRequests:
    """Implements `Requests`. `name` is the client's name for the broker."""

    def __init__(self, kafka: KafkaConnection, name: str) -> None:
        options = assigned_consumer_config(kafka, name) | _OPTIONS
        self._consumer = Consumer(options, logger=logging.getLogger("librdkafka"))

    def assign(self, offsets: Mapping[int, int]) -> None:
        self._consumer.assign([TopicPartition(PredictionRequested.topic, *each) for each in sorted(offsets.items())])

    def read(self, most: int) -> Sequence[Message]:
        try:
            return readable(self._consumer.consume(most, 0))
        except KafkaException as error:
            raise UnavailableError(f"the topic {PredictionRequested.topic}", error.args[0].str()) from error

    def close(self) -> None:
        self._consumer.close()
