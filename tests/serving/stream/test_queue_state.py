"""The state of queues: notes in committed offsets, metrics, bounds."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY
from rondo.chassis.errors import UnavailableError
from rondo.serving.inference.pace import Paces
from rondo.serving.stream.model_queue import ModelQueue, model_of
from rondo.serving.stream.own_queues import MAX_QUEUES, OwnQueues
from rondo.serving.stream.queue_answers import QueueAnswers
from rondo.serving.stream.queue_positions import MAX_NOTE_BYTES, decode_positions, encode_positions

from tests.serving.builders import request
from tests.serving.stream.queue_harness import TOPIC, Kafka, Message, Reader, Slow, wait_scored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.serving.models.serving_table import ServedModels


def test_a_failure_to_start_a_queued_request_counts_for_it_and_for_no_message_of_the_stream(
    models: ServedModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka, begin = Kafka(models, Slow()), QueueAnswers.begin

    def failing(queued: QueueAnswers, messages: Sequence[Any]) -> Any:
        if request(1, "slow") in [message.value() for message in messages]:
            message = "stumbled"
            raise RuntimeError(message)
        return begin(queued, messages)

    def dead_letters() -> float:
        labels = {"topic": TOPIC, "exception": "RuntimeError"}
        return REGISTRY.get_sample_value("rondo_dead_letters_total", labels) or 0.0

    before = dead_letters()
    monkeypatch.setattr(QueueAnswers, "begin", failing)
    for number in range(3):
        kafka.send(request(number, "slow"))
    for number in range(3, 20):
        kafka.send(request(number, "quick"))
        kafka.turn(1)
        wait_scored(kafka)
    for _ in range(10):
        kafka.turn(5)
        wait_scored(kafka)
    assert kafka.refused == [request(1, "slow")]
    assert dead_letters() == before + 1
    assert Counter(each for _, each, _ in kafka.answers) == {f"r{number}": 1 for number in range(20) if number != 1}
    kafka.queues.close()
    assert not models.table.leases


def test_the_metric_says_how_old_the_first_request_of_a_queue_is(models: ServedModels) -> None:
    def seconds() -> float:
        return REGISTRY.get_sample_value("rondo_queue_seconds", {"model": "slow"}) or 0.0

    kafka = Kafka(models, Slow())
    kafka.send(request(1, "slow"))
    kafka.turn()
    kafka.queues._measured = 0.0
    kafka.turn()
    assert 5.0 <= seconds() < 60.0
    kafka.restart()
    kafka.stream([])
    kafka.queues.close()
    assert seconds() == 0.0


def test_what_was_lost_to_another_owner_is_dropped(models: ServedModels) -> None:
    kafka = Kafka(models, Slow())
    kafka.send(request(1, "slow"))
    kafka.turn()
    kafka.turn()
    kafka.stream.forget()
    assert not kafka.queues.active
    assert kafka.stream([]).records == []
    kafka.queues.close()
    assert not models.table.leases


def test_a_partition_that_leaves_takes_its_requests_with_it_and_no_other_one_waits_again(models: ServedModels) -> None:
    kafka, pace = Kafka(models, Slow()), Slow()
    kafka.queues.paces = pace
    for number in range(4):
        kafka.send(request(number, "slow"), partition=number % 2)
    kafka.turn()
    kafka.stream.forget([(TOPIC, 0)])
    output = kafka.stream([])
    assert kafka.queues._queues["slow"].positions.keys() == {1}
    assert {partition for _, partition in output.notes} <= {1}
    kafka.stream.forget([(TOPIC, 1)])
    assert kafka.queues.active, "it is called again, to drop the queue"
    kafka.stream([])
    assert not kafka.queues.active
    kafka.queues.close()
    assert not models.table.leases


def test_answers_of_a_partition_that_leaves_during_the_call_have_its_note(models: ServedModels) -> None:
    """Without the note the stream would commit them, and the next owner of the partition would answer again."""
    kafka = Kafka(models, pace := Slow())
    kafka.send(request(1, "slow"), partition=0)
    for _ in range(2):
        kafka.turn()
        wait_scored(kafka)
    kafka.send(request(2, "quick"), partition=1)
    kafka.turn(leaves=0)
    assert kafka.answers == [], "the output is dropped"
    pace.released = True
    kafka.finish()
    assert Counter(each for _, each, _ in kafka.answers) == {"r1": 1, "r2": 1}
    kafka.queues.close()
    assert not models.table.leases


def test_the_names_of_all_models_with_a_queue_fit_into_a_note() -> None:
    positions = {f"{number:03}" + "m" * 60: 2**63 - 1 for number in range(MAX_QUEUES)}
    note = encode_positions(positions)
    assert len(note.encode()) <= MAX_NOTE_BYTES
    assert decode_positions(note) == positions


@pytest.mark.parametrize("note", ["x", "{}", '{"waiting":{"a":"b"}}', '{"waiting":{},"more":1}'])
def test_a_note_of_another_release_stops_the_stream(note: str) -> None:
    with pytest.raises(UnavailableError):
        decode_positions(note)


@pytest.mark.parametrize(
    ("value", "key", "model"),
    [
        (request(1, "slow"), b"k", "slow"),
        (request(1, "slow"), b"k" * 5_000, None),
        (b'{"model":1}', None, None),
        (b"spoiled", None, None),
        (None, None, None),
    ],
)
def test_the_model_of_a_message_is_in_its_bytes(value: bytes | None, key: bytes | None, model: str | None) -> None:
    message: Any = Message(value, 0, name=key)
    assert model_of(message) == model


def test_a_queue_holds_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    topic = {0: [Message(request(number, "slow", pad="x" * 1_000_000), number) for number in range(40)]}
    queue = ModelQueue("slow", Reader(topic))
    queue.add({0: 0})
    for _ in range(20):
        queue.read(100)
    assert 4 <= len(queue.take(100, {0: 40})) <= 8
    queue.read(100)
    assert queue.take(100, {0: 40}), "it continues"


def test_requests_that_are_pending_stop_no_other_partition() -> None:
    topic = {
        0: [Message(request(number, "slow", pad="x" * 1_000_000), number) for number in range(10)],
        1: [Message(request(number, "slow"), number, 1) for number in range(40)],
    }
    queue, taken = ModelQueue("slow", Reader(topic)), list[Any]()
    queue.add({0: 0, 1: 0})
    for _ in range(40):
        queue.read(100)
        taken += queue.take(1, {0: 10, 1: 40}, {0})
    assert [(message.partition(), message.offset()) for message in taken] == [(1, number) for number in range(40)]
    later = list[Any]()
    for _ in range(40):
        queue.read(100)
        later += queue.take(1, {0: 10, 1: 40})
    assert [(message.partition(), message.offset()) for message in later] == [(0, number) for number in range(10)]
    assert queue.advance({0: 10, 1: 40}) == {0, 1}
    assert queue.caught_up({0: 10, 1: 40}) == {0, 1}


def test_the_age_of_a_queue_is_known_while_it_looks_for_its_first_request() -> None:
    queue = ModelQueue("slow", Reader({0: [Message(request(number, "quick"), number) for number in range(9)]}))
    queue.add({0: 0})
    assert queue.oldest({0: 9}) is None
    queue.read(3)
    assert time.time() - (queue.oldest({0: 9}) or 0) == pytest.approx(5, abs=2)
    assert queue.oldest({0: 3}) is None, "the stream has passed no request to the model"


@pytest.mark.parametrize(("seconds", "models", "fit"), [(0.1, 32, True), (0.1, 33, False), (None, 1, False)])
def test_models_get_queues_only_where_all_of_a_micro_batch_could(
    seconds: float | None,
    models: int,
    fit: bool,  # noqa: FBT001
) -> None:
    """A note with more models may be larger than the metadata of an offset."""
    queues = OwnQueues(lambda _: Reader({}), Paces(), seconds)
    queues.wait("m0", [Message(b"{}", 0, 0, b"k")], "it is slow")
    assert queues.fit([f"m{number}" for number in range(models)]) == fit
    queues.close()
