"""Subscribing to events on real Kafka."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from rondo.client import AsyncRondo, Connection, NotFoundError
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.models import ModelPromoted
from rondo.contracts.kafka_connection import KafkaConnection

from tests.support.topics import remove_topics

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result
    from rondo.client.kafka.event_stream import Since

DIGEST = f"sha256:{'a' * 64}"
Send = Any


@pytest.fixture
async def connection(kafka_with_topics: str) -> Connection:
    nowhere = "http://127.0.0.1:1"
    return Connection(kafka=kafka_with_topics, registry=nowhere, ingestion=nowhere, serving=nowhere, token="x")  # type: ignore[arg-type]


def promoted(version: int) -> Envelope[ModelPromoted]:
    event = ModelPromoted(
        model="late", model_version=version, digest=DIGEST, previous_version=None, decided_by="ada", gates=()
    )
    return Envelope(uuid4().hex, "rondo/registry", datetime.now(UTC), event)


async def send(kafka: str, *envelopes: Envelope[Any]) -> None:
    async with AIOKafkaProducer(**KafkaConnection(kafka).aiokafka()) as producer:
        for envelope in envelopes:
            headers = [(name, value.encode()) for name, value in envelope.headers().items()]
            await producer.send_and_wait(envelope.data.topic, envelope.value(), b"late", headers=headers)


async def receive(rondo: AsyncRondo, until: str, since: Since) -> list[str]:
    """Return the ids that are received, up to one."""
    received = []
    async with aclosing(rondo.watch("ModelPromoted", since=since)) as envelopes:
        async for envelope in envelopes:
            received.append(envelope.id)
            if envelope.id == until:
                break
    return received


async def test_from_the_beginning_or_from_a_moment_on(connection: Connection) -> None:
    early, late = promoted(1), promoted(2)
    await send(str(connection.kafka), early)
    # Kafka's own clock decides, in milliseconds.
    await asyncio.sleep(0.01)
    moment = datetime.now(UTC)
    await send(str(connection.kafka), late)
    async with AsyncRondo(connection) as rondo:
        assert (await receive(rondo, late.id, "beginning"))[-2:] == [early.id, late.id]
        assert await receive(rondo, late.id, moment) == [late.id]


async def test_from_now_on(connection: Connection) -> None:
    old = promoted(1)
    await send(str(connection.kafka), old)
    received: asyncio.Queue[str] = asyncio.Queue()

    async def listen() -> None:
        async with AsyncRondo(connection) as rondo:
            async for envelope in rondo.watch("models.promoted"):
                received.put_nowait(envelope.id)

    listening = asyncio.create_task(listen())
    sent = set()
    while received.empty():
        new = promoted(2)
        sent.add(new.id)
        await send(str(connection.kafka), new)
        await asyncio.sleep(0.1)
    listening.cancel()
    await asyncio.wait([listening])
    assert await received.get() in sent


async def test_a_message_that_is_not_an_event_is_skipped_and_logged(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    before, after = datetime.now(UTC) - timedelta(milliseconds=1), promoted(4)
    async with AIOKafkaProducer(**connection.kafka.aiokafka()) as producer:
        await producer.send_and_wait("models.promoted", b"nonsense", b"late")
    await send(str(connection.kafka), after)
    async with AsyncRondo(connection) as rondo:
        assert (await receive(rondo, after.id, before))[-1] == after.id
    assert "the headers ce_id" in caplog.text


@pytest.mark.slow
async def test_a_moment_in_the_future_is_the_end(connection: Connection) -> None:
    await send(str(connection.kafka), promoted(5))
    async with AsyncRondo(connection) as rondo:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await receive(rondo, "never", datetime.now(UTC) + timedelta(days=1))


async def test_topics_that_do_not_exist_yet_are_named(kafka: str) -> None:
    remove_topics(kafka)
    nowhere = "http://127.0.0.1:1"
    bare = Connection(kafka=kafka, registry=nowhere, ingestion=nowhere, serving=nowhere, token="x")  # type: ignore[arg-type]
    async with AsyncRondo(bare) as rondo:
        with pytest.raises(NotFoundError) as caught:
            await receive(rondo, "never", "now")
    assert caught.value.code == "not_found"
    assert "models.promoted" in str(caught.value)


async def test_the_command_prints_a_line_or_an_object_for_each_event(
    connection: Connection, run: Callable[..., Result]
) -> None:
    event = replace(promoted(6), time=datetime(2013, 3, 1, 12, tzinfo=UTC))
    before = datetime.now(UTC)
    await send(str(connection.kafka), event)
    environment = {
        "RONDO_KAFKA": str(connection.kafka), "RONDO_TOKEN": "x",
        **{f"RONDO_{name}_URL": "http://127.0.0.1:1" for name in ("REGISTRY", "INGESTION", "SERVING")},
    }  # fmt: skip
    asked = ("watch", "models.promoted", "--since", before.isoformat(), "--count", "1")
    text = await asyncio.to_thread(run, *asked, **environment)
    assert re.search(r"ModelPromoted +late: version 6 .* ada\b", text.stdout)
    json = await asyncio.to_thread(run, *asked, "--json", **environment)
    printed = orjson.loads(json.stdout)
    assert (event.id, "models.promoted", 6) == (printed["id"], printed["topic"], printed["data"]["model_version"])
