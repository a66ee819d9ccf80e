"""The real service on real Kafka: requests over HTTP."""

from __future__ import annotations

import signal
import socket
import time
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import httpx
import orjson
import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from rondo.contracts.events import logs
from rondo.contracts.kafka_connection import KafkaConnection

from tests.support.access import bearer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.serving.conftest import ReplicaEnvironment


BODY = orjson.dumps(
    {
        "inputs": [
            {"name": "distance", "shape": [1], "datatype": "FP32", "data": [3]},
            {"name": "night", "shape": [1], "datatype": "BOOL", "data": [False]},
        ]
    }
)


def test_a_request_over_http_that_has_begun_is_answered_at_a_stop(
    platform: ReplicaEnvironment, model: Callable[..., bytes], free_port: Callable[[], int]
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


@pytest.mark.slow
def test_a_stop_writes_the_log_of_answers_that_did_not_wait_for_it(
    platform: ReplicaEnvironment, model: Callable[..., bytes], free_port: Callable[[], int]
) -> None:
    platform.deploy(1, model(2.0), log="buffered")
    with platform.serving(RONDO_HTTP_PORT=str(free_port())) as process:
        process.wait_ready()
        with httpx.Client(base_url=process.url, headers=bearer()) as client:
            asked = [f"r{number}" for number in range(50)]
            for name in asked:
                body = orjson.dumps(orjson.loads(BODY) | {"id": name})
                assert client.post("/v2/models/delay/infer", content=body).status_code == 200
        process.signal(signal.SIGTERM)
        assert process.wait(60) == 0
    records = platform.read("predictions.log", bool, quiet=1)
    assert [i for each in records for i in logs.decode(each.value()).column("id").to_pylist()] == asked


def _wait_refused(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.01)


@pytest.mark.slow
def test_a_replica_without_a_partition_answers_over_http(
    platform: ReplicaEnvironment, model: Callable[..., bytes], free_port: Callable[[], int]
) -> None:
    admin = AdminClient({**KafkaConnection(platform.bootstrap).confluent(), "log_level": 0})
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
