"""The real service on real Kafka: exactly once through everything that goes wrong, and models swapped under load."""

from __future__ import annotations

import itertools
import signal
import socket
import threading
import time
from collections import Counter
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic  # type: ignore[attr-defined]
from rondo.contracts.events import logs
from rondo.contracts.events.predictions import MAX_REQUEST_BYTES

from tests.serving.builders import CLASSES, INTERVAL, MULTICLASS, TEXTS
from tests.support.access import bearer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.contracts.tasks.base import FittedTask

    from tests.serving.conftest import Platform

BODY = orjson.dumps(
    {
        "inputs": [
            {"name": "distance", "shape": [1], "datatype": "FP32", "data": [3]},
            {"name": "night", "shape": [1], "datatype": "BOOL", "data": [False]},
        ]
    }
)
MADE, FAILED = "predictions.made", "predictions.failed"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def request(number: int) -> bytes:
    return b'{"id":"r%d","model":"delay","features":{"distance":%d,"night":false}}' % (number, number)


def at_least(count: int) -> Callable[[list[Any]], bool]:
    return lambda found: len(found) >= count


def answered(messages: list[Any]) -> Counter[str]:
    return Counter(orjson.loads(m.value())["id"] for m in messages)


def once(numbers: range) -> Counter[str]:
    return Counter(f"r{n}" for n in numbers)


def test_requests_are_answered_on_their_partition_and_logged(platform: Platform, model: Callable[..., bytes]) -> None:
    digest = platform.deploy(3, model(2.0), traceparent=TRACE)
    for number in range(100):
        platform.request(number, flush=False)
    platform.flush()
    with platform.serving() as process:
        made = platform.read(MADE, at_least(100), quiet=0.5)
        asked = {m.key(): m.partition() for m in platform.read("predictions.requested", at_least(100))}
        assert {m.key(): m.partition() for m in made} == asked
        answers = [orjson.loads(m.value()) for m in made]
        assert {a["id"]: a["output"]["score"] for a in answers} == {f"r{n}": 2.0 * n for n in range(100)}
        assert {(a["model"], a["model_version"], a["digest"]) for a in answers} == {("delay", 3, digest)}
        batches = [logs.decode(m.value()) for m in platform.read(logs.PREDICTIONS_LOG, at_least(1), quiet=0.5)]
        logged = [row for batch in batches for row in batch.to_pylist()]
        assert Counter(row["id"] for row in logged) == once(range(100))
        assert {row["output.score"] / row["feature.distance"] for row in logged if row["feature.distance"]} == {2.0}
        assert {logs.metadata(batch)["digest"] for batch in batches} == {digest}
        process.signal(signal.SIGTERM)
        assert process.wait(60) == 0
    first = next(line for line in platform.log_lines().splitlines() if "the first prediction of version 3" in line)
    assert orjson.loads(first)["trace_id"] == TRACE.split("-")[1]


# A model of each task, its answer to a distance of 4, and that in the log.
TASKS: dict[str, tuple[FittedTask, dict[str, Any], dict[str, Any]]] = {
    "binary": (TEXTS, {"score": 8.0, "label": "verspätet"}, {"score": 8.0, "label": "verspätet"}),
    "multiclass": (
        MULTICLASS,
        {
            "label": CLASSES[2], "score": 8.0,
            "probabilities": {"score": pytest.approx(8 / 3), "Übergröße": pytest.approx(16 / 3), CLASSES[2]: 8.0},
        },
        {"label": CLASSES[2], "score": 8.0, "probabilities": pytest.approx([8 / 3, 16 / 3, 8.0])},
    ),
    "regression": (INTERVAL, *2 * ({"value": 8.0, "low": 5.5, "high": 10.5},)),
}  # fmt: skip


def test_models_of_every_task_are_answered_once_through_a_crash(
    platform: Platform, model: Callable[..., bytes]
) -> None:
    for name, (fitted, _, _) in TASKS.items():
        platform.deploy(1, model(2.0, fitted=fitted), model=name)
    for number in range(1, 667):
        for name in TASKS:
            platform.request(number, flush=False, model=name)
    platform.flush()
    small = {"RONDO_MAX_BATCH": "100", "RONDO_LINGER": "0"}
    with platform.serving(**small) as process:
        platform.read(MADE, at_least(300))
        process.kill()
    with platform.serving(**small):
        made = platform.read(MADE, at_least(1_998), quiet=0.5)
        batches = [logs.decode(m.value()) for m in platform.read(logs.PREDICTIONS_LOG, at_least(1), quiet=0.5)]
    answers = [orjson.loads(m.value()) for m in made]
    asked = Counter((name, f"r{number}") for name in TASKS for number in range(1, 667))
    assert Counter((each["model"], each["id"]) for each in answers) == asked
    rows = [(logs.metadata(batch)["model"], row) for batch in batches for row in batch.to_pylist()]
    assert Counter((name, row["id"]) for name, row in rows) == asked
    for name, (_, output, logged) in TASKS.items():
        assert [each["output"] for each in answers if (each["model"], each["id"]) == (name, "r4")] == [output]
        [row] = [row for model_, row in rows if (model_, row["id"]) == (name, "r4")]
        assert {key.removeprefix("output."): v for key, v in row.items() if key.startswith("output.")} == logged
    classes = {(meta := logs.metadata(batch))["model"]: meta.get("classes") for batch in batches}
    assert orjson.loads(classes["multiclass"]) == list(CLASSES)
    assert (classes["binary"], classes["regression"]) == (None, None)


def test_an_unanswerable_request_becomes_an_unchanged_dead_letter(
    platform: Platform, model: Callable[..., bytes]
) -> None:
    platform.deploy(1, model())
    largest = b"x" * (MAX_REQUEST_BYTES - 200)
    bad: list[tuple[bytes | None, str, str]] = [
        (b"hello", "not_json", "send a JSON object"),
        (None, "null_value", "the message has no value"),
        (b'{"id":"a","model":"delay","features":{"distance":1}}', "missing_feature", "`night` is missing: send true"),
        (b'{"id":"a","model":"unknown","features":{}}', "unknown_model", "models that are deployed: delay"),
        (largest, "not_json", "send a JSON object"),
    ]
    with platform.serving():
        for number, (value, _, _) in enumerate(bad):
            platform.send("predictions.requested", value, f"k{number}", headers=[("mine", b"kept")])
            platform.request(number)
        failed = platform.read(FAILED, at_least(len(bad)), quiet=0.5)
        assert answered(platform.read(MADE, at_least(len(bad)), quiet=0.5)) == once(range(len(bad)))
    dead_letters = {m.key(): (m.value(), dict(m.headers())) for m in failed}
    assert len(failed) == len(bad)
    for number, (value, reason, expected) in enumerate(bad):
        kept, headers = dead_letters[b"k%d" % number]
        assert (kept, headers["reason"], headers["mine"]) == (value, reason.encode(), b"kept")
        assert expected in headers["__dlq.errors.message"].decode()
        assert headers["__dlq.errors.topic"] == b"predictions.requested"


def test_twenty_megabytes_are_refused_at_the_application(platform: Platform) -> None:
    with pytest.raises(RuntimeError, match="Message size too large"):
        platform.send("predictions.requested", bytes(range(256)) * 80_000, "k")


def test_a_request_that_only_compression_made_small_is_refused_and_nothing_stops(
    platform: Platform, model: Callable[..., bytes]
) -> None:
    platform.deploy(1, model())
    packing = Producer(
        {"bootstrap.servers": platform.bootstrap, "compression.type": "gzip", "message.max.bytes": 32 << 20}
    )
    packing.produce("predictions.requested", b" " * (20 << 20), b"huge")
    assert packing.flush(20) == 0
    platform.request(1)
    with platform.serving():
        (dead_letter,) = platform.read(FAILED, at_least(1))
        assert answered(platform.read(MADE, at_least(1))) == once(range(1, 2))
    headers = dict(dead_letter.headers())
    assert (dead_letter.value(), headers["reason"]) == (None, b"too_large")
    assert b"20,971,520 bytes, more than the 1,048,576 that are allowed" in headers["__dlq.errors.message"]


def test_models_are_swapped_under_load_without_a_drop(platform: Platform, model: Callable[..., bytes]) -> None:
    enough = threading.Event()
    sent = itertools.count()

    def load() -> None:
        while not enough.is_set():
            for _ in range(20):
                platform.request(next(sent), flush=False)
            time.sleep(0.01)
        platform.flush()

    platform.deploy(1, model(1.0))
    with platform.serving():
        platform.wait_replica("available", 1)
        application = threading.Thread(target=load)
        application.start()
        for number in range(2, 6):
            platform.deploy(number, model(float(number)))
            platform.wait_replica("available", number)
            platform.wait_replica("unloaded", number - 1)
        enough.set()
        application.join()
        count = next(sent)
        platform.request(count)
        made = platform.read(MADE, at_least(count + 1), quiet=0.5)
    assert answered(made) == once(range(count + 1))
    answers = [orjson.loads(m.value()) for m in made]
    assert all(a["output"]["score"] == int(a["id"][1:]) * float(a["model_version"]) for a in answers)
    assert next(a for a in answers if a["id"] == f"r{count}")["model_version"] == 5
    assert not platform.read(FAILED, at_least(0), quiet=0.5)


def test_a_version_that_cannot_be_loaded_is_refused_and_the_old_one_serves(
    platform: Platform, model: Callable[..., bytes]
) -> None:
    platform.deploy(1, model())
    with platform.serving():
        platform.wait_replica("available", 1)
        platform.deploy(2, model(2.0), store=False)
        missing = platform.wait_replica("refused", 2)
        assert "sha256:" in missing.detail
        assert missing.detail.endswith("; train again")
        platform.deploy(3, b"no model at all")
        assert "ONNX" in platform.wait_replica("refused", 3).detail
        digest = platform.deploy(4, model(4.0), store=False)
        folder = platform.folder / "artifacts" / "sha256"
        (folder / digest.removeprefix("sha256:")).write_bytes(b"damaged")
        platform.wait_replica("refused", 4)
        platform.request(5)
        (made,) = platform.read(MADE, at_least(1))
    assert orjson.loads(made.value())["model_version"] == 1


@pytest.mark.slow
def test_kill_9_in_the_middle_changes_no_count(platform: Platform, model: Callable[..., bytes]) -> None:
    count = 10_000
    platform.deploy(1, model())
    for number in range(count):
        platform.request(number, flush=False)
    platform.flush()
    small = {"RONDO_MAX_BATCH": "300", "RONDO_LINGER": "0"}
    for kills in range(1, 3):
        with platform.serving(**small) as process:
            platform.read(MADE, at_least(kills * 3_000))
            process.kill()
    with platform.serving(**small):
        made = platform.read(MADE, at_least(count), seconds=60, quiet=1)
        batches = [logs.decode(m.value()) for m in platform.read(logs.PREDICTIONS_LOG, at_least(1), quiet=1)]
    assert answered(made) == once(range(count))
    assert Counter(i for batch in batches for i in batch.column("id").to_pylist()) == once(range(count))


@pytest.mark.slow
def test_replicas_come_and_go_under_load_and_every_request_is_answered_once(
    platform: Platform, model: Callable[..., bytes]
) -> None:
    count = 10_000
    platform.deploy(1, model())
    small = {"RONDO_MAX_BATCH": "200"}
    with platform.serving("a", **small) as first:
        platform.wait_replica("available", 1)
        for number in range(count // 2):
            platform.request(number, flush=False)
        platform.flush()
        with platform.serving("b", **small):
            platform.wait_replica("available", 1, times=2)
            for number in range(count // 2, count):
                platform.request(number, flush=False)
                if number % 1_000 == 0:
                    platform.flush()
            platform.flush()
            first.kill()
            with platform.serving("a", **small):
                made = platform.read(MADE, at_least(count), seconds=60, quiet=1)
    assert answered(made) == once(range(count))


@pytest.mark.slow
def test_a_killed_replica_is_replaced_by_its_next_self(platform: Platform, model: Callable[..., bytes]) -> None:
    platform.deploy(1, model())
    with platform.serving() as process:
        platform.request(0)
        platform.read(MADE, at_least(1))
        process.kill()
    with platform.serving():
        platform.request(1)
        assert answered(platform.read(MADE, at_least(2), quiet=0.5)) == once(range(2))


@pytest.mark.slow
def test_no_header_and_no_key_of_a_request_stops_the_others(platform: Platform, model: Callable[..., bytes]) -> None:
    platform.deploy(1, model())
    packing = Producer(
        {"bootstrap.servers": platform.bootstrap, "compression.type": "gzip", "message.max.bytes": 4 << 20}
    )
    packing.produce("predictions.requested", request(1), b"k" * (1 << 20))
    packing.produce("predictions.requested", b"spoiled", b"k", headers=[("long", b"v" * (1 << 20)), ("mine", b"kept")])
    assert packing.flush(20) == 0
    platform.send_unreadable_header(request(2))
    platform.send_unreadable_header(b"spoiled, too")
    platform.request(3)
    with platform.serving():
        failed = platform.read(FAILED, at_least(3), quiet=0.5)
        assert answered(platform.read(MADE, at_least(2), quiet=0.5)) == once(range(2, 4))
    dead_letters = {m.value(): dict(m.headers()) for m in failed}
    assert {value: headers["reason"] for value, headers in dead_letters.items()} == {
        request(1): b"bad_key", b"spoiled": b"not_json", b"spoiled, too": b"not_json",
    }  # fmt: skip
    assert b"the key of 1,048,576 bytes" in dead_letters[request(1)]["__dlq.errors.dropped"]
    assert b"2 headers of 1,048,608 bytes" in dead_letters[b"spoiled"]["__dlq.errors.dropped"]


@pytest.mark.slow
def test_partitions_that_the_requests_alone_gained_stop_nothing(
    platform: Platform, model: Callable[..., bytes]
) -> None:
    admin = AdminClient({"bootstrap.servers": platform.bootstrap, "log_level": 0})
    grown = NewPartitions("predictions.requested", 12)
    admin.create_partitions([grown])["predictions.requested"].result()
    platform.deploy(1, model())
    asking, failures = Producer({"bootstrap.servers": platform.bootstrap}), Counter[bool]()
    while _led(asking, "predictions.requested") < 12:
        time.sleep(0.02)
    for number in range(24):
        value = request(number) if number < 12 else b"spoiled"
        asking.produce(
            "predictions.requested",
            value,
            partition=number % 12,
            on_delivery=lambda e, _: failures.update([e is not None]),
        )
    asking.flush(20)
    assert failures == {False: 24}
    # A new name: the group would assign a known static member its six old partitions.
    with platform.serving("grown"):
        made = platform.read(MADE, at_least(12), quiet=0.5)
        failed = platform.read(FAILED, at_least(12), quiet=0.5)
    assert answered(made) == once(range(12))
    assert {orjson.loads(m.value())["id"]: m.partition() for m in made} == {f"r{n}": n % 6 for n in range(12)}
    assert Counter(m.partition() for m in failed) == dict.fromkeys(range(6), 2)


def _led(client: Producer, topic: str) -> int:
    partitions = client.list_topics(topic, timeout=10).topics[topic].partitions
    return sum(partition.leader >= 0 for partition in partitions.values())


def test_a_request_over_http_that_has_begun_is_answered_at_a_stop(
    platform: Platform, model: Callable[..., bytes], free_port: Callable[[], int]
) -> None:
    platform.deploy(1, model(2.0))
    port, token = free_port(), bearer()
    with (
        platform.serving(RONDO_HTTP_PORT=str(port)) as process,
        closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection,
    ):
        process.wait_ready()
        connection.request("GET", "/v2", headers=token)
        connection.getresponse().read()
        connection.putrequest("POST", "/v2/models/delay/infer")
        for name, value in (token | {"content-length": str(len(BODY))}).items():
            connection.putheader(name, value)
        connection.endheaders(BODY[:10])
        process.signal(signal.SIGTERM)
        _wait_refused(port)
        connection.send(BODY[10:])
        response = connection.getresponse()
        assert (response.status, orjson.loads(response.read())["outputs"][0]["data"]) == (200, [6.0])
        assert process.wait(60) == 0


def _wait_refused(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.01)


@pytest.mark.slow
def test_a_replica_without_a_partition_answers_over_http(
    platform: Platform, model: Callable[..., bytes], free_port: Callable[[], int]
) -> None:
    admin = AdminClient({"bootstrap.servers": platform.bootstrap, "log_level": 0})
    admin.delete_topics(["predictions.requested"])["predictions.requested"].result()
    while "predictions.requested" in admin.list_topics(timeout=10).topics:
        time.sleep(0.02)
    admin.create_topics([NewTopic("predictions.requested", 1)])["predictions.requested"].result()
    platform.deploy(1, model(2.0))
    ports = {"a": free_port(), "b": free_port()}
    with (
        platform.serving("a", RONDO_HTTP_PORT=str(ports["a"])) as one,
        platform.serving("b", RONDO_HTTP_PORT=str(ports["b"])) as other,
    ):
        for replica in (one, other):
            replica.wait_ready()
            url = f"{replica.url}/v2/models/delay/infer"
            response = httpx.post(url, content=BODY, headers=bearer())
            assert response.json()["outputs"][0]["data"] == [6.0]


@pytest.mark.slow
def test_requests_after_a_silence_are_answered_as_fast_as_in_a_stream(
    platform: Platform, model: Callable[..., bytes]
) -> None:
    """Idle connections are closed after 3 s: to open one again must not wait for a growing backoff."""
    platform.deploy(1, model())
    waits: list[float] = []
    with platform.serving():
        platform.wait_replica("available", 1)
        platform.request(0)
        platform.read(MADE, at_least(1))
        for number, silence in enumerate((3.5, 5.0, 8.0), start=1):
            time.sleep(silence)
            platform.request(number)
            sent = time.monotonic()
            platform.read(MADE, at_least(number + 1))
            waits.append(time.monotonic() - sent)
    assert max(waits) < 2, waits
