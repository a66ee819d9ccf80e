"""The consumer of events, on a real broker and a real database."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from polars.exceptions import PanicException
from rondo.chassis.errors import Backoff, UnavailableError
from rondo.chassis.events import broker as chassis_kafka
from rondo.chassis.events.consumer import Consumer
from rondo.chassis.postgres import pool as chassis_postgres
from rondo.chassis.postgres.outbox import OutboxRelay
from rondo.chassis.service import background
from rondo.chassis.settings import PostgresSettings
from rondo.contracts.events.models import ModelRetired
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import dead_letters

from tests.chassis.unreadable import UNREADABLE, send_batch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rondo.chassis.postgres.transaction import Transaction
    from rondo.contracts.events.cloudevents import Envelope

    from tests.conftest import Services

DIGEST = f"sha256:{'0' * 64}"
QUICK = Backoff(first=0.01, cap=0.02, attempts=3)


def event(version: int) -> ModelRetired:
    return ModelRetired(model="m", model_version=version, digest=DIGEST)


@pytest.fixture
async def settings(clean_kafka: str, database: Services) -> PostgresSettings:
    return PostgresSettings.model_validate(
        {
            "service": "registry",
            "kafka": clean_kafka,
            "http_port": 0,
            "postgres": await database("registry"),
        }
    )


@asynccontextmanager
async def consuming(settings: PostgresSettings, handler: Any) -> AsyncIterator[chassis_postgres.Database]:
    """Run a consumer of ModelRetired and an outbox relay."""
    await chassis_kafka.wait_for_kafka(settings.kafka)
    migrations = files("rondo.chassis")
    async with chassis_postgres.connect(settings, migrations) as database:
        broker = chassis_kafka.broker(settings)
        Consumer(settings, broker, {ModelRetired: handler}, database.handling, QUICK).subscribe()
        await broker.start()
        async with background(OutboxRelay(database, broker).run()):
            yield database
            await broker.stop()


async def send(bootstrap: str, *messages: tuple[bytes | None, list[tuple[str, Any]]], **options: Any) -> None:
    producer = AIOKafkaProducer(**KafkaConnection(bootstrap).aiokafka(), **options)
    await producer.start()
    for value, headers in messages:
        await producer.send_and_wait(ModelRetired.topic, value, key=b"m", headers=headers)
    await producer.stop()


def message(version: int, event_id: str) -> tuple[bytes, list[tuple[str, bytes]]]:
    headers = {
        "ce_id": event_id,
        "ce_source": "test",
        "ce_type": ModelRetired.event_type(),
        "ce_time": "2013-01-01T00:00:00Z",
    }
    return event(version).model_dump_json().encode(), [(key, value.encode()) for key, value in headers.items()]


async def read(bootstrap: str, topic: str, count: int) -> list[Any]:
    consumer = AIOKafkaConsumer(
        topic, **KafkaConnection(bootstrap).aiokafka(), auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


async def test_an_event_delivered_twice_is_handled_once(settings: PostgresSettings) -> None:
    handled: asyncio.Queue[int] = asyncio.Queue()

    async def on_event(envelope: Envelope[ModelRetired], work: Transaction) -> None:
        handled.put_nowait(envelope.data.model_version)

    async with consuming(settings, on_event), asyncio.timeout(20):
        await send(settings.kafka.servers, message(1, "same"), message(1, "same"), message(2, "other"))
        assert [await handled.get(), await handled.get()] == [1, 2]
        assert handled.empty()


async def test_a_handler_that_fails_once_is_tried_again_and_leaves_no_trace_of_the_failure(
    settings: PostgresSettings,
) -> None:
    attempts: list[int] = []

    async def on_event(envelope: Envelope[ModelRetired], work: Transaction) -> None:
        attempts.append(envelope.data.model_version)
        await work.publish(event(100 + len(attempts)))
        if len(attempts) == 1:
            raise RuntimeError("once")

    async with consuming(settings, on_event) as database, asyncio.timeout(20):
        await send(settings.kafka.servers, message(1, "a"))
        # The first attempt's event was rolled back with it: only the second's was published (and handled as the next).
        published = [m.value for m in await read(settings.kafka.servers, ModelRetired.topic, 2)]
        assert attempts[:2] == [1, 1]
        assert await database.pool.fetchval("select count(*) from inbox where event_id = 'a'") == 1
    assert b'"model_version":102' in published[1]


@pytest.mark.parametrize(
    ("value", "named"),
    [(b"not json", ModelRetired.__name__), (b'{"model": "m"}', "model_version"), (None, "value")],
)
async def test_a_bad_message_goes_to_the_dead_letters_once_with_its_bytes_and_the_next_is_handled(
    settings: PostgresSettings, value: bytes | None, named: str
) -> None:
    handled = asyncio.Event()

    async def on_event(envelope: Envelope[ModelRetired], work: Transaction) -> None:
        handled.set()

    good = message(1, "good")
    async with consuming(settings, on_event), asyncio.timeout(20):
        await send(settings.kafka.servers, (value, good[1]), good)
        await handled.wait()
    [dead_letter] = await read(settings.kafka.servers, dead_letters("registry"), 1)
    headers = {key: content.decode() for key, content in dead_letter.headers}
    assert dead_letter.value == (value or b"")
    assert dead_letter.key == b"m"
    assert headers["__dlq.errors.exception"] == "MalformedEventError"
    assert named in headers["__dlq.errors.message"]
    assert headers["__dlq.errors.delivery.count"] == "1"
    assert headers["__dlq.errors.topic"] == ModelRetired.topic


@pytest.mark.parametrize(("error", "name"), [(RuntimeError, "RuntimeError"), (PanicException, "PanicError")])
async def test_a_handler_that_always_fails_ends_in_the_dead_letters_after_bounded_tries(
    settings: PostgresSettings, error: type[BaseException], name: str
) -> None:
    async def on_event(envelope: Envelope[ModelRetired], work: Transaction) -> None:
        raise error("always")

    async with consuming(settings, on_event):
        await send(settings.kafka.servers, message(1, "a"))
        [dead_letter] = await read(settings.kafka.servers, dead_letters("registry"), 1)
    headers = {key: content.decode() for key, content in dead_letter.headers}
    assert headers["__dlq.errors.delivery.count"] == "3"
    assert headers["__dlq.errors.exception"] == name
    assert headers["__dlq.errors.message"].endswith("always")


async def test_a_message_is_retried_without_limit_while_a_dependency_is_unavailable(settings: PostgresSettings) -> None:
    attempts = 0
    handled = asyncio.Event()

    async def on_event(envelope: Envelope[ModelRetired], work: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        if attempts <= 2 * QUICK.attempts:
            raise UnavailableError("PostgreSQL", "restarting")
        handled.set()

    async with consuming(settings, on_event), asyncio.timeout(20):
        await send(settings.kafka.servers, message(1, "a"))
        await handled.wait()
    assert attempts == 2 * QUICK.attempts + 1


async def test_headers_that_are_no_utf8_do_not_lose_the_message(settings: PostgresSettings) -> None:
    handled = asyncio.Event()

    async def on_event(envelope: Envelope[ModelRetired], work: Transaction) -> None:
        handled.set()

    value, headers = message(1, "a")
    async with consuming(settings, on_event), asyncio.timeout(20):
        await send(settings.kafka.servers, (value, [*headers, ("x-binary", b"\xff\xfe")]))
        await handled.wait()


async def test_a_header_whose_name_is_not_utf8_blocks_no_other_event(
    settings: PostgresSettings,
) -> None:
    handled: asyncio.Queue[int] = asyncio.Queue()

    async def on_event(envelope: Envelope[ModelRetired], work: Transaction) -> None:
        handled.put_nowait(envelope.data.model_version)

    (first, named), (bad, unnamed), (last, named_too) = (message(n, str(n)) for n in (1, 2, 3))
    async with consuming(settings, on_event), asyncio.timeout(30):
        records = (first, named), (bad, [*unnamed, UNREADABLE]), (last, named_too)
        await send_batch(settings.kafka.servers, ModelRetired.topic, *records)
        assert [await handled.get(), await handled.get()] == [1, 3]
    [dead_letter] = await read(settings.kafka.servers, dead_letters("registry"), 1)
    assert (dead_letter.key, dead_letter.value) == (b"m", bad)
    assert b"the headers ce_id" in dict(dead_letter.headers)["__dlq.errors.message"]


async def test_a_header_that_is_null_does_not_lose_the_message(settings: PostgresSettings) -> None:
    handled = asyncio.Event()

    async def on_event(envelope: Envelope[ModelRetired], work: Transaction) -> None:
        handled.set()

    value, headers = message(1, "a")
    async with consuming(settings, on_event), asyncio.timeout(20):
        await send(settings.kafka.servers, (value, [*headers, ("x-null", None)]))
        await handled.wait()


async def test_a_value_that_is_too_large_for_a_dead_letter_is_dropped_and_named(
    settings: PostgresSettings,
) -> None:
    handled = asyncio.Event()

    async def on_event(envelope: Envelope[ModelRetired], work: Transaction) -> None:
        handled.set()

    good = message(1, "good")
    async with consuming(settings, on_event), asyncio.timeout(20):
        huge = (b"0" * 20_000_000, message(2, "huge")[1])
        await send(settings.kafka.servers, huge, good, compression_type="gzip", max_request_size=30_000_000)
        await handled.wait()
    [dead_letter] = await read(settings.kafka.servers, dead_letters("registry"), 1)
    assert dead_letter.value == b""
    dropped = dict(dead_letter.headers)["__dlq.errors.dropped"]
    assert re.search(rb"\b20,000,000 bytes; .* models\.retired, partition ", dropped)


async def test_the_trace_goes_from_event_to_event(settings: PostgresSettings) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    async def on_event(envelope: Envelope[ModelRetired], work: Transaction) -> None:
        if envelope.data.model_version == 1:
            await work.publish(event(2))

    value, headers = message(1, "a")
    async with consuming(settings, on_event):
        await send(settings.kafka.servers, (value, [*headers, ("traceparent", traceparent.encode())]))
        _, caused = await read(settings.kafka.servers, ModelRetired.topic, 2)
    assert dict(caused.headers)["traceparent"].decode().split("-")[1] == traceparent.split("-")[1]
