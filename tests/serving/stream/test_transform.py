"""The prediction stream as a transform: any message is answered or refused, and stops no other."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import orjson
import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from rondo.chassis.dead_letters import MAX_KEY_BYTES
from rondo.chassis.errors import UnavailableError
from rondo.chassis.kafka_records import Record, Records
from rondo.contracts.events import logs
from rondo.contracts.events.predictions import PredictionMade
from rondo.contracts.vocabularies import UnknownFields
from rondo.serving.deployments.pending import PendingDeployments
from rondo.serving.errors import RequestRefusedError
from rondo.serving.inference import several_models
from rondo.serving.inference.pace import Paces
from rondo.serving.inference.service import InferenceService
from rondo.serving.models.loaded_version import ServedModel
from rondo.serving.models.serving_table import ServedModels
from rondo.serving.stream.own_queues import OwnQueues
from rondo.serving.stream.partitions_kafka import Partitions
from rondo.serving.stream.repeated_requests import RepeatedRequests
from rondo.serving.stream.telemetry import plausible
from rondo.serving.stream.transform import PredictionStream

from tests.serving.builders import NOW, request
from tests.serving.stream.committed import Committed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from rondo.chassis.stream.transform import Output
    from rondo.serving.models.loaded_version import LoadedVersion

Headers = list[tuple[str, bytes | None]]


class Request:
    """A message as confluent-kafka hands it out."""

    def __init__(
        self, value: bytes | None, key: bytes | None = b"k", headers: Headers | None = None, partition: int = 0,
        stamp: float = 0.0,
    ) -> None:  # fmt: skip
        self._value, self._key, self._headers, self._partition = value, key, headers, partition
        self._stamp = stamp or time.time()

    def value(self) -> bytes | None:
        return self._value

    def key(self) -> bytes | None:
        return self._key

    def headers(self) -> Headers | None:
        return self._headers

    def partition(self) -> int:
        return self._partition

    def topic(self) -> str:
        return "predictions.requested"

    def offset(self) -> int:
        return 7

    def timestamp(self) -> tuple[int, int]:
        return TIMESTAMP_CREATE_TIME, int(self._stamp * 1000)


class Unreadable(Request):
    """A message with a header whose name is not UTF-8: confluent-kafka first raises an error, and then crashes."""

    def headers(self) -> Headers | None:
        if self._headers is None:
            self._headers = [("broken", b"memory")]
            raise SystemError
        assert self._headers != [("broken", b"memory")], "a second call reads broken memory"
        return self._headers

    def set_headers(self, headers: Headers) -> None:
        self._headers = headers


@pytest.fixture
def models(version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]) -> ServedModels:
    models = ServedModels()
    models.swap(serve(version()))
    return models


async def never(_: str, __: bytes) -> None:
    raise AssertionError


def no_reader() -> NoReturn:
    raise AssertionError


def stream(
    models: ServedModels,
    pending: PendingDeployments | None = None,
    partitions: int = 6,
    committed: Committed | None = None,
) -> PredictionStream:
    counted, service = Partitions(lambda _: partitions), InferenceService(never, lambda: NOW)
    repeats = RepeatedRequests(committed or Committed(), 1_000, lambda: NOW)
    queues = OwnQueues(lambda _: no_reader(), Paces(), seconds=60.0)
    return PredictionStream(
        models, pending or PendingDeployments(), service, counted, repeats, queues, "serving", model_timeout=0.05
    )


def run(transform: PredictionStream, *messages: Any) -> tuple[dict[str, int], list[Record]]:
    """Return the ids that were answered with their partitions, and the dead letters."""
    made: dict[str, int] = {}
    dead_letters: list[Record] = []
    output = transform(messages)
    for record in output.records:
        if isinstance(record, Records):
            made |= dict(zip((orjson.loads(v)["id"] for v in record.values), record.partitions, strict=True))
        elif record.topic == "predictions.failed":
            dead_letters.append(record)
    output.committed()
    return made, dead_letters


def test_headers_that_can_not_be_read_stop_nothing(models: ServedModels) -> None:
    made, (dead_letter,) = run(stream(models), Unreadable(request(1)), Unreadable(b"spoiled"), Request(request(2)))
    assert made.keys() == {"r1", "r2"}
    assert dead_letter.headers is not None
    assert dead_letter.headers["reason"] == "not_json"


def test_a_key_that_an_answer_could_not_repeat_is_refused(models: ServedModels) -> None:
    long = Request(request(1), key=b"k" * (MAX_KEY_BYTES + 1))
    most = Request(request(2), key=b"k" * MAX_KEY_BYTES)
    made, (dead_letter,) = run(stream(models), long, most, Request(request(3), key=None))
    assert made.keys() == {"r2", "r3"}
    assert (dead_letter.key, dead_letter.value) == (None, request(1))
    assert dead_letter.headers is not None
    assert dead_letter.headers["reason"] == "bad_key"
    assert "the key has 4,097 bytes: send at most 4,096" in str(dead_letter.headers["__dlq.errors.message"])
    assert "the key of 4,097 bytes" in str(dead_letter.headers["__dlq.errors.dropped"])


def test_answers_and_dead_letters_go_where_their_requests_came_from(models: ServedModels) -> None:
    messages = [Request(request(1), partition=5), Request(b"spoiled", partition=4)]
    made, dead_letters = run(stream(models), *messages)
    assert (made, [dead_letter.partition for dead_letter in dead_letters]) == ({"r1": 5}, [4])


def test_where_the_answers_have_fewer_partitions_a_key_still_has_one(models: ServedModels) -> None:
    messages = [Request(request(1), partition=5), Request(b"spoiled", partition=4), Request(request(2), partition=1)]
    made, dead_letters = run(stream(models, partitions=3), *messages)
    assert (made, [dead_letter.partition for dead_letter in dead_letters]) == ({"r1": 2, "r2": 1}, [1])


class RecordingPending(PendingDeployments):
    """Records what was awaited. `arrive` runs during the wait."""

    def __init__(self, arrive: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.awaited: list[set[str]] = []
        self._arrive = arrive

    def wait_once(self, models: Any, seconds: float) -> None:
        self.awaited.append(set(models))
        self._arrive()
        super().wait_once(models, seconds)


def test_only_a_pending_model_is_awaited_and_only_once(models: ServedModels) -> None:
    pending = RecordingPending()
    transform = stream(models, pending)
    pending.add("price", 1)
    for model in ("unknown", "price", "price", "nobody"):
        made, dead_letters = run(transform, Request(request(1)), Request(request(2, model)))
        assert (made.keys(), len(dead_letters)) == ({"r1"}, 1)
    assert pending.awaited == [{"price"}]


def test_a_model_that_arrives_while_it_is_awaited_answers(
    models: ServedModels, version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]
) -> None:
    def arrive() -> None:
        models.swap(serve(version(model="price")))
        pending.resolve("price")

    pending = RecordingPending(arrive)
    pending.add("price", 1)
    made, dead_letters = run(stream(models, pending), Request(request(1, "price")))
    assert (made.keys(), dead_letters) == ({"r1"}, [])


@pytest.mark.medium
@given(st.lists(st.binary() | st.none(), max_size=5), st.lists(st.tuples(st.text(), st.binary() | st.none())))
def test_every_message_becomes_an_answer_or_a_dead_letter(
    version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel], values: Any, headers: Headers
) -> None:
    models = ServedModels()
    models.swap(serve(version()))
    made, dead_letters = run(
        stream(models), *(Request(value, headers=headers) for value in values), Request(request(1))
    )
    assert (made.keys(), len(dead_letters)) == ({"r1"}, len(values))


def test_impossible_waits_are_left_out() -> None:
    assert plausible(np.array([-3600.0, 0.0, 0.2, 604_800.0, 1e9])).tolist() == [0.0, 0.2, 604_800.0]


def test_one_wrong_clock_does_not_spoil_the_times_of_all(models: ServedModels) -> None:
    def sample(name: str) -> float:
        return REGISTRY.get_sample_value(name) or 0.0

    names = ("rondo_prediction_end_to_end_seconds_sum", "rondo_prediction_timestamps_ignored_total")
    before = [sample(name) for name in names]
    run(stream(models), Request(request(1), stamp=1.0), Request(request(2), stamp=time.time() + 9e8))
    assert [sample(name) - was for name, was in zip(names, before, strict=True)] == [0.0, 2.0]


@dataclass
class Turn:
    """The results of one micro-batch: answers with key and partition, the logged ids, and the codes of dead letters."""

    output: Output
    answers: list[tuple[bytes | None, int, bytes]] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    refused: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        for record in self.output.records:
            if isinstance(record, Records):
                self.answers += zip(record.keys, record.partitions, record.values, strict=True)
            elif record.topic == logs.PREDICTIONS_LOG:
                self.logged += logs.decode(record.value or b"").column("id").to_pylist()
            else:
                self.refused.append((record.headers or {})["reason"])


@pytest.fixture
def once(version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]) -> ServedModels:
    """Return models of which `delay` answers an id once within a minute, and `price` answers each request."""
    models = ServedModels()
    models.swap(replace(serve(version()), deduplicate=timedelta(minutes=1)))
    models.swap(serve(version(model="price")))
    return models


def test_a_repeated_request_gets_the_same_bytes_with_its_own_key_and_is_not_logged_again(once: ServedModels) -> None:
    transform = stream(once)
    first = Turn(transform([Request(request(1), key=b"a"), Request(request(1, "price"))]))
    again = Turn(transform([Request(request(2)), Request(request(1), key=b"b"), Request(request(1, "price"))]))
    assert first.logged == ["r1", "r1"]
    assert again.logged == ["r2", "r1"]
    [(_, _, made)] = [each for each in first.answers if each[0] == b"a"]
    assert (b"b", 0, made) in again.answers
    assert len(again.answers) == 3


def test_requests_of_one_micro_batch_with_one_id_are_scored_once(once: ServedModels) -> None:
    turn = Turn(stream(once)([Request(request(1), key=key) for key in (b"a", b"b", b"c")]))
    assert turn.logged == ["r1"]
    assert [key for key, _, _ in turn.answers] == [b"a", b"b", b"c"]
    assert len({value for _, _, value in turn.answers}) == 1


SPOILED = request(2, features={"distance": 2, "night": False, "carrier": "a\0"})
OTHERWISE = request(2, features={"distance": 20, "night": False})


def test_what_repeats_a_refused_request_word_for_word_is_refused_and_is_tried_again_later(once: ServedModels) -> None:
    transform = stream(once)
    transform([Request(request(1))]).committed()
    turn = Turn(transform([Request(request(1)), Request(SPOILED), Request(SPOILED)]))
    assert (len(turn.answers), turn.refused) == (1, ["unstorable_text"] * 2)
    assert Turn(transform([Request(request(2))])).logged == ["r2"]


@pytest.mark.parametrize(
    ("requests", "refused", "scores"),
    [
        ((SPOILED, request(2)), 1, [2.0]),
        ((SPOILED, SPOILED, request(2), SPOILED), 2, [2.0, 2.0]),
        ((SPOILED, request(2), OTHERWISE, request(2)), 1, [2.0] * 3),
        ((OTHERWISE, request(2), SPOILED), 0, [20.0] * 3),
        ((request(2), request(2)), 0, [2.0] * 2),
    ],
)
def test_a_corrected_request_is_judged_by_itself_and_answers_what_follows_it(
    once: ServedModels, requests: tuple[bytes, ...], refused: int, scores: list[float]
) -> None:
    turn = Turn(stream(once)(list(map(Request, requests))))
    assert turn.refused == ["unstorable_text"] * refused
    assert [orjson.loads(value)["output"]["score"] for _, _, value in turn.answers] == scores
    assert len({value for _, _, value in turn.answers}) == 1
    assert turn.logged == ["r2"]


def test_a_request_that_the_model_fails_on_may_be_corrected_in_its_micro_batch(
    once: ServedModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    infer = InferenceService.infer

    def failing(service: InferenceService, served: ServedModel, rows: Any) -> Any:
        found = infer(service, served, rows)
        scored = [each.without([0]) for each in found.scored]
        return replace(found, scored=scored, refused={0: RequestRefusedError("no_prediction", "")})

    monkeypatch.setattr(InferenceService, "infer", failing)
    turn = Turn(stream(once)([Request(OTHERWISE), Request(request(2)), Request(OTHERWISE)]))
    assert (turn.refused, turn.logged) == (["no_prediction"], ["r2"])
    assert [orjson.loads(value)["output"]["score"] for _, _, value in turn.answers] == [2.0, 2.0]


def test_what_is_aborted_is_answered_anew_and_what_is_committed_is_not(once: ServedModels) -> None:
    committed = Committed()
    committed.add("r2", b"committed", NOW.timestamp())
    transform = stream(once, committed=committed)
    transform([Request(request(1)), Request(request(2))]).aborted()
    turn = Turn(transform([Request(request(1)), Request(request(2))]))
    assert turn.logged == ["r1"]
    assert b"committed" in [value for _, _, value in turn.answers]


def test_what_was_answered_while_there_was_no_window_is_repeated_once_there_is_one(once: ServedModels) -> None:
    committed = Committed()
    transform = stream(once, committed=committed)
    transform([Request(request(1))]).committed()
    found = once.table.find("delay")
    once.swap(replace(found, deduplicate=None, revision=found.revision + 1))
    without = transform([Request(request(2))])
    assert Turn(without).logged == ["r2"]
    without.committed()
    committed.add("r2", b"meanwhile", NOW.timestamp())
    once.swap(replace(found, revision=found.revision + 2))
    assert [value for _, _, value in Turn(transform([Request(request(2))])).answers] == [b"meanwhile"]


def test_answers_are_read_back_for_a_new_window_once_the_previous_ones_are_committed(
    once: ServedModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, committed = once.table.find("delay"), Committed()
    once.swap(replace(found, deduplicate=None, revision=found.revision + 1))
    transform = stream(once, committed=committed)
    without = transform([Request(request(2))])
    once.swap(replace(found, revision=found.revision + 2))
    monkeypatch.setattr("rondo.serving.stream.transform._COMMIT_SECONDS", 0.01)
    with pytest.raises(UnavailableError):
        transform([Request(request(2))])
    assert committed.asked == []
    without.committed()
    assert Turn(transform([Request(request(2))])).logged == ["r2"]
    assert committed.asked != []


def test_answers_are_read_back_after_a_move_once_the_previous_ones_are_committed(
    once: ServedModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two partitions of answers a partition of requests that stays shares one with partition 2, which comes."""
    committed = Committed()
    transform = stream(once, partitions=2, committed=committed)
    earlier = transform([Request(request(1))])
    transform.forget([("predictions.requested", 2)])
    monkeypatch.setattr("rondo.serving.stream.transform._COMMIT_SECONDS", 0.01)
    asked = len(committed.asked)
    with pytest.raises(UnavailableError):
        transform([Request(request(1))])
    assert len(committed.asked) == asked
    committed.add("r1", b"earlier", NOW.timestamp())
    earlier.committed()
    transform.forget([("predictions.requested", 2)])
    assert [value for _, _, value in Turn(transform([Request(request(1))])).answers] == [b"earlier"]


def test_answers_are_read_back_for_a_model_whose_first_version_is_awaited(once: ServedModels) -> None:
    found, committed, models = once.table.find("delay"), Committed(), ServedModels()

    class Loading(PendingDeployments):
        def wait_once(self, names: Collection[str], seconds: float) -> None:
            models.swap(found)
            super().resolve("delay")
            super().wait_once(names, seconds)

    pending = Loading()
    pending.add("delay", found.revision)
    committed.add("r2", b"before", NOW.timestamp())
    transform = stream(models, pending, committed=committed)
    assert [value for _, _, value in Turn(transform([Request(request(2))])).answers] == [b"before"]


def test_nothing_is_read_back_for_models_that_answer_each_request(models: ServedModels) -> None:
    committed = Committed()
    transform = stream(models, committed=committed)
    assert [Turn(transform([Request(request(1)), Request(request(1))])).logged for _ in range(2)] == [["r1"] * 2] * 2
    assert committed.asked == []


def test_repeated_requests_are_counted_by_model(once: ServedModels) -> None:
    labels = {"model": "delay", "version": "", "outcome": "repeated"}
    before = REGISTRY.get_sample_value("rondo_predictions_total", labels) or 0.0
    stream(once)([Request(request(1)) for _ in range(3)]).committed()
    assert REGISTRY.get_sample_value("rondo_predictions_total", labels) == before + 2


def test_an_answer_names_what_its_model_ignores_and_others_do_not(version: Callable[..., LoadedVersion]) -> None:
    models = ServedModels()
    models.swap(ServedModel("delay", 1, (version().answering(UnknownFields.WARN),), (1.0,)))
    labels = {"model": "delay"}
    before = REGISTRY.get_sample_value("rondo_requests_with_unknown_names_total", labels) or 0.0
    output = stream(models)([Request(request(1)), Request(request(2, entitty="N1")), Request(request(3, more=1))])
    made = [PredictionMade.model_validate_json(value) for _, _, value in Turn(output).answers]
    assert [(each.id, len(each.warnings)) for each in made] == [("r1", 0), ("r2", 1), ("r3", 1)]
    assert "entitty" in made[1].warnings[0]
    output.committed()
    assert REGISTRY.get_sample_value("rondo_requests_with_unknown_names_total", labels) == before + 2


class Meeting:
    """A model that only scores while the other models of a micro-batch do."""

    background = None

    def __init__(self, version: LoadedVersion, barrier: threading.Barrier) -> None:
        self._scorer, self._barrier = version.scorer, barrier

    def score(self, columns: Any) -> Any:
        self._barrier.wait()
        return self._scorer.score(columns)


def test_slow_models_of_a_micro_batch_are_scored_at_the_same_time(
    version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(several_models, "_WORTH_SECONDS", -1.0)
    models, barrier = ServedModels(), threading.Barrier(3, timeout=10)
    for name in ("a", "b", "c"):
        mine = version(model=name)
        models.swap(serve(replace(mine, scorer=Meeting(mine, barrier))))
    turn = Turn(stream(models)([Request(request(number, name)) for number, name in enumerate("abcab")]))
    assert [orjson.loads(value)["id"] for _, _, value in turn.answers] == ["r0", "r3", "r1", "r4", "r2"]
    assert turn.refused == []
