"""A stub of serving over Kafka, and fixtures that run the command."""

from __future__ import annotations

import asyncio
import os
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import typer
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rondo.chassis.events.broker import create_topics
from rondo.client import Connection
from rondo.client.cli import app
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import PREDICTIONS_FAILED
from typer.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from click.testing import Result

# Typer builds the command again for each run, in 35 ms.
_command = cache(typer.main.get_command)
DIGEST = f"sha256:{'a' * 64}"


@pytest.fixture
def connection() -> Connection:
    """Return the addresses of services that do not run."""
    return make_connection("127.0.0.1:1")


def make_connection(kafka: str, url: str = "http://127.0.0.1:1") -> Connection:
    return Connection(kafka=kafka, registry=url, ingestion=url, serving=url, token="a token")  # type: ignore[arg-type]


@pytest.fixture
def kafka_with_topics(kafka: str) -> str:
    """Return a broker that has all topics."""
    create_topics(KafkaConnection(kafka))
    return kafka


@pytest.fixture
async def serving(kafka_with_topics: str) -> AsyncIterator[Connection]:
    """Return a connection to a stand-in of serving, which answers in Kafka transactions as the real one does.

    It refuses features that hold `refuse`, and does not answer those that hold `ignore`.
    """
    started = asyncio.Event()
    answering = asyncio.create_task(answer_requests(kafka_with_topics, started))
    await started.wait()
    yield make_connection(kafka_with_topics)
    answering.cancel()
    await asyncio.wait([answering])


async def answer_requests(bootstrap: str, started: asyncio.Event) -> None:
    consumer = AIOKafkaConsumer(
        "predictions.requested", **KafkaConnection(bootstrap).aiokafka(), auto_offset_reset="latest"
    )
    producer = AIOKafkaProducer(**KafkaConnection(bootstrap).aiokafka(), transactional_id="stand-in")
    async with consumer, producer:
        await consumer.seek_to_end()
        for partition in consumer.assignment():
            await consumer.position(partition)
        started.set()
        while True:
            for messages in (await consumer.getmany(timeout_ms=50)).values():
                async with producer.transaction():
                    for message in messages:
                        await _reply(producer, message)


# The answers of two models. Those of all others are binary.
OUTPUTS = {
    "wood": {"label": "Bäume", "score": 0.75, "probabilities": {"score": 0.25, "Bäume": 0.75, 'a "b"': 0.0}},
    "minutes": {"value": 12.5, "low": 10.0, "high": 15.0},
}


async def _reply(producer: AIOKafkaProducer, message: Any) -> None:
    request = orjson.loads(message.value)
    if "ignore" in request["features"]:
        return
    if "refuse" in request["features"]:
        headers = [
            ("__dlq.errors.message", b"the feature `distance` is missing: send a number"),
            ("reason", b"missing"),
        ]
        await producer.send(PREDICTIONS_FAILED, message.value, message.key, headers=headers)
        return
    distance = request["features"].get("distance", 0)
    answer = {
        "model": request["model"], "id": request["id"], "model_version": 3, "digest": DIGEST,
        "made_at": "2013-03-01T12:00:00Z",
        "output": OUTPUTS.get(request["model"], {"score": distance / 1000, "label": int(distance >= 500)}),
    }  # fmt: skip
    await producer.send("predictions.made", orjson.dumps(answer), message.key)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Callable[..., Result]:
    """Return a function that runs the command in an empty folder, with an environment that names no Rondo."""
    for name in [name for name in os.environ if name.startswith("RONDO_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("typer.testing._get_command", _command)

    def invoke(*arguments: str, stdin: str | None = None, **environment: str) -> Result:
        return CliRunner().invoke(app, list(arguments), input=stdin, env=environment)

    return invoke
