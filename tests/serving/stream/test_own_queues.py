"""Requests to slow models wait in their own queues. Each is answered once and in order, in spite of faults."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Event, current_thread
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from prometheus_client import REGISTRY
from rondo.chassis.errors import Backoff, UnavailableError
from rondo.chassis.kafka_records import Record, Records
from rondo.contracts.events import logs
from rondo.serving.deployments.pending import PendingDeployments
from rondo.serving.inference.pace import Paces
from rondo.serving.inference.service import InferenceService
from rondo.serving.models.serving_table import ServedModels
from rondo.serving.stream.model_queue import ModelQueue, model_of
from rondo.serving.stream.own_queues import MAX_QUEUES, OwnQueues
from rondo.serving.stream.partitions_kafka import Partitions
from rondo.serving.stream.queue_answers import QueueAnswers
from rondo.serving.stream.queue_positions import MAX_NOTE_BYTES, decode_positions, encode_positions
from rondo.serving.stream.repeated_requests import RepeatedRequests
from rondo.serving.stream.transform import PredictionStream

from tests.serving.builders import NOW, request
from tests.serving.stream.committed import Committed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rondo.serving.inference.scored import Duration
    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel

TOPIC = "predictions.requested"


@dataclass(frozen=True)
class Message:
    """A message as confluent-kafka hands it out."""

    content: bytes | None
    at: int
    of: int = 0
    name: bytes | None = b"k"

    def value(self) -> bytes | None:
        return self.content

    def key(self) -> bytes | None:
        return self.name

    def headers(self) -> None:
        return None

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return self.of

    def offset(self) -> int:
        return self.at

    def timestamp(self) -> tuple[int, int]:
        return 1, int(time.time() * 1000) - 5_000


class Reader:
    """Implements `Requests` on lists of messages."""

    def __init__(self, topic: Mapping[int, list[Message]]) -> None:
        self._topic, self._next = topic, dict[int, int]()

    def assign(self, offsets: Mapping[int, int]) -> None:
        self._next = dict(offsets)

    def read(self, most: int) -> Sequence[Any]:
        found: list[Message] = []
        for partition, offset in self._next.items():
            mine = self._topic[partition][offset : offset + min(most, 3)]
            self._next[partition] += len(mine)
            found += mine
        return found

    def close(self) -> None:
        self._next.clear()


class Drawn(Paces):
    """A random pace: each model is expected to score up to three rows in time, drawn at each call."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = random.Random(seed)

    def rows(self, served: ServedModel, _: float) -> int:
        return self.random.randrange(4) if served.model != "quick" else 1_000

    def is_slow(self, _: ServedModel, __: float) -> bool:
        return self.random.random() < 0.5


async def never(_: str, __: bytes) -> None:
    raise AssertionError


@dataclass
class Kafka:
    """A topic with two partitions, the offsets and notes that are committed, and what was written with them."""

    models: ServedModels
    paces: Paces
    seconds: float = 60.0
    retry_after: float = 0.0
    reader: Callable[[Mapping[int, list[Message]]], Reader] = Reader
    answered_before: Committed = field(default_factory=Committed)
    pending: PendingDeployments = field(default_factory=PendingDeployments)
    topic: dict[int, list[Message]] = field(default_factory=lambda: {0: [], 1: []})
    committed: dict[int, tuple[int, str]] = field(default_factory=dict)
    answers: list[tuple[str, str, bytes | None]] = field(default_factory=list)
    logged: list[tuple[str, str]] = field(default_factory=list)
    refused: list[bytes | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        service = InferenceService(never, lambda: NOW)
        self.queues = OwnQueues(
            lambda _: self.reader(self.topic), self.paces, self.seconds, backoff=Backoff(first=self.retry_after)
        )
        repeats = RepeatedRequests(self.answered_before, 1_000, lambda: NOW)
        counted = Partitions(lambda _: 2)
        self.stream = PredictionStream(self.models, self.pending, service, counted, repeats, self.queues, "serving")
        self.restart()

    def send(self, content: bytes, partition: int = 0, key: bytes = b"k") -> None:
        mine = self.topic[partition]
        mine.append(Message(content, len(mine), partition, key))

    def restart(self) -> None:
        """Start as a new owner of the partitions."""
        self.stream.forget()
        self.known = {partition: self.committed.get(partition, (-1, "")) for partition in self.topic}
        self.queues.restore({(TOPIC, partition): known for partition, known in self.known.items()})
        self.read = {partition: max(offset, 0) for partition, (offset, _) in self.known.items()}

    def move(self, partition: int) -> None:
        """Lose a partition, and get it back. Its owner in between commits nothing."""
        self.stream.forget([(TOPIC, partition)])
        self.known[partition] = self.committed.get(partition, (-1, ""))
        self.queues.restore({(TOPIC, partition): self.known[partition]})
        self.read[partition] = max(self.known[partition][0], 0)

    def turn(self, most: int = 5, *, crash: bool = False) -> None:
        """Answer a micro-batch, and commit it unless this is a crash."""
        messages: list[Any] = []
        for partition, offset in self.read.items():
            mine = self.topic[partition][offset : offset + most]
            self.read[partition] += len(mine)
            messages += mine
        output = self.stream(messages)
        if crash:
            output.aborted()
            self.restart()
            return
        for partition in {message.partition() for message in messages}:
            self.known[partition] = self.read[partition], self.known[partition][1]
        for (_, partition), note in output.notes.items():
            self.known[partition] = self.known[partition][0], note
            assert self.known[partition][0] >= 0
        changed = {message.partition() for message in messages} | {partition for _, partition in output.notes}
        self.committed |= {partition: self.known[partition] for partition in changed}
        for record in output.records:
            self._write(record)
        output.committed()

    def _write(self, record: Record | Records) -> None:
        if isinstance(record, Records):
            for key, value in zip(record.keys, record.values, strict=True):
                answer = orjson.loads(value)
                self.answers.append((answer["model"], answer["id"], key))
        elif record.topic == logs.PREDICTIONS_LOG:
            batch = logs.decode(record.value or b"")
            self.logged += [(logs.metadata(batch)["model"], each) for each in batch.column("id").to_pylist()]
        else:
            self.refused.append(record.value)

    def finish(self, crashes: random.Random | None = None) -> None:
        """Take turns until all requests are answered, and two more."""
        until = time.monotonic() + 30
        while any(self.read[each] < len(self.topic[each]) for each in self.topic) or self.queues.active:
            assert time.monotonic() < until
            if crashes is not None and crashes.random() < 0.2:
                self.move(crashes.randrange(2))
            self.turn(crash=crashes is not None and crashes.random() < 0.1)
            if crashes is None or crashes.random() < 0.5:
                # turns are much faster than threads, so otherwise no inference would end before a crash
                wait_scored(self)
        self.turn()
        self.turn()


@pytest.fixture
def models(version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]) -> ServedModels:
    models = ServedModels()
    for name in ("quick", "slow", "slower"):
        models.swap(serve(version(model=name)))
    return models


def fill(kafka: Kafka, chance: random.Random, count: int) -> tuple[Counter[tuple[str, str]], list[bytes]]:
    """Send requests. Return the ids that expect an answer, by model, and the requests that expect a refusal."""
    answered: Counter[tuple[str, str]] = Counter()
    refused: list[bytes] = []
    for number in range(count):
        model, key = chance.choice(["quick", "slow", "slower"]), b"%d" % chance.randrange(4)
        if chance.random() < 0.15:
            content = chance.choice([b"spoiled %d" % number, request(number, model, features={"distance": "far"})])
            refused.append(content)
        else:
            content = request(number, model)
            answered[model, f"r{number}"] = 1
        kafka.send(content, partition=key[0] % 2, key=key)
    return answered, refused


@pytest.mark.medium
@pytest.mark.parametrize("seed", range(12))
def test_each_request_is_answered_or_refused_once_and_in_order_through_crashes_and_moves(
    models: ServedModels, seed: int
) -> None:
    kafka, chance = Kafka(models, Drawn(seed)), random.Random(seed)
    answered, refused = fill(kafka, chance, 120)
    kafka.finish(crashes=chance)
    assert Counter((model, each) for model, each, _ in kafka.answers) == answered
    assert Counter(kafka.logged) == answered
    assert Counter(kafka.refused) == Counter(refused)
    by_key: dict[tuple[str, bytes | None], list[int]] = defaultdict(list)
    for model, each, key in kafka.answers:
        by_key[model, key].append(int(each[1:]))
    assert all(numbers == sorted(numbers) for numbers in by_key.values())
    assert kafka.committed == {partition: (len(kafka.topic[partition]), "") for partition in kafka.topic}


class Slow(Paces):
    """A pace at which no row of `slow` is scored in time, and three in a run of its queue, until it is `released`."""

    released = False

    def rows(self, served: ServedModel, seconds: float) -> int:
        if self.released or served.model != "slow":
            return 1_000
        return 3 if seconds < 1 else 0

    def is_slow(self, served: ServedModel, _: float) -> bool:
        return not self.released and served.model == "slow"


def wait_scored(kafka: Kafka) -> None:
    """Wait until the runs of the queues are scored, and pending answers are read back."""
    for reading in kafka.stream.repeats._readings.values():
        if not kafka.answered_before.blocked:
            reading.answers.result(10)
    for queue in kafka.queues._queues.values():
        if queue.running is not None:
            queue.running.inference.exception(10)


def test_others_are_answered_at_once_and_the_note_says_what_is_not(models: ServedModels) -> None:
    kafka = Kafka(models, Slow())
    for number, model in enumerate(["quick", "slow", "quick", "slow", "quick"]):
        kafka.send(request(number, model))
    kafka.turn()
    assert [each for _, each, _ in kafka.answers] == ["r0", "r2", "r4"]
    assert kafka.committed == {0: (5, encode_positions({"slow": 1}))}
    wait_scored(kafka)
    kafka.turn()
    assert kafka.committed[0] == (5, encode_positions({"slow": 1})), "the queue reads after the turn it was made in"
    wait_scored(kafka)
    for _ in range(3):
        kafka.turn()
        wait_scored(kafka)
    assert [each for _, each, _ in kafka.answers] == ["r0", "r2", "r4", "r1", "r3"]
    assert kafka.committed[0] == (5, encode_positions({"slow": 5})), "a slow model keeps its queue"
    kafka.paces.released = True  # type: ignore[attr-defined]
    kafka.turn()
    assert kafka.committed[0] == (5, "")
    assert not kafka.queues.active


def test_a_single_model_has_no_queue(version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]) -> None:
    models = ServedModels()
    models.swap(serve(version(model="slow")))
    kafka = Kafka(models, Slow())
    kafka.send(request(1, "slow"))
    kafka.turn()
    assert [each for _, each, _ in kafka.answers] == ["r1"]


def test_repeated_requests_to_a_slow_model_get_the_first_answer(models: ServedModels) -> None:
    found = models.table.find("slow")
    models.swap(replace(found, deduplicate=timedelta(minutes=1), revision=found.revision + 1))
    kafka = Kafka(models, Drawn(1))
    for number in (1, 2, 1, 3, 2, 1, 4, 1):
        kafka.send(request(number, "slow"))
    kafka.finish()
    assert Counter(each for _, each, _ in kafka.answers) == {"r1": 4, "r2": 2, "r3": 1, "r4": 1}
    assert Counter(kafka.logged) == {("slow", f"r{number}"): 1 for number in range(1, 5)}


def test_only_a_model_and_a_partition_whose_answers_are_being_read_back_wait_for_them(models: ServedModels) -> None:
    found = models.table.find("slow")
    models.swap(replace(found, deduplicate=timedelta(minutes=1), revision=found.revision + 1))
    kafka = Kafka(models, Paces(), seconds=0.01)
    kafka.answered_before.blocked[0] = Event()
    made = b'{"model":"slow","id":"r2"}'
    kafka.answered_before.add("r2", made, NOW.timestamp(), model="slow")
    for partition, model, number in ((0, "slow", 1), (0, "quick", 2), (1, "slow", 3), (0, "slow", 2), (1, "quick", 4)):
        kafka.send(request(number, model), partition)
    for _ in range(3):
        kafka.turn()
        wait_scored(kafka)
    assert sorted(kafka.answers) == [("quick", "r2", b"k"), ("quick", "r4", b"k"), ("slow", "r3", b"k")]
    assert kafka.committed == {0: (3, encode_positions({"slow": 0})), 1: (2, "")}
    kafka.send(request(5, "slow"))
    kafka.answered_before.blocked[0].set()
    kafka.finish()
    assert Counter(each for model, each, _ in kafka.answers if model == "slow") == dict.fromkeys(
        ("r1", "r2", "r3", "r5"), 1
    )
    assert Counter(kafka.logged)["slow", "r2"] == 0, "it was answered before"
    assert kafka.committed == {0: (4, ""), 1: (2, "")}


@pytest.mark.medium
@pytest.mark.parametrize("seed", range(6))
def test_requests_are_answered_once_while_answers_are_read_back_again_and_again(
    models: ServedModels, seed: int
) -> None:
    for name in ("slow", "slower"):
        found = models.table.find(name)
        models.swap(replace(found, deduplicate=timedelta(minutes=1), revision=found.revision + 1))
    kafka, chance = Kafka(models, Drawn(seed), seconds=0.0), random.Random(seed)
    answered, refused = fill(kafka, chance, 60)
    kafka.finish(crashes=chance)
    assert Counter((model, each) for model, each, _ in kafka.answers) == answered
    assert Counter(kafka.logged) == answered
    assert Counter(kafka.refused) == Counter(refused)
    assert kafka.committed == {partition: (len(kafka.topic[partition]), "") for partition in kafka.topic}


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


class Set(Paces):
    """The seconds per row of each digest are those of the warm-up, whatever an inference takes."""

    def measured(self, served: ServedModel, durations: Iterable[Duration]) -> None:
        super().measured(served, [replace(each, seconds=each.version.row_seconds * each.rows) for each in durations])


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


def test_a_partition_that_leaves_takes_its_requests_with_it_and_no_other_waits_anew(models: ServedModels) -> None:
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
