"""The real service on real Kafka: exactly once through everything that goes wrong, and models swapped under load."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from rondo.contracts import logs
from rondo.contracts.predictions import MAX_REQUEST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.serving.conftest import Platform

MADE, FAILED = "predictions.made", "predictions.failed"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def at_least(count: int) -> Callable[[list[Any]], bool]:
    return lambda found: len(found) >= count


def answered(messages: list[Any]) -> Counter[str]:
    return Counter(orjson.loads(m.value())["id"] for m in messages)


def once(numbers: range) -> Counter[str]:
    return Counter(f"r{n}" for n in numbers)


def test_requests_are_answered_where_they_came_from_and_logged(platform: Platform, model: Callable[..., bytes]) -> None:
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
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    first = next(line for line in platform.log_lines().splitlines() if "the first prediction of version 3" in line)
    assert orjson.loads(first)["trace_id"] == TRACE.split("-")[1]


def test_what_cannot_be_answered_goes_to_the_dead_letters_untouched(
    platform: Platform, model: Callable[..., bytes]
) -> None:
    platform.deploy(1, model())
    largest = b"x" * (MAX_REQUEST_BYTES - 200)
    bad: list[tuple[bytes | None, str, str]] = [
        (b"hello", "not_json", "send a JSON object"),
        (None, "null_value", "the message has no value"),
        (b'{"id":"a","model":"delay","features":{"distance":1}}', "missing_feature", "`night` is missing: send true"),
        (b'{"id":"a","model":"nobody","features":{}}', "unknown_model", "models that are deployed: delay"),
        (largest, "not_json", "send a JSON object"),
    ]
    with platform.serving():
        for number, (value, _, _) in enumerate(bad):
            platform.send("predictions.requested", value, f"k{number}", headers=[("mine", b"kept")])
            platform.request(number)
        failed = platform.read(FAILED, at_least(len(bad)), quiet=0.5)
        assert answered(platform.read(MADE, at_least(len(bad)), quiet=0.5)) == once(range(len(bad)))
    letters = {m.key(): (m.value(), dict(m.headers())) for m in failed}
    assert len(failed) == len(bad)
    for number, (value, reason, said) in enumerate(bad):
        kept, headers = letters[b"k%d" % number]
        assert (kept, headers["reason"], headers["mine"]) == (value, reason.encode(), b"kept")
        assert said in headers["__dlq.errors.message"].decode()
        assert headers["__dlq.errors.topic"] == b"predictions.requested"


def test_twenty_megabytes_are_refused_at_the_application(platform: Platform) -> None:
    with pytest.raises(RuntimeError, match="Message size too large"):
        platform.send("predictions.requested", bytes(range(256)) * 80_000, "k")


def test_a_request_that_only_compression_made_small_is_refused_and_nothing_stops(
    platform: Platform, model: Callable[..., bytes]
) -> None:
    from confluent_kafka import Producer  # noqa: PLC0415 - an application of its own, with compression

    platform.deploy(1, model())
    packing = Producer(
        {"bootstrap.servers": platform.bootstrap, "compression.type": "gzip", "message.max.bytes": 32 << 20}
    )
    packing.produce("predictions.requested", b" " * (20 << 20), b"huge")
    assert packing.flush(20) == 0
    platform.request(1)
    with platform.serving():
        (letter,) = platform.read(FAILED, at_least(1))
        assert answered(platform.read(MADE, at_least(1))) == once(range(1, 2))
    headers = dict(letter.headers())
    assert (letter.value(), headers["reason"]) == (None, b"too_large")
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
        assert "there is no artifact sha256:" in missing.detail
        assert missing.detail.endswith("it was never stored, or the store was emptied; train again")
        platform.deploy(3, b"no model at all")
        assert "can't be loaded as an ONNX model" in platform.wait_replica("refused", 3).detail
        digest = platform.deploy(4, model(4.0), store=False)
        folder = platform.folder / "artifacts" / "sha256"
        (folder / digest.removeprefix("sha256:")).write_bytes(b"damaged")
        platform.wait_replica("refused", 4)
        platform.request(5)
        (made,) = platform.read(MADE, at_least(1))
    assert orjson.loads(made.value())["model_version"] == 1


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
            first.wait(10)
            with platform.serving("a", **small):
                made = platform.read(MADE, at_least(count), seconds=60, quiet=1)
    assert answered(made) == once(range(count))


@pytest.mark.slow
def test_how_long_a_killed_replica_is_missed(platform: Platform, model: Callable[..., bytes]) -> None:
    platform.deploy(1, model())
    with platform.serving() as process:
        platform.request(0)
        platform.read(MADE, at_least(1))
        process.kill()
        process.wait(10)
    killed = time.monotonic()
    with platform.serving():
        platform.request(1)
        platform.read(MADE, at_least(2))
        print(f"answered again {time.monotonic() - killed:.2f} s after the kill")  # noqa: T201
