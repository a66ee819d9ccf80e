"""Models get a queue when they are slow, and leave it when they are fast again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from threading import Event, current_thread
from typing import TYPE_CHECKING, Any

import pytest
from rondo.serving.inference.pace import Paces
from rondo.serving.inference.service import InferenceService
from rondo.serving.models.serving_table import ServedModels
from rondo.serving.stream.queue_positions import encode_positions

from tests.serving.builders import request
from tests.serving.stream.queue_harness import Kafka, Set, Slow, wait_scored

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel


def test_a_single_model_has_no_queue(version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]) -> None:
    models = ServedModels()
    models.swap(serve(version(model="slow")))
    kafka = Kafka(models, Slow())
    kafka.send(request(1, "slow"))
    kafka.turn()
    assert [each for _, each, _ in kafka.answers] == ["r1"]


def test_a_queue_waits_for_the_first_version_of_its_model(
    models: ServedModels, version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]
) -> None:
    kafka = Kafka(models, Paces())
    kafka.pending.add("late", 1)
    kafka.pending.add("refused", 1)
    for number in range(6):
        kafka.send(request(number, ["late", "refused", "quick"][number % 3]))
    kafka.committed = {0: (5, encode_positions({"late": 0, "refused": 0})), 1: (0, "")}
    kafka.restart()
    for _ in range(3):
        kafka.turn()
        wait_scored(kafka)
    assert kafka.refused == []
    models.swap(serve(version(model="late")))
    kafka.pending.resolve("late")
    kafka.pending.resolve("refused")
    kafka.finish()
    assert [each for _, each, _ in kafka.answers if each != "r5"] == ["r0", "r3"]
    assert kafka.refused == [request(1, "refused"), request(4, "refused")]


def test_a_run_that_began_before_a_change_of_windows_begins_again(
    models: ServedModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka, infer, released, begun = Kafka(models, Slow()), InferenceService.infer, Event(), Event()

    def blocked(*args: Any) -> Any:
        begun.set()
        assert released.wait(10)
        return infer(*args)

    monkeypatch.setattr(InferenceService, "infer", blocked)
    kafka.send(request(1, "slow"))
    while not begun.is_set():
        kafka.turn()
    found = models.table.find("slow")
    models.swap(replace(found, deduplicate=timedelta(minutes=1), revision=found.revision + 1))
    kafka.send(request(1, "slow"))
    kafka.turn()
    released.set()
    for _ in range(8):
        wait_scored(kafka)
        kafka.turn()
    assert [each for _, each, _ in kafka.answers] == ["r1", "r1"]
    assert kafka.logged == [("slow", "r1")]
    kafka.queues.close()
    assert not models.table.leases


def test_a_busy_model_that_is_quick_again_leaves_its_queue(
    models: ServedModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka, infer, released = Kafka(models, paces := Slow()), InferenceService.infer, Event()

    def blocked(*args: Any) -> Any:
        if current_thread().name.startswith("queue-inference"):
            assert released.wait(10)
        return infer(*args)

    monkeypatch.setattr(InferenceService, "infer", blocked)
    for number in range(20):
        kafka.send(request(number, "slow"))
        kafka.turn()
        # In every second turn a run has not ended, so that the stream reads past a request during each run.
        if number % 2:
            released.set()
            wait_scored(kafka)
            released.clear()
        paces.released = number >= 3
    assert not kafka.queues.active
    assert [each for _, each, _ in kafka.answers] == [f"r{number}" for number in range(20)]
    assert kafka.committed[0] == (20, "")


def test_a_row_that_takes_more_than_half_of_the_time_is_scored_on_another_thread(
    models: ServedModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    infer, threads = InferenceService.infer, dict[str, str]()

    def recorded(service: InferenceService, served: ServedModel, rows: Any) -> Any:
        threads.update(dict.fromkeys(rows.ids, current_thread().name))
        return infer(service, served, rows)

    monkeypatch.setattr(InferenceService, "infer", recorded)
    found = models.table.find("slow")
    models.swap(replace(found, versions=(replace(found.versions[0], row_seconds=40.0),)))
    kafka = Kafka(models, Set(), seconds=60.0)
    for number in range(3):
        kafka.send(request(number, "slow"))
    kafka.committed = {0: (3, encode_positions({"slow": 0}))}
    kafka.restart()
    kafka.finish()
    assert [each for _, each, _ in kafka.answers] == ["r0", "r1", "r2"]
    assert {each: name.split("_")[0] for each, name in threads.items()} == dict.fromkeys(threads, "queue-inference")
    assert kafka.committed[0] == (3, ""), "it has left its queue"


@pytest.mark.parametrize("withdrawn", [True, False])
def test_a_model_leaves_its_queue_if_its_slow_version_serves_no_more(
    models: ServedModels,
    version: Callable[..., LoadedVersion],
    withdrawn: bool,  # noqa: FBT001
) -> None:
    found = models.table.find("slow")
    models.swap(found := replace(found, versions=(replace(found.versions[0], row_seconds=100.0),)))
    kafka = Kafka(models, Set())
    for number in range(2):
        kafka.send(request(number, "slow"))
    for _ in range(8):
        kafka.turn()
        wait_scored(kafka)
    assert [each for _, each, _ in kafka.answers] == ["r0", "r1"]
    models.swap(replace(found, revision=found.revision + 1))
    kafka.turn()
    assert kafka.queues.active, "another revision of the same version is as slow"
    if withdrawn:
        models.withdraw("slow", found.revision + 2, "it was removed")
    else:
        models.swap(replace(found, versions=(version(2, 2.0, model="slow"),), revision=found.revision + 2))
    kafka.turn()
    assert not kafka.queues.active
    assert kafka.committed[0] == (2, "")


def test_an_invalid_request_does_not_make_a_slow_model_fast(models: ServedModels) -> None:
    found = models.table.find("slow")
    models.swap(replace(found, versions=(replace(found.versions[0], row_seconds=100.0),)))
    kafka, invalid = Kafka(models, Set()), request(1, "slow", features={"distance": 1e39, "night": False})
    for content in (request(0, "slow"), invalid, request(2, "slow"), invalid):
        kafka.send(content)
        for _ in range(6):
            kafka.turn()
            wait_scored(kafka)
        assert kafka.committed[0] == (len(kafka.topic[0]), encode_positions({"slow": len(kafka.topic[0])}))
    assert kafka.refused == [invalid, invalid]
    assert [each for _, each, _ in kafka.answers] == ["r0", "r2"]


def test_a_model_with_a_slow_canary_has_a_queue(
    models: ServedModels, version: Callable[..., LoadedVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    infer, threads = InferenceService.infer, list[str]()

    def recorded(service: InferenceService, served: ServedModel, rows: Any) -> Any:
        threads.append(current_thread().name)
        return infer(service, served, rows)

    monkeypatch.setattr(InferenceService, "infer", recorded)
    found, slow = models.table.find("slow"), replace(version(2, 2.0, model="slow"), row_seconds=100.0)
    models.swap(replace(found, versions=(slow, *found.versions), shares=(0.05, 0.95)))
    kafka = Kafka(models, Set())
    for number in range(9):
        kafka.send(request(number, "slow"))
    for _ in range(30):
        kafka.turn()
        wait_scored(kafka)
    assert [each for _, each, _ in kafka.answers] == [f"r{number}" for number in range(9)]
    assert {name.split("_")[0] for name in threads} == {"queue-inference"}
    assert kafka.queues.active
