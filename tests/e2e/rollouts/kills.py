"""Canaries while services and Kafka are killed. An independent reader counts the messages of the topics afterwards.

Good candidates and bad ones take turns, and processes are killed while one of them is rolled
out. The reader counts requests and answers, their order by key, and the evidence about each candidate.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import signal
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from rondo.client import RondoError
from rondo.client.cli.command import app
from rondo.client.registration.conversion import convert
from rondo.contracts.events.monitoring import RolloutEvidence
from rondo.contracts.events.predictions import PredictionMade, PredictionRequested
from typer.testing import CliRunner

from tests.e2e import small_model
from tests.e2e.rollouts.canaries import MODEL, SPEC, Rides, fitted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rondo.client import AsyncRondo
    from rondo.contracts.kafka_connection import KafkaConnection
    from rondo.embedded.stack import Stack

TARGETS = ("serving", "registry", "Kafka")
KEYS = 500
_DECIDED = ("rolled_back", "watching", "asking")
_AT_ONCE = 200
_SECONDS = 0.1
_ANSWER_SECONDS = 240


@dataclass(frozen=True)
class Rolled:
    """The end of a candidate's rollout in the registry, and true if the candidate is a bad one."""

    candidate: int
    is_bad: bool
    state: str
    verdict: str
    answers: int
    outcomes: int
    blocks: int
    margin: float
    block_seconds: float


@dataclass
class Counted:
    """The content of the topics: ids, numbers of answers by id and by version, and the evidence by candidate.

    `evidence` has the starts of short blocks in seconds, their rows and mean differences, in the order of the topic. A
    time without a block says that everything before it is complete.
    """

    requests: set[str] = field(default_factory=set)
    answers: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    by_version: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    last_of_key: dict[bytes, int] = field(default_factory=dict)
    out_of_order: int = 0
    evidence: dict[int, list[tuple[float, int, float] | float]] = field(default_factory=lambda: defaultdict(list))
    _events: set[bytes] = field(default_factory=set)

    @property
    def lost(self) -> int:
        return len(self.requests - self.answers.keys())

    @property
    def doubled(self) -> int:
        return sum(count > 1 for count in self.answers.values())

    def add(self, topic: str, key: bytes, value: bytes, event_id: bytes) -> None:
        content = orjson.loads(value)
        if topic == PredictionRequested.topic:
            self.requests.add(content["id"])
        elif topic == PredictionMade.topic:
            number = int(content["id"].removeprefix("q"))
            self.answers[content["id"]] += 1
            self.by_version[content["model_version"]] += 1
            self.out_of_order += number <= self.last_of_key.get(key, -1)
            self.last_of_key[key] = number
        elif event_id not in self._events:
            self._events.add(event_id)
            event = RolloutEvidence.model_validate_json(value)
            parts = self.evidence[event.other]
            parts += [(block.start.timestamp(), block.rows, block.difference) for block in event.blocks]
            parts += [event.complete_until.timestamp()] if event.complete_until else []

    def after_each(self, candidate: int, seconds: float) -> Iterator[tuple[int, int, float]]:
        """Yield blocks, outcomes and the sum of differences after each piece of evidence, from before the first."""
        blocks, outcomes, total, held = 0, 0, 0.0, list[tuple[float, int, float]]()
        yield blocks, outcomes, total
        for part in self.evidence[candidate]:
            start = part if isinstance(part, float) else part[0]
            # A block has ended when a later block begins, or when everything before it is complete.
            if held and start // seconds != held[0][0] // seconds:
                blocks, outcomes = blocks + 1, outcomes + sum(rows for _, rows, _ in held)
                total += sum(rows * difference for _, rows, difference in held)
                held = []
                yield blocks, outcomes, total
            if not isinstance(part, float):
                held.append(part)


def count(kafka: KafkaConnection) -> Counted:
    """Read the topics from their beginning to their end, as `read_committed`."""
    consumer = Consumer(
        {**kafka.confluent(), "group.id": "counter", "enable.auto.commit": False, "isolation.level": "read_committed",
         "enable.partition.eof": True, "log_level": 0}
    )  # fmt: skip
    topics = (PredictionRequested.topic, PredictionMade.topic, RolloutEvidence.topic)
    places = [
        TopicPartition(topic, partition, 0)
        for topic in topics
        for partition in consumer.list_topics(topic, timeout=30).topics[topic].partitions
    ]
    consumer.assign(places)
    found, ended = Counted(), set[tuple[str | None, int | None]]()
    while len(ended) < len(places):
        for message in consumer.consume(5_000, 1.0):
            error = message.error()
            if error is None:
                headers = dict(message.headers() or [])
                found.add(
                    message.topic() or "", message.key() or b"", message.value() or b"{}", headers.get("ce_id", b"")
                )
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add((message.topic(), message.partition()))
            else:
                raise KafkaException(error)
    consumer.close()
    return found


class Kills:
    """Kills one of `TARGETS` whenever one is due by the number of sent requests. The seed decides which."""

    def __init__(self, stack: Stack, seed: int, kills: int, requests: int) -> None:
        draw = random.Random(seed)
        self._stack = stack
        self._due = sorted(draw.sample(range(requests // 20, requests), kills))
        self._targets = [TARGETS[number % len(TARGETS)] for number in range(kills)]
        draw.shuffle(self._targets)
        self.done: list[str] = []

    async def kill_if_due(self, sent: int) -> None:
        if not self._due or sent < self._due[0]:
            return
        self._due.pop(0)
        target = self._targets[len(self.done)]
        self.done.append(target)
        if target == "Kafka":
            assert self._stack.kafka is not None
            os.kill(self._stack.kafka.process.pid or 0, signal.SIGKILL)
            return
        self._stack.kill(target)
        await self._stack.wait_ready(target)


class Play:
    """Rolls out candidates one after another while rides are sent."""

    def __init__(self, stack: Stack, rondo: AsyncRondo, kills: Kills, requests: int) -> None:
        self._stack, self._rondo, self._kills, self._requests = stack, rondo, kills, requests
        self.rides = Rides(stack.addresses.kafka, keys=KEYS)
        self.rolled: list[Rolled] = []

    async def run(self, folder: Path) -> None:
        batch = small_model.rides(2_000)
        rows = pl.read_parquet(io.BytesIO(batch))
        await self._rondo.apply(SPEC)
        await self._rondo.publish(small_model.DATASET, "first", batch, small_model.PARQUET)
        await small_model.until_served(self._rondo, MODEL)
        spec = (await self._rondo.spec(MODEL))["spec"]
        while self.rides.sent < self._requests:
            candidate, is_bad = len(self.rolled) + 2, len(self.rolled) % 2 == 0
            # Other rows give another artifact.
            chosen = rows.sample(1_800, seed=candidate)
            labels = 1 - chosen["tipped"] if is_bad else chosen["tipped"]
            path = folder / f"{candidate}.onnx"
            path.write_bytes(convert(fitted(chosen, labels), spec).content)
            await self._register(path)
            found = await self._decided(candidate)
            known = {name: found[name] for name in Rolled.__dataclass_fields__ if name != "is_bad"}
            self.rolled.append(Rolled(is_bad=is_bad, **known))
            if found["state"] != "rolled_back":
                # Otherwise the next candidate would wait for the end of the rollback window.
                await self._rondo.decide_rollout(MODEL, "abort", "the next one is to begin")

    async def _register(self, path: Path) -> None:
        command, env = ["register", MODEL, str(path)], {"RONDO_HOME": str(self._stack.home)}
        done = await asyncio.to_thread(CliRunner().invoke, app, command, env=env)
        assert done.exit_code == 0, done.output

    async def _decided(self, candidate: int) -> dict[str, Any]:
        """Send rides, and kill processes that are due, until the rollout is decided. Return the rollout."""
        found = await self._shown(candidate)
        while found.get("state") not in _DECIDED:
            if found.get("state") == "running":
                await asyncio.to_thread(self.rides.send, _AT_ONCE)
                await self._kills.kill_if_due(self.rides.sent)
            await asyncio.sleep(_SECONDS)
            found = await self._shown(candidate)
        return found

    async def _shown(self, candidate: int) -> dict[str, Any]:
        # The registry may be the killed process.
        with suppress(RondoError):
            found = await self._rondo.rollout(MODEL)
            return found if found["candidate"] == candidate else {}
        return {}


async def counted(kafka: KafkaConnection, sent: int) -> Counted:
    """Return the counts of the topics when each of `sent` requests has an answer, or after a few minutes."""
    found = Counted()
    with suppress(TimeoutError):
        async with asyncio.timeout(_ANSWER_SECONDS):
            while len(found.answers) < sent:
                found = await asyncio.to_thread(count, kafka)
    return found


def contradictions(rolled: Rolled, found: Counted) -> list[str]:
    """Return the contradictions between rollouts and topics."""
    after = list(found.after_each(rolled.candidate, rolled.block_seconds))
    at = [total / outcomes for blocks, outcomes, total in after
          if outcomes and (blocks, outcomes) == (rolled.blocks, rolled.outcomes)]  # fmt: skip
    problems = []
    if rolled.verdict in ("worse", "not_worse", "better") and not at:
        problems.append(f"its {rolled.outcomes} outcomes in {rolled.blocks} blocks are not those of the topic")
    if at and (at[0] > rolled.margin) != (rolled.state == "rolled_back"):
        problems.append(f"it is {rolled.state} at a difference of {at[0]:.4f}")
    if (rolled.state == "rolled_back") != rolled.is_bad:
        problems.append(f"it is {rolled.state}, {rolled.verdict}")
    if rolled.answers > found.by_version[rolled.candidate]:
        problems.append(f"{rolled.answers} answers, and {found.by_version[rolled.candidate]} on the topic")
    return [f"candidate {rolled.candidate}: {problem}" for problem in problems]
