"""A queue, a reader or a request that fails delays no other model."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rondo.chassis.errors import UnavailableError
from rondo.serving.inference.service import InferenceService
from rondo.serving.stream.queue_answers import QueueAnswers
from rondo.serving.stream.repeated_requests import RepeatedRequests

from tests.serving.builders import request
from tests.serving.stream.queue_harness import Kafka, Reader, Slow, wait_scored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest
    from rondo.serving.models.loaded_version import ServedModel
    from rondo.serving.models.serving_table import ServedModels


def test_a_request_on_which_a_queue_fails_becomes_a_dead_letter_and_stops_no_other(
    models: ServedModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka, infer = Kafka(models, Slow()), InferenceService.infer

    def failing(service: InferenceService, served: ServedModel, rows: Any) -> Any:
        if "r1" in rows.ids:
            message = "stumbled"
            raise RuntimeError(message)
        return infer(service, served, rows)

    monkeypatch.setattr(InferenceService, "infer", failing)
    for number in range(6):
        kafka.send(request(number, "slow"))
    for _ in range(40):
        kafka.turn()
        wait_scored(kafka)
    assert [each for _, each, _ in kafka.answers] == ["r0", "r2", "r3", "r4", "r5"]
    assert kafka.refused == [request(1, "slow")]
    kafka.queues.close()
    assert not models.table.leases


def test_requests_wait_while_a_dependency_is_unavailable(models: ServedModels, monkeypatch: pytest.MonkeyPatch) -> None:
    kafka, finish = Kafka(models, Slow()), QueueAnswers.finish
    outage = iter([True] * 12)

    def failing(queued: QueueAnswers, *args: Any) -> Any:
        if next(outage, False):
            raise UnavailableError("Kafka", "it does not answer")
        return finish(queued, *args)

    monkeypatch.setattr(QueueAnswers, "finish", failing)
    for number in range(4):
        kafka.send(request(number, "slow"))
    for _ in range(40):
        kafka.turn()
        wait_scored(kafka)
    assert kafka.refused == []
    assert [each for _, each, _ in kafka.answers] == ["r0", "r1", "r2", "r3"]


def test_a_reader_that_fails_is_replaced_and_delays_no_other_model(
    models: ServedModels, caplog: pytest.LogCaptureFixture
) -> None:
    faults, closed = iter([True] * 3), list[Reader]()

    class Faulty(Reader):
        def read(self, most: int) -> Sequence[Any]:
            assert self not in closed
            found = super().read(most)
            if found and next(faults, False):
                raise UnavailableError("Kafka", "it refuses the read")  # these messages are lost
            return found

        def close(self) -> None:
            closed.append(self)

    kafka = Kafka(models, Slow(), reader=Faulty)
    for number, model in enumerate(["slow", "quick"] * 4):
        kafka.send(request(number, model))
    for number in range(8, 20):
        kafka.send(request(number, "quick"))
        kafka.turn()
        wait_scored(kafka)
    assert len(closed) == 3
    assert [each for model, each, _ in kafka.answers if model == "slow"] == ["r0", "r2", "r4", "r6"]
    assert [each for model, each, _ in kafka.answers if model == "quick"] == [
        f"r{number}" for number in (1, 3, 5, 7, *range(8, 20))
    ]
    warned = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [record.__dict__["attempt"] for record in warned] == [1, 2, 3]
    assert all("slow" in record.getMessage() and "it refuses the read" in record.getMessage() for record in warned)


def test_a_reader_that_fails_is_not_replaced_again_at_once(models: ServedModels) -> None:
    opened = list[Reader]()

    class Failing(Reader):
        def assign(self, offsets: Mapping[int, int]) -> None:
            if self not in opened:
                opened.append(self)
            super().assign(offsets)

        def read(self, _: int) -> Sequence[Any]:
            raise UnavailableError("Kafka", "it refuses the read")

    kafka = Kafka(models, Slow(), retry_after=60.0, reader=Failing)
    kafka.send(request(0, "slow"))
    for _ in range(10):
        kafka.turn()
    assert len(opened) == 2, "the longest time is 5 s, so no second failure occurs within this test"
    kafka.restart()
    kafka.turn()
    assert kafka.queues.active


def test_a_queue_that_fails_is_tried_again_later(models: ServedModels, monkeypatch: pytest.MonkeyPatch) -> None:
    kafka, tries = Kafka(models, Slow(), retry_after=60.0), list[int]()
    # The longest time is 5 s, so no second try occurs within this test.

    def failing(*_: Any) -> Any:
        tries.append(1)
        raise RuntimeError

    monkeypatch.setattr(InferenceService, "infer", failing)
    kafka.send(request(0, "slow"))
    for _ in range(10):
        kafka.turn()
        wait_scored(kafka)
    assert len(tries) == 1


def test_what_a_queue_fails_to_write_is_not_known_as_answered(
    models: ServedModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, keep, stumbles = models.table.find("slow"), RepeatedRequests.keep, iter([True, True])
    models.swap(replace(found, deduplicate=timedelta(minutes=1), revision=found.revision + 1))
    kafka = Kafka(models, Slow())

    def stumbling(repeats: RepeatedRequests, *args: Any) -> None:
        keep(repeats, *args)
        if next(stumbles, False):
            raise RuntimeError

    monkeypatch.setattr(RepeatedRequests, "keep", stumbling)
    for number in (1, 2, 1):
        kafka.send(request(number, "slow"))
    for _ in range(10):
        kafka.turn()
        wait_scored(kafka)
    assert Counter(each for _, each, _ in kafka.answers) == {"r1": 2, "r2": 1}
    assert Counter(kafka.logged) == {("slow", "r1"): 1, ("slow", "r2"): 1}
