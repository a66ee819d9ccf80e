"""A micro-batch has as many requests as its models score in time. A replica then stays ready and in its group."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
from rondo.embedded.processes.ports import free_port
from rondo.serving.inference.pace import Paces
from rondo.serving.inference.service import InferenceService
from rondo.serving.models.serving_table import ServedModels
from rondo.serving.requests.schema import RequestSchema
from rondo.serving.stream.own_queues import MAX_QUEUES

from tests.serving.builders import request
from tests.serving.prediction_topics import MADE, answered, at_least, once
from tests.serving.stream.slow_model import slow_model
from tests.serving.stream.test_transform import Request, run, stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.inference.scored import Inference
    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.stream.transform import PredictionStream

    from tests.serving.conftest import ReplicaEnvironment


@pytest.fixture
def slow(
    version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel], monkeypatch: pytest.MonkeyPatch
) -> ServedModel:
    """Return a model of which a row takes half a second, whatever its inferences take."""
    monkeypatch.setattr(Paces, "measured", lambda *_: None)
    return serve(replace(version(), row_seconds=0.5))


def table_of(slow: ServedModel, others: int) -> ServedModels:
    models = ServedModels()
    models.swap(slow)
    (first,) = slow.versions
    for number in range(others):
        model = f"quick-{number}"
        schema = RequestSchema(model, first.schema.features, first.schema.unknown)
        version = replace(first, model=model, digest=f"{number:064d}", schema=schema, row_seconds=0.001)
        models.swap(replace(slow, model=model, versions=(version,)))
    return models


def asked(transform: PredictionStream, *models: str) -> None:
    """Send the models a micro-batch with a request each."""
    valid = orjson.loads(request(1))
    run(transform, *(Request(orjson.dumps(valid | {"id": model, "model": model})) for model in models))


def test_a_model_alone_bounds_the_micro_batch(slow: ServedModel) -> None:
    assert stream(table_of(slow, 0)).max_records() == 10
    slower = replace(slow, versions=(replace(slow.versions[0], row_seconds=60.0),))
    assert stream(table_of(slower, 0)).max_records() == 1


def test_before_a_version_serves_a_micro_batch_is_small(slow: ServedModel) -> None:
    models = ServedModels()
    transform = stream(models)
    assert transform.max_records() == 100
    models.swap(slow)
    assert transform.max_records() == 10


def test_a_model_that_can_get_a_queue_bounds_nothing(slow: ServedModel) -> None:
    transform = stream(table_of(slow, 1))
    asked(transform, slow.model)
    assert transform.max_records() == sys.maxsize


def test_without_queues_the_slowest_model_that_was_asked_lately_bounds_the_micro_batch(
    slow: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    transform, now = stream(table_of(slow, 2)), time.monotonic()
    transform.queues.seconds = None
    assert transform.max_records() == 10, "before the first request the slowest model decides"
    asked(transform, "quick-0")
    assert transform.max_records() == 5_000, "a slow model that nobody asks bounds no other"
    asked(transform, "quick-0", slow.model)
    assert transform.max_records() == 10
    monkeypatch.setattr(time, "monotonic", lambda: now + 3_600)
    asked(transform, "quick-0")
    assert transform.max_records() == 5_000


def test_of_too_many_models_for_queues_the_slowest_one_bounds_the_micro_batch(slow: ServedModel) -> None:
    transform = stream(table_of(slow, MAX_QUEUES))
    asked(transform, slow.model, "quick-0")
    assert transform.max_records() == sys.maxsize, "these two could get queues"
    asked(transform, slow.model, *(f"quick-{number}" for number in range(MAX_QUEUES)))
    assert transform.max_records() == 10


@pytest.mark.parametrize("queues", [False, True])
def test_a_micro_batch_that_took_minutes_bounds_the_next_one(
    slow: ServedModel, monkeypatch: pytest.MonkeyPatch, *, queues: bool
) -> None:
    clock, infer = [1_000.0], InferenceService.infer

    def inferred(service: InferenceService, *asked: Any) -> Inference:
        clock[0] += 400.0
        return infer(service, *asked)

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(InferenceService, "infer", inferred)
    others = MAX_QUEUES if queues else 1
    transform = stream(table_of(slow, others))
    if not queues:
        transform.queues.seconds = None
    asked(transform, slow.model, *(f"quick-{number}" for number in range(others)))
    assert transform.max_records() == 10


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_replica_with_a_backlog_of_one_slow_model_stays_ready(platform: ReplicaEnvironment) -> None:
    """The backlog takes 70 seconds. Without a bound it is one micro-batch, and `/readyz` allows a turn 30 seconds."""
    platform.deploy(1, slow_model(0.07))
    for number in range(1_000):
        platform.request(number, flush=False)
    platform.flush()
    states, ended = list[int](), Event()
    with platform.serving(RONDO_HTTP_PORT=str(free_port())) as process:
        platform.wait_replica("available", 1)
        process.wait_ready()

        def watch() -> None:
            with httpx.Client(trust_env=False, timeout=10) as client:
                while not ended.wait(0.5):
                    states.append(client.get(f"{process.url}/readyz").status_code)

        watcher = Thread(target=watch)
        watcher.start()
        try:
            made = platform.read(MADE, at_least(1_000), seconds=240, quiet=2)
        finally:
            ended.set()
            watcher.join()
    assert answered(made) == once(range(1_000))
    assert len(states) > 30
    assert set(states) == {200}
    assert "restarts" not in platform.log_lines()
