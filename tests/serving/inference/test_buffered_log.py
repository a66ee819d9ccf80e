"""With `serving.log: buffered` an answer does not wait for Kafka.

Its log follows, joined with those of other requests.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY
from rondo.chassis.errors import UnavailableError
from rondo.contracts.vocabularies import RouteRole
from rondo.serving.errors import OverloadedError, RequestRefusedError
from rondo.serving.inference import batcher
from rondo.serving.inference.service import InferenceService
from rondo.serving.models.loaded_version import Compared, ServedModel

from tests.serving.inference.requests import NOW, Topic, all_of, rows_of, scores

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.models.loaded_version import LoadedVersion


@pytest.fixture
def served(version: Callable[..., LoadedVersion]) -> ServedModel:
    return ServedModel("delay", 1, (version(1),), (1.0,), log_buffered=True)


@pytest.fixture
def compared(version: Callable[..., LoadedVersion]) -> ServedModel:
    """Return a canary that answers half of the requests, with a primary that scores all of them."""
    primary, canary = version(1), version(2, 10.0).in_role(RouteRole.CANARY)
    both = Compared(primary, canary, canary.in_role(RouteRole.SHADOW), all_rows=True)
    return ServedModel("delay", 1, (canary, primary), (0.5, 0.5), compared=both, log_buffered=True)


def answered_total() -> float:
    labels = [{"model": "delay", "version": version, "outcome": "answered"} for version in "12"]
    return sum(REGISTRY.get_sample_value("rondo_predictions_total", each) or 0 for each in labels)


def lost() -> float:
    return REGISTRY.get_sample_value("rondo_predictions_lost_log_rows_total", {"model": "delay"}) or 0


async def test_an_answer_does_not_wait_and_its_log_is_one_record_with_its_neighbours(served: ServedModel) -> None:
    topic = Topic()
    topic.free.clear()
    service = InferenceService(topic.publish, lambda: NOW)
    for name in "abc":
        assert scores(await service.infer_logged(served, rows_of(name, 2)), 1) == [2]
    assert topic.records == []
    topic.free.set()
    await service.flush()
    assert topic.records == [["a/0", "b/0", "c/0"]]


async def test_each_version_has_a_record_of_its_own(version: Callable[..., LoadedVersion]) -> None:
    topic = Topic()
    service = InferenceService(topic.publish, lambda: NOW)
    served = ServedModel("delay", 1, (version(1), version(2, 10.0)), (0.5, 0.5), log_buffered=True)
    await all_of(service, served, [rows_of(f"r{n}", 1) for n in range(20)])
    await all_of(service, served, [rows_of(f"s{n}", 1) for n in range(20)])
    await service.flush()
    assert len(topic.records) == 2
    assert sum(map(len, topic.records)) == 40


async def test_all_rows_that_were_sent_are_counted_beside_those_that_were_not(compared: ServedModel) -> None:
    before = answered_total()
    service = InferenceService(Topic().publish, lambda: NOW)
    await all_of(service, compared, [rows_of(f"r{n}", 1) for n in range(20)])
    await service.flush()
    assert answered_total() == before + 20


async def test_what_is_refused_is_neither_logged_nor_counted_as_waiting(served: ServedModel) -> None:
    topic = Topic()
    service = InferenceService(topic.publish, lambda: NOW)
    half = batcher.MAX_BYTES // 2 + 1
    for _ in range(3):
        with pytest.raises(RequestRefusedError):
            await service.infer_logged(served, rows_of("a", 1e39), size=half)
    await service.flush()
    assert topic.records == []


@pytest.mark.medium
async def test_what_waits_for_its_log_is_bounded(served: ServedModel) -> None:
    topic = Topic()
    topic.free.clear()
    service = InferenceService(topic.publish, lambda: NOW)
    half = batcher.MAX_BYTES // 2
    for name in "ab":
        await service.infer_logged(served, rows_of(name, 1), size=half)
    with pytest.raises(OverloadedError):
        await service.infer_logged(served, rows_of("c", 1), size=1)
    topic.free.set()
    await service.flush()
    await service.infer_logged(served, rows_of("d", 1), size=half)
    await service.flush()
    assert sorted(row for record in topic.records for row in record) == ["a/0", "b/0", "d/0"]


@pytest.mark.medium
async def test_a_log_that_kafka_does_not_take_is_lost_and_counted(served: ServedModel) -> None:
    topic, before = Topic(), lost()
    topic.failure = UnavailableError("the inference log", "Kafka sleeps")
    service = InferenceService(topic.publish, lambda: NOW)
    assert scores(await service.infer_logged(served, rows_of("a", 1, 2)), 2) == [1, 2]
    await service.flush()
    assert lost() == before + 2
    topic.failure = None
    await service.infer_logged(served, rows_of("b", 1))
    await service.flush()
    assert topic.records == [["b/0"]]


@pytest.mark.medium
async def test_lost_rows_are_those_that_were_answered(compared: ServedModel) -> None:
    topic, before = Topic(), lost()
    topic.failure = UnavailableError("the inference log", "Kafka sleeps")
    service = InferenceService(topic.publish, lambda: NOW)
    await all_of(service, compared, [rows_of(f"r{n}", 1) for n in range(20)])
    await service.flush()
    assert lost() == before + 20


@pytest.mark.medium
async def test_a_fault_of_ours_is_logged_and_loses_the_rows_that_meet_it_alone(
    served: ServedModel, caplog: pytest.LogCaptureFixture
) -> None:
    topic, before = Topic(), lost()
    topic.free.clear()
    topic.failure = ZeroDivisionError()
    service = InferenceService(topic.publish, lambda: NOW)
    await service.infer_logged(served, rows_of("a", 1, 2))
    await topic.asked.wait()
    await service.infer_logged(served, rows_of("b", 1))
    topic.free.set()
    async with asyncio.timeout(10):
        while lost() == before:  # noqa: ASYNC110 - the next part is written with the topic as it is then
            await asyncio.sleep(0)
    topic.failure = None
    await service.flush()
    assert (topic.records, lost()) == ([["b/0"]], before + 2)
    assert [each.exc_info[0] for each in caplog.records if each.exc_info] == [ZeroDivisionError]


@pytest.mark.medium
async def test_a_version_whose_log_fails_does_not_lose_the_rows_of_another(
    version: Callable[..., LoadedVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError

    topic, before = Topic(), lost()
    service = InferenceService(topic.publish, lambda: NOW)
    served = ServedModel("delay", 1, (version(1), version(2, 10.0)), (0.5, 0.5), log_buffered=True)
    monkeypatch.setattr(served.versions[0].log, "batch", failing)
    await all_of(service, served, [rows_of(f"r{n}", 1) for n in range(20)])
    await service.flush()
    assert 0 < len(topic.records[0]) < 20
    assert lost() == before + 20 - len(topic.records[0])


async def test_a_micro_batch_with_a_request_that_waits_for_its_log_waits_whole(served: ServedModel) -> None:
    topic = Topic()
    topic.free.clear()
    service = InferenceService(topic.publish, lambda: NOW)
    waits = asyncio.create_task(service.infer_logged(replace(served, log_buffered=False), rows_of("a", 1)))
    other = asyncio.create_task(service.infer_logged(served, rows_of("b", 1)))
    await topic.asked.wait()
    assert not waits.done()
    assert not other.done()
    topic.free.set()
    await asyncio.gather(waits, other)
    assert sorted(map(sorted, topic.records)) == [["a/0"], ["b/0"]]
