"""Bulk requests on real Kafka: each is answered once through a crash, by a version that is not deployed."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from rondo.chassis.artifacts import digest_of
from rondo.contracts.events import logs, scores
from rondo.contracts.events.scores import ScoreRequest

from tests.serving.builders import FEATURES
from tests.serving.prediction_topics import at_least

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.serving.conftest import ReplicaEnvironment

ROWS = 500


def send(platform: ReplicaEnvironment, part: int, digest: str, rows: int = ROWS) -> None:
    request = ScoreRequest("job", part, "delay", 9, digest, FEATURES, part * rows)
    distances = np.arange(part * rows, (part + 1) * rows, dtype=np.float64)
    batch = pa.RecordBatch.from_pydict({"feature.distance": distances, "feature.night": pa.array([True] * rows)})
    value = scores.encode(batch.replace_schema_metadata(request.metadata()))
    platform.send(scores.SCORES_REQUESTED, value, request.key, partition=part % 6)


@pytest.mark.slow
def test_each_message_is_answered_once_through_a_crash(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    content = model(2.0)
    digest = asyncio.run(platform.artifacts.put(content))
    for part in range(60):
        send(platform, part, digest)
    with platform.serving() as process:
        platform.read(scores.SCORES_MADE, at_least(5))
        process.kill()
    with platform.serving():
        made = platform.read(scores.SCORES_MADE, at_least(60), quiet=1)
    answers = [scores.decode(each.value()) for each in made]
    assert Counter(logs.metadata(each)["part"] for each in answers) == Counter(map(str, range(60)))
    found = pa.Table.from_batches([each.replace_schema_metadata(None) for each in answers]).sort_by("row")
    assert found.column("row").to_pylist() == list(range(60 * ROWS))
    assert found.column("score").to_pylist() == [2.0 * row for row in range(60 * ROWS)]
    assert found.column("error").null_count == 60 * ROWS
    # Rows of bulk requests are in no log, because the monitor would count them as traffic.
    assert platform.read(logs.PREDICTIONS_LOG, lambda _: True, quiet=0.5) == []


@pytest.mark.slow
def test_a_version_that_is_lost_has_answers_that_say_so_and_the_others_go_on(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    lost, digest = digest_of(b"lost"), asyncio.run(platform.artifacts.put(model(2.0)))
    platform.send(scores.SCORES_REQUESTED, b"no Arrow", "job/9", partition=0)
    send(platform, 0, lost)
    send(platform, 6, digest)
    with platform.serving():
        made = platform.read(scores.SCORES_MADE, at_least(2))
    answers = {logs.metadata(each)["part"]: each for each in (scores.decode(m.value()) for m in made)}
    assert logs.metadata(answers["0"])["error"] == "version_refused"
    assert answers["0"].num_rows == 0
    assert answers["6"].column("score").to_pylist() == [2.0 * row for row in range(6 * ROWS, 7 * ROWS)]


@pytest.mark.slow
def test_a_replica_with_no_threads_for_it_takes_no_bulk_request(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    digest = platform.deploy(1, model(2.0))
    send(platform, 0, digest)
    with platform.serving("live", RONDO_BULK_THREADS="0"):
        platform.wait_replica("available", 1)
        platform.request(4)
        platform.read("predictions.made", at_least(1))
        assert platform.read(scores.SCORES_MADE, lambda _: True, quiet=0.5) == []
