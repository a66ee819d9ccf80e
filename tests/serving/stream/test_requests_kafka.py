"""The reader of a queue on a real topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer
from rondo.chassis.errors import UnavailableError
from rondo.chassis.events.broker import create_topics
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.serving.stream import requests_kafka
from rondo.serving.stream.requests_kafka import KafkaRequests

from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable


async def failure(read: Callable[[], Any]) -> UnavailableError:
    def failed() -> UnavailableError | None:
        try:
            read()
        except UnavailableError as error:
            return error
        return None

    found = await until(failed)
    assert isinstance(found, UnavailableError)
    return found


@pytest.mark.medium
async def test_a_read_that_fails_says_what_is_not_available_and_another_reader_reads_on(
    clean_kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An offset that is out of range is one of the errors from which librdkafka can be told not to recover.
    monkeypatch.setitem(requests_kafka._OPTIONS, "auto.offset.reset", "error")
    connection = KafkaConnection(clean_kafka)
    create_topics(connection)
    producer = Producer(connection.confluent())
    producer.produce("predictions.requested", b"a", partition=0)
    producer.flush(10)
    requests = KafkaRequests(connection, "a")
    requests.assign({0: 1_000})
    error = await failure(lambda: requests.read(10))
    requests.close()
    assert error.what.endswith("predictions.requested")
    assert error.why in str(error)
    another = KafkaRequests(connection, "a")
    another.assign({0: 0})
    assert [message.value() for message in await until(lambda: another.read(10))] == [b"a"]
    another.close()
