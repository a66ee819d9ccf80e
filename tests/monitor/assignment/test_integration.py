"""Replicas of the monitor that share the work, as processes on real servers: joining, paused and killed."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from rondo.chassis.artifacts import Artifacts
from rondo.contracts.events.monitoring import AlertRaised, DriftDetected, WindowClosed
from rondo.contracts.topics import DATA_PARTITIONS
from rondo.monitor.stream.partition_numbers import number_of

from tests.monitor.assignment.replicas import Replicas
from tests.monitor.builders import log_of_days
from tests.monitor.events import control_plane
from tests.monitor.test_integration import PublishedEvents, Receiver, ask, publish, receiver, uninterrupted
from tests.support.access import publish_tokens
from tests.support.evidence import put_evidence
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

__all__ = ["receiver"]
DAYS, SHIFT = 10, 5

# A model for each partition, and one more.
_NAMES = {number_of(f"model-{n}", DATA_PARTITIONS): f"model-{n}" for n in range(30)}
MODELS = [*_NAMES.values(), next(f"more-{n}" for n in range(30) if number_of(f"more-{n}", DATA_PARTITIONS) == 0)]
JOINS, PAUSES, RESUMES, DIES = 8, 14, 20, 28


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_replicas_that_join_stop_and_die_publish_what_one_does(
    clean_kafka: str,
    database: Callable[[str], Awaitable[str]],
    free_port: Callable[[], int],
    receiver: Receiver,
    tmp_path: Path,
) -> None:
    """A third replica joins. One is paused until the others have its work, and then continues. Then one is killed."""
    logs = {
        name: log_of_days(DAYS, SHIFT, rows_a_day=200, seed=seed, skill=0.2, model=name)
        for seed, name in enumerate(MODELS)
    }
    expected = await uninterrupted(logs)
    await asyncio.to_thread(publish_tokens, clean_kafka)
    of_control, artifacts = [each for name in MODELS for each in control_plane(name)], str(tmp_path / "artifacts")
    await put_evidence(Artifacts(artifacts))
    common = {
        "RONDO_KAFKA": clean_kafka, "RONDO_POSTGRES": await database("monitor"), "RONDO_ARTIFACTS": artifacts,
        "RONDO_WEBHOOK_URLS": f"http://127.0.0.1:{receiver.port}/alerts", "RONDO_ALERT_GROUP_WAIT": "0",
    }  # fmt: skip
    replicas = Replicas(common, tmp_path, free_port)
    events = PublishedEvents(clean_kafka)
    with replicas.make("a") as first, replicas.make("b") as second, replicas.make("c") as third:
        third.kill()
        try:
            publish(clean_kafka, {}, of_control)
            await asyncio.gather(first.ready(), second.ready())
            await replicas.divided("a", "a", "b")
            for at in range(len(logs[MODELS[0]][0])):
                if at == JOINS:
                    third.start()
                    await third.ready()
                    await replicas.divided("a", "a", "b", "c")
                if at == PAUSES:
                    first.signal(signal.SIGSTOP)
                if at == RESUMES:
                    await replicas.divided("b", "b", "c")
                    first.signal(signal.SIGCONT)
                    await replicas.divided("b", "a", "b", "c")
                if at == DIES:
                    second.kill()
                part = {name: (predicted[at : at + 1], known[at : at + 1]) for name, (predicted, known) in logs.items()}
                publish(clean_kafka, part)
                events.take(await asyncio.to_thread(events.consumer.consume, 100, 0.3))
            await events.until(lambda: len(events.values) >= len(expected), 60)
            alerts = {each["alert_id"] for each in expected.values() if {"alert_id", "severity"} <= each.keys()}
            await until(lambda: receiver.sent.keys() >= alerts, 60)
            await replicas.divided("a", "a", "c")
            asked = [await answers(replicas.port(name)) for name in ("a", "c")]
            assert await asyncio.to_thread(third.stop) == 0
            await replicas.divided("a", "a")
        finally:
            events.consumer.close()
    assert expected == events.values
    of_topics = Counter(events.topics.values())
    assert of_topics[WindowClosed.topic] == (DAYS - 1) * len(MODELS)
    assert min(of_topics[DriftDetected.topic], of_topics[AlertRaised.topic]) >= len(MODELS)
    # At most one event of the outbox was in flight when the process was killed.
    assert events.repeated <= 1
    # Both answer about all models, independent of which of them has a model in memory.
    assert asked[0] == asked[1]
    assert [list(each["alerts"]) for each in asked[0].values()] == [["drift", "performance"]] * len(MODELS)
    # The save of the paused replica was refused, because it had read those rows before the pause.
    refused = [line["message"] for line in first.lines() if line["logger"] == "rondo.chassis.retry"]
    assert any("generation" in message for message in refused)


async def answers(port: int) -> dict[str, Any]:
    """Return a replica's answers about each model, as far as they depend on the logs alone."""
    models = (await ask(port, "/v1/models"))["models"]
    assert [each["model"] for each in models] == sorted(MODELS)
    found = {}
    for name in MODELS:
        status = await ask(port, f"/v1/models/{name}/drift")
        found[name] = {key: status[key] for key in ("version", "alerts", "columns", "windows", "unmatched", "dropped")}
    return found
