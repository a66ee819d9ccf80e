"""The prediction stream as a transform: whatever is in a message, it is answered or refused, and stops no other."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from rondo.chassis.events.dead_letters import MAX_KEY_BYTES
from rondo.chassis.stream.records import Record, Records
from rondo.serving.deployments.pending import Arrivals
from rondo.serving.models.table import Versions
from rondo.serving.stream.partitions import Partitions
from rondo.serving.stream.telemetry import believable
from rondo.serving.stream.transform import PredictionStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.models.loaded_version import Serving, Version

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)
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
    """A message with a header whose name is no UTF-8: confluent-kafka raises once, then it breaks."""

    def headers(self) -> Headers | None:
        if self._headers is None:
            self._headers = [("broken", b"memory")]
            raise SystemError
        assert self._headers != [("broken", b"memory")], "a second call reads broken memory"
        return self._headers

    def set_headers(self, headers: Headers) -> None:
        self._headers = headers


def request(number: int, model: str = "delay", **more: Any) -> bytes:
    features = {"distance": number, "night": False}
    return json.dumps({"id": f"r{number}", "model": model, "features": features} | more).encode()


@pytest.fixture
def versions(version: Callable[..., Version], serve: Callable[..., Serving]) -> Versions:
    served = Versions()
    served.swap(serve(version()))
    return served


def stream(versions: Versions, arrivals: Arrivals | None = None, partitions: int = 6) -> PredictionStream:
    counted = Partitions(lambda _: partitions)
    return PredictionStream(versions, arrivals or Arrivals(), counted, "serving", lambda: NOW, patience=0.05)


def run(transform: PredictionStream, *messages: Any) -> tuple[dict[str, int], list[Record]]:
    """Return the ids that were answered with their partitions, and the dead letters."""
    made: dict[str, int] = {}
    letters: list[Record] = []
    for output in transform(messages):
        if isinstance(output, Records):
            made |= dict(zip((orjson.loads(v)["id"] for v in output.values), output.partitions, strict=True))
        elif output.topic == "predictions.failed":
            letters.append(output)
    transform.committed()
    return made, letters


def test_headers_that_can_not_be_read_stop_nothing(versions: Versions) -> None:
    made, (letter,) = run(stream(versions), Unreadable(request(1)), Unreadable(b"spoiled"), Request(request(2)))
    assert made.keys() == {"r1", "r2"}
    assert letter.headers is not None
    assert letter.headers["reason"] == "not_json"


def test_a_key_that_an_answer_could_not_repeat_is_refused(versions: Versions) -> None:
    long = Request(request(1), key=b"k" * (MAX_KEY_BYTES + 1))
    most = Request(request(2), key=b"k" * MAX_KEY_BYTES)
    made, (letter,) = run(stream(versions), long, most, Request(request(3), key=None))
    assert made.keys() == {"r2", "r3"}
    assert (letter.key, letter.value) == (None, request(1))
    assert letter.headers is not None
    assert letter.headers["reason"] == "bad_key"
    assert "the key has 4,097 bytes: send at most 4,096" in str(letter.headers["__dlq.errors.message"])
    assert "the key of 4,097 bytes" in str(letter.headers["__dlq.errors.dropped"])


def test_answers_and_dead_letters_go_where_their_requests_came_from(versions: Versions) -> None:
    messages = [Request(request(1), partition=5), Request(b"spoiled", partition=4)]
    made, letters = run(stream(versions), *messages)
    assert (made, [letter.partition for letter in letters]) == ({"r1": 5}, [4])


def test_where_the_answers_have_fewer_partitions_a_key_still_has_one(versions: Versions) -> None:
    messages = [Request(request(1), partition=5), Request(b"spoiled", partition=4), Request(request(2), partition=1)]
    made, letters = run(stream(versions, partitions=3), *messages)
    assert (made, [letter.partition for letter in letters]) == ({"r1": 2, "r2": 1}, [1])


class Watched(Arrivals):
    """Remembers what was waited for; a model comes while it is waited for if it is to."""

    def __init__(self, comes: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.waited: list[set[str]] = []
        self._comes = comes

    def wait_once(self, models: Any, seconds: float) -> None:
        self.waited.append(set(models))
        self._comes()
        super().wait_once(models, seconds)


def test_only_a_model_on_its_way_is_waited_for_and_only_once(versions: Versions) -> None:
    arrivals = Watched()
    transform = stream(versions, arrivals)
    arrivals.expect("price", 1)
    for model in ("nobody", "price", "price", "nobody"):
        made, letters = run(transform, Request(request(1)), Request(request(2, model)))
        assert (made.keys(), len(letters)) == ({"r1"}, 1)
    assert arrivals.waited == [{"price"}]


def test_a_model_that_comes_while_it_is_waited_for_answers(
    versions: Versions, version: Callable[..., Version], serve: Callable[..., Serving]
) -> None:
    def comes() -> None:
        versions.swap(serve(version(model="price")))
        arrivals.settled("price")

    arrivals = Watched(comes)
    arrivals.expect("price", 1)
    made, letters = run(stream(versions, arrivals), Request(request(1, "price")))
    assert (made.keys(), letters) == ({"r1"}, [])


@given(st.lists(st.binary() | st.none(), max_size=5), st.lists(st.tuples(st.text(), st.binary() | st.none())))
def test_every_message_comes_to_something(
    version: Callable[..., Version], serve: Callable[..., Serving], values: Any, headers: Headers
) -> None:
    served = Versions()
    served.swap(serve(version()))
    made, letters = run(stream(served), *(Request(value, headers=headers) for value in values), Request(request(1)))
    assert (made.keys(), len(letters)) == ({"r1"}, len(values))


def test_stamps_that_cannot_be_true_are_not_believed() -> None:
    assert believable(np.array([-3600.0, 0.0, 0.2, 604_800.0, 1e9])).tolist() == [0.0, 0.2, 604_800.0]


def test_one_wrong_clock_does_not_spoil_the_times_of_all(versions: Versions) -> None:
    def sample(name: str) -> float:
        return REGISTRY.get_sample_value(name) or 0.0

    names = ("rondo_prediction_end_to_end_seconds_sum", "rondo_prediction_stamps_ignored_total")
    before = [sample(name) for name in names]
    run(stream(versions), Request(request(1), stamp=1.0), Request(request(2), stamp=time.time() + 9e8))
    assert [sample(name) - was for name, was in zip(names, before, strict=True)] == [0.0, 2.0]
