"""The real service on real Kafka: each request is answered and logged once, through all kinds of faults."""

from __future__ import annotations

import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from rondo.contracts.events import logs

from tests.serving.builders import CLASSES, INTERVAL, MULTICLASS, TEXTS
from tests.serving.prediction_topics import MADE, answered, at_least, once

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.contracts.tasks.base import FittedTask

    from tests.serving.conftest import ReplicaEnvironment


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_requests_are_answered_on_their_partition_and_logged(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    digest = platform.deploy(3, model(2.0), traceparent=TRACE)
    for number in range(100):
        platform.request(number, flush=False)
    platform.flush()
    with platform.serving() as process:
        made = platform.read(MADE, at_least(100), quiet=0.5)
        asked = {m.key(): m.partition() for m in platform.read("predictions.requested", at_least(100))}
        assert {m.key(): m.partition() for m in made} == asked
        answers = [orjson.loads(m.value()) for m in made]
        assert {a["id"]: a["output"]["score"] for a in answers} == {f"r{n}": 2.0 * n for n in range(100)}
        assert {(a["model"], a["model_version"], a["digest"]) for a in answers} == {("delay", 3, digest)}
        batches = [logs.decode(m.value()) for m in platform.read(logs.PREDICTIONS_LOG, at_least(1), quiet=0.5)]
        logged = [row for batch in batches for row in batch.to_pylist()]
        assert Counter(row["id"] for row in logged) == once(range(100))
        assert {row["output.score"] / row["feature.distance"] for row in logged if row["feature.distance"]} == {2.0}
        assert {logs.metadata(batch)["digest"] for batch in batches} == {digest}
        process.signal(signal.SIGTERM)
        assert process.wait(60) == 0
    first = next(
        line for line in platform.log_lines().splitlines() if "version 3 of delay answers for the first time" in line
    )
    assert orjson.loads(first)["trace_id"] == TRACE.split("-")[1]


# A model of each task, its answer for a distance of 4, and the answer in the log.
TASKS: dict[str, tuple[FittedTask, dict[str, Any], dict[str, Any]]] = {
    "binary": (TEXTS, {"score": 8.0, "label": "verspätet"}, {"score": 8.0, "label": "verspätet"}),
    "multiclass": (
        MULTICLASS,
        {
            "label": CLASSES[2], "score": 8.0,
            "probabilities": {"score": pytest.approx(8 / 3), "Übergröße": pytest.approx(16 / 3), CLASSES[2]: 8.0},
        },
        {"label": CLASSES[2], "score": 8.0, "probabilities": pytest.approx([8 / 3, 16 / 3, 8.0])},
    ),
    "regression": (INTERVAL, *2 * ({"value": 8.0, "low": 5.5, "high": 10.5},)),
}  # fmt: skip


@pytest.mark.slow
def test_models_of_every_task_are_answered_once_through_a_crash(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    for name, (fitted, _, _) in TASKS.items():
        platform.deploy(1, model(2.0, fitted=fitted), model=name)
    for number in range(1, 667):
        for name in TASKS:
            platform.request(number, flush=False, model=name)
    platform.flush()
    small = {"RONDO_MAX_BATCH": "100", "RONDO_LINGER": "0"}
    with platform.serving(**small) as process:
        platform.read(MADE, at_least(300))
        process.kill()
    with platform.serving(**small):
        made = platform.read(MADE, at_least(1_998), quiet=0.5)
        batches = [logs.decode(m.value()) for m in platform.read(logs.PREDICTIONS_LOG, at_least(1), quiet=0.5)]
    answers = [orjson.loads(m.value()) for m in made]
    asked = Counter((name, f"r{number}") for name in TASKS for number in range(1, 667))
    assert Counter((each["model"], each["id"]) for each in answers) == asked
    rows = [(logs.metadata(batch)["model"], row) for batch in batches for row in batch.to_pylist()]
    assert Counter((name, row["id"]) for name, row in rows) == asked
    for name, (_, output, logged) in TASKS.items():
        assert [each["output"] for each in answers if (each["model"], each["id"]) == (name, "r4")] == [output]
        [row] = [row for model_, row in rows if (model_, row["id"]) == (name, "r4")]
        assert {key.removeprefix("output."): v for key, v in row.items() if key.startswith("output.")} == logged
    classes = {(meta := logs.metadata(batch))["model"]: meta.get("classes") for batch in batches}
    assert orjson.loads(classes["multiclass"]) == list(CLASSES)
    assert (classes["binary"], classes["regression"]) == (None, None)


@pytest.mark.slow
def test_kill_9_in_the_middle_changes_no_count(platform: ReplicaEnvironment, model: Callable[..., bytes]) -> None:
    count = 10_000
    platform.deploy(1, model())
    for number in range(count):
        platform.request(number, flush=False)
    platform.flush()
    small = {"RONDO_MAX_BATCH": "300", "RONDO_LINGER": "0"}
    for kills in range(1, 3):
        with platform.serving(**small) as process:
            platform.read(MADE, at_least(kills * 3_000))
            process.kill()
    with platform.serving(**small):
        made = platform.read(MADE, at_least(count), seconds=60, quiet=1)
        batches = [logs.decode(m.value()) for m in platform.read(logs.PREDICTIONS_LOG, at_least(1), quiet=1)]
    assert answered(made) == once(range(count))
    assert Counter(i for batch in batches for i in batch.column("id").to_pylist()) == once(range(count))


@pytest.mark.slow
def test_replicas_come_and_go_under_load_and_every_request_is_answered_once(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    count = 10_000
    platform.deploy(1, model())
    small = {"RONDO_MAX_BATCH": "200"}
    with platform.serving("a", **small) as first:
        platform.wait_replica("available", 1)
        for number in range(count // 2):
            platform.request(number, flush=False)
        platform.flush()
        with platform.serving("b", **small):
            platform.wait_replica("available", 1, times=2)
            for number in range(count // 2, count):
                platform.request(number, flush=False)
                if number % 1_000 == 0:
                    platform.flush()
            platform.flush()
            first.kill()
            with platform.serving("a", **small):
                made = platform.read(MADE, at_least(count), seconds=60, quiet=1)
    assert answered(made) == once(range(count))


@pytest.mark.slow
def test_a_killed_replica_is_replaced_by_its_next_self(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    platform.deploy(1, model())
    with platform.serving() as process:
        platform.request(0)
        platform.read(MADE, at_least(1))
        process.kill()
    with platform.serving():
        platform.request(1)
        assert answered(platform.read(MADE, at_least(2), quiet=0.5)) == once(range(2))


@pytest.mark.slow
def test_requests_after_a_silence_are_answered_as_fast_as_in_a_stream(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    """Idle connections are closed after 3 s. Opening one again must not wait for a growing backoff."""
    platform.deploy(1, model())
    waits: list[float] = []
    with platform.serving():
        platform.wait_replica("available", 1)
        platform.request(0)
        platform.read(MADE, at_least(1))
        for number, silence in enumerate((3.5, 5.0, 8.0), start=1):
            time.sleep(silence)
            platform.request(number)
            sent = time.monotonic()
            platform.read(MADE, at_least(number + 1))
            waits.append(time.monotonic() - sent)
    assert max(waits) < 2, waits
