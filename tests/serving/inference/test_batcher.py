"""Requests that wait at the same time share one inference and one record. Each gets its own answer or error."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.chassis.errors import UnavailableError
from rondo.serving.errors import LogUnavailableError, OverloadedError, RequestRefusedError
from rondo.serving.inference import batcher
from rondo.serving.inference.service import InferenceService
from rondo.serving.models.loaded_version import ServedModel

from tests.serving.inference.requests import NOW, Topic, all_of, rows_of, scores

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rondo.serving.models.loaded_version import LoadedVersion
    from rondo.serving.requests.rows import Rows


async def test_requests_of_one_turn_share_a_record_and_get_their_own_answers(served: ServedModel) -> None:
    topic = Topic()
    service = InferenceService(topic.publish, lambda: NOW)
    found = await all_of(service, served, [rows_of("a", 1), rows_of("b", 2, 3), rows_of("c", 4)])
    assert [scores(each, n) for each, n in zip(found, (1, 2, 1), strict=True)] == [[1], [2, 3], [4]]
    assert topic.records == [["a/0", "b/0", "b/1", "c/0"]]


async def test_what_comes_while_a_record_is_on_its_way_waits_and_shares_the_next(served: ServedModel) -> None:
    topic = Topic()
    topic.free.clear()
    service = InferenceService(topic.publish, lambda: NOW)
    first = asyncio.create_task(service.infer_logged(served, rows_of("a", 1)))
    await topic.asked.wait()
    later = asyncio.create_task(all_of(service, served, [rows_of("b", 2), rows_of("c", 3)]))
    await asyncio.sleep(0)
    topic.free.set()
    assert scores(await first, 1) == [1]
    assert [scores(each, 1) for each in await later] == [[2], [3]]
    assert topic.records == [["a/0"], ["b/0", "c/0"]]


async def test_who_is_answered_and_asks_again_at_once_shares_the_next_record_with_those_who_wait(
    served: ServedModel,
) -> None:
    topic = Topic()
    topic.free.clear()
    service = InferenceService(topic.publish, lambda: NOW)

    async def ask_twice() -> None:
        await service.infer_logged(served, rows_of("a", 1))
        await service.infer_logged(served, rows_of("c", 3))

    twice = asyncio.create_task(ask_twice())
    await topic.asked.wait()
    later = asyncio.create_task(service.infer_logged(served, rows_of("b", 2)))
    await asyncio.sleep(0)
    topic.free.set()
    await asyncio.gather(twice, later)
    assert topic.records == [["a/0"], ["b/0", "c/0"]]


@pytest.mark.medium
@given(
    st.lists(st.lists(st.sampled_from([1.0, 2.0, 3.5, 1e39]), min_size=1, max_size=5), min_size=1, max_size=8),
    st.booleans(),
)
async def test_a_refused_row_fails_its_request_alone_and_nothing_of_it_is_logged(
    version: Callable[..., LoadedVersion],
    distances: list[list[float]],
    two: bool,  # noqa: FBT001 - drawn
) -> None:
    versions = (version(1), version(2, 10.0)) if two else (version(1),)
    served = ServedModel("delay", 1, versions, (0.5, 0.5) if two else (1.0,))
    topic = Topic()
    service = InferenceService(topic.publish, lambda: NOW)
    requests = [rows_of(f"r{number}", *values) for number, values in enumerate(distances)]
    found = await all_of(service, served, requests)
    logged = Counter(row for record in topic.records for row in record)
    for values, request, got in zip(distances, requests, found, strict=True):
        if 1e39 in values:
            assert isinstance(got, RequestRefusedError)
            assert f"at row {values.index(1e39)}" in str(got)
            assert not any(row in logged for row in request.ids)
        else:
            factors = [10.0 if served.version_for(row).model_version == 2 else 1.0 for row in request.ids]
            assert scores(got, len(values)) == [v * f for v, f in zip(values, factors, strict=True)]
            assert [logged[row] for row in request.ids] == [1] * len(values)


class Failing:
    """A model that fails on every row."""

    def score(self, columns: Mapping[str, Any], /) -> Any:
        raise RuntimeError(sorted(columns))


async def test_of_requests_that_the_model_fails_on_the_log_has_the_number_alone(served: ServedModel) -> None:
    topic = Topic()
    service = InferenceService(topic.publish, lambda: NOW)
    failing = replace(served, versions=(replace(served.versions[0], scorer=Failing()),))
    found = await all_of(service, failing, [rows_of("a", 1, 2)])
    assert [each.code for each in found] == ["no_prediction"]
    assert topic.records == [[]]
    assert topic.failed == 2


async def test_a_log_that_is_not_taken_fails_all_of_its_requests_and_no_later_one(served: ServedModel) -> None:
    topic = Topic()
    topic.failure = UnavailableError("the inference log", "Kafka sleeps")
    service = InferenceService(topic.publish, lambda: NOW)
    found = await all_of(service, served, [rows_of("a", 1), rows_of("b", 2)])
    assert [each.why for each in found] == ["Kafka sleeps"] * 2
    assert [type(each) for each in found] == [LogUnavailableError] * 2
    # Requests that waited for the next micro-batch were not scored, and are not in the log.
    found = await all_of(service, served, [rows_of("a", *range(200)), rows_of("b", *range(200))])
    assert [type(each) for each in found] == [LogUnavailableError, UnavailableError]
    topic.failure = None
    assert scores(await service.infer_logged(served, rows_of("c", 3)), 1) == [3]


async def test_a_log_that_is_not_taken_fails_what_waits_too_and_nothing_of_it_is_logged(served: ServedModel) -> None:
    topic = Topic()
    topic.free.clear()
    service = InferenceService(topic.publish, lambda: NOW)
    first = asyncio.create_task(service.infer_logged(served, rows_of("a", 1)))
    await topic.asked.wait()
    waiting = asyncio.create_task(all_of(service, served, [rows_of(f"{n}", *range(200)) for n in range(3)]))
    await asyncio.sleep(0)
    topic.failure = UnavailableError("the inference log", "Kafka sleeps")
    topic.free.set()
    await asyncio.wait([first])
    topic.failure = None
    assert [getattr(each, "why", None) for each in await waiting] == ["Kafka sleeps"] * 3
    assert str(first.exception()) == str(UnavailableError("the inference log", "Kafka sleeps"))
    assert scores(await service.infer_logged(served, rows_of("later", 3)), 1) == [3]
    assert topic.records == [["later/0"]]


async def test_waiting_requests_and_bytes_are_bounded(served: ServedModel) -> None:
    topic = Topic()
    topic.free.clear()
    service = InferenceService(topic.publish, lambda: NOW)
    half = batcher.MAX_BYTES // 2
    waiting = [asyncio.create_task(service.infer_logged(served, rows_of(f"{n}", n), size=half)) for n in range(2)]
    await topic.asked.wait()
    with pytest.raises(OverloadedError) as caught:
        await service.infer_logged(served, rows_of("more", 1), size=1)
    assert (str(caught.value).split()[0], caught.value.retry_seconds) == ("2", 1)
    topic.free.set()
    await asyncio.gather(*waiting)
    await service.infer_logged(served, rows_of("more", 1), size=1)


async def test_a_request_that_is_not_taken_may_come_again_when_those_that_wait_are_done(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = Topic()
    service = InferenceService(topic.publish, lambda: NOW)
    # A micro-batch takes eight seconds.
    clock = SimpleNamespace(monotonic=itertools.count(0.0, 8.0).__next__, thread_time=time.thread_time)
    monkeypatch.setattr(batcher, "time", clock)
    monkeypatch.setattr(batcher, "MAX_REQUESTS", 6)
    await all_of(service, served, [rows_of("a", 1), rows_of("b", 1)])
    topic.free.clear()
    waiting = [asyncio.create_task(service.infer_logged(served, rows_of(f"{n}", n))) for n in range(6)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError) as caught:
        await service.infer_logged(served, rows_of("more", 1))
    assert caught.value.retry_seconds == 6 * 8 / 2
    topic.free.set()
    await asyncio.gather(*waiting)
    monkeypatch.setattr(batcher, "MAX_REQUESTS", 0)
    with pytest.raises(OverloadedError) as caught:
        await service.infer_logged(served, rows_of("more", 1))
    assert caught.value.retry_seconds == 1


async def test_a_micro_batch_has_a_bounded_number_of_rows(served: ServedModel) -> None:
    topic = Topic()
    service = InferenceService(topic.publish, lambda: NOW)
    await all_of(service, served, [rows_of(f"{n}", *range(100)) for n in range(5)])
    assert [len(record) for record in topic.records] == [200, 200, 100]


@pytest.mark.parametrize("broken", ["b", "abc"])
async def test_a_fault_of_ours_fails_the_requests_that_meet_it_alone(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    topic, infer = Topic(), InferenceService._infer_whole
    service = InferenceService(topic.publish, lambda: NOW)

    def failing(self: InferenceService, served: ServedModel, rows: Rows, *more: Any) -> Any:
        if any(row[0] in broken for row in rows.ids):
            raise ZeroDivisionError
        return infer(self, served, rows, *more)

    monkeypatch.setattr(InferenceService, "_infer_whole", failing)
    found = await all_of(service, served, [rows_of(name, 1) for name in "abc"])
    assert [isinstance(each, ZeroDivisionError) for each in found] == [name in broken for name in "abc"]
    assert sorted(row for record in topic.records for row in record) == [f"{n}/0" for n in "abc" if n not in broken]


@pytest.mark.parametrize("failure", [None, UnavailableError("the inference log", "Kafka sleeps"), KeyError()])
async def test_an_answer_that_can_not_be_sent_keeps_none_from_its_neighbours(
    served: ServedModel, caplog: pytest.LogCaptureFixture, failure: Exception | None
) -> None:
    topic, settled = Topic(), dict[str, Any]()
    topic.failure = failure
    service = InferenceService(topic.publish, lambda: NOW)

    def submit(name: str, *distances: float) -> None:
        def settle(result: Any) -> None:
            settled[name] = result
            if name != "c":
                raise ZeroDivisionError

        service.submit(batcher.Request(served, rows_of(name, *distances), None, 10, lambda _: "answered", settle))

    submit("a", 1)
    submit("b", 1e39)
    submit("c", 1)
    async with asyncio.timeout(10):
        while len(settled) < 3:  # noqa: ASYNC110 - the batcher has no event
            await asyncio.sleep(0)
    assert isinstance(settled.pop("b"), RequestRefusedError)
    assert {name: str(each) for name, each in settled.items()} == dict.fromkeys("ac", str(failure or "answered"))
    assert [each.exc_info[0] for each in caplog.records if each.exc_info] == [ZeroDivisionError] * 2
    topic.failure = None
    assert scores(await service.infer_logged(served, rows_of("later", 3)), 1) == [3]


async def test_an_answer_that_can_not_be_encoded_keeps_none_from_its_neighbours(served: ServedModel) -> None:
    topic, settled = Topic(), dict[str, Any]()
    service = InferenceService(topic.publish, lambda: NOW)

    def submit(name: str, encode: Callable[[Any], Any]) -> None:
        def settle(result: Any) -> None:
            settled[name] = result

        service.submit(batcher.Request(served, rows_of(name, 1), None, 10, encode, settle))

    submit("a", lambda _: 1 / 0)
    submit("b", lambda _: "answered")
    async with asyncio.timeout(10):
        while len(settled) < 2:  # noqa: ASYNC110 - the batcher has no event
            await asyncio.sleep(0)
    assert isinstance(settled["a"], ZeroDivisionError)
    assert settled["b"] == "answered"
    assert topic.records == [["a/0", "b/0"]]


class SlowForMany:
    """A model that takes 10 ms of CPU time for each row after the first. It records the threads on which it ran."""

    def __init__(self, version: LoadedVersion) -> None:
        self._scorer = version.scorer
        self.threads: list[int] = []

    def score(self, columns: Mapping[str, Any]) -> Any:
        rows, began = len(columns["distance"]), time.thread_time()
        while time.thread_time() - began < (rows - 1) / 100:
            pass
        self.threads.append(threading.get_ident())
        return self._scorer.score(columns)


@pytest.mark.medium
async def test_a_micro_batch_is_on_the_loop_only_if_one_of_its_size_was_fast(
    version: Callable[..., LoadedVersion],
) -> None:
    mine = version(1)
    model = SlowForMany(mine)
    served = ServedModel("delay", 1, (replace(mine, scorer=model),), (1.0,))
    service = InferenceService(Topic().publish, lambda: NOW)
    for count in (1, 1, 1, 8, 1, 8):
        await service.infer_logged(served, rows_of("a", *range(count)))
    loop = threading.get_ident()
    assert [thread == loop for thread in model.threads[2:]] == [True, False, True, False]
