"""A micro-batch has as many requests as its models score in time. A replica then stays ready and in its group."""

from __future__ import annotations

import sys
from dataclasses import replace
from threading import Event, Thread
from typing import TYPE_CHECKING

import httpx
import pytest
from rondo.embedded.processes.ports import free_port
from rondo.serving.models.serving_table import ServedModels
from rondo.serving.stream.own_queues import MAX_QUEUES

from tests.serving.prediction_topics import MADE, answered, at_least, once
from tests.serving.stream.slow_model import slow_model
from tests.serving.stream.test_transform import stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel

    from tests.serving.conftest import ReplicaEnvironment


@pytest.fixture
def slow(version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]) -> ServedModel:
    return serve(replace(version(), row_seconds=0.5))


def table_of(slow: ServedModel, others: int) -> ServedModels:
    models = ServedModels()
    models.swap(slow)
    for number in range(others):
        version = replace(slow.versions[0], model=f"quick-{number}", digest=f"{number:064d}", row_seconds=0.001)
        models.swap(replace(slow, model=version.model, versions=(version,)))
    return models


def test_a_model_alone_bounds_the_micro_batch(slow: ServedModel) -> None:
    assert stream(ServedModels()).most() == sys.maxsize
    assert stream(table_of(slow, 0)).most() == 10
    slower = replace(slow, versions=(replace(slow.versions[0], row_seconds=60.0),))
    assert stream(table_of(slower, 0)).most() == 1


def test_a_model_that_can_get_a_queue_bounds_nothing(slow: ServedModel) -> None:
    transform = stream(table_of(slow, 1))
    assert transform.most() == sys.maxsize
    transform.queues.seconds = None
    assert transform.most() == 10


def test_of_too_many_models_for_queues_the_slowest_one_bounds_the_micro_batch(slow: ServedModel) -> None:
    assert stream(table_of(slow, MAX_QUEUES)).most() == 10


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
