"""The real service on real Kafka: in a rollout a key gets the same version over Kafka, HTTP and gRPC."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
import httpx
import orjson
import pytest
from rondo.chassis.artifacts import digest_of
from rondo.contracts.events import logs
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import DeploymentChanged, Route
from rondo.serving.grpc.messages import message_class

from tests.serving.builders import FEATURES, rows_by_role
from tests.serving.prediction_topics import MADE, at_least
from tests.support.access import bearer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.serving.conftest import ReplicaEnvironment

KEYS = [f"N{number}" for number in range(200)]
Versions = dict[str, int]


def roll_out(platform: ReplicaEnvironment, revision: int, share: float, champion: bytes, candidate: bytes) -> None:
    """Deploy version 2 beside version 1, as the registry does at each step of a rollout."""
    for content in (champion, candidate):
        asyncio.run(platform.artifacts.put(content))
    routes = [
        Route(model_version=number, digest=digest_of(content), share=part, role=role, features=FEATURES)
        for number, content, part, role in ((2, candidate, share, "canary"), (1, champion, 1 - share, "primary"))
    ]
    event = DeploymentChanged(model="delay", revision=revision, routes=tuple(routes), evidence="all")
    envelope = Envelope(str(uuid4()), "rondo/registry", datetime.now(UTC), event)
    platform.send(event.topic, envelope.value(), "delay", headers=list(envelope.headers().items()))


def over_kafka(platform: ReplicaEnvironment, step: int) -> Versions:
    for at, key in enumerate(KEYS):
        features = {"distance": at, "night": False}
        request = {"id": f"{step}/{key}", "model": "delay", "entity": key, "features": features}
        platform.send("predictions.requested", orjson.dumps(request), key)
    made = [orjson.loads(message.value()) for message in platform.read(MADE, at_least(step * len(KEYS)))]
    answers = {each["id"].partition("/")[2]: each for each in made if each["id"].startswith(f"{step}/")}
    assert all(answers[key]["output"]["score"] == at * answers[key]["model_version"] for at, key in enumerate(KEYS))
    return {key: answers[key]["model_version"] for key in KEYS}


def over_http(url: str) -> Versions:
    inputs = [
        {"name": "distance", "shape": [200], "datatype": "FP32", "data": list(range(200))},
        {"name": "night", "shape": [200], "datatype": "BOOL", "data": [False] * 200},
        {"name": "rondo.entity", "shape": [200], "datatype": "BYTES", "data": KEYS},
    ]
    answer = httpx.post(f"{url}/v2/models/delay/infer", json={"inputs": inputs}, headers=bearer()).json()
    outputs = {each["name"]: each["data"] for each in answer["outputs"]}
    versions = [int(each) for each in outputs["rondo.model_version"]]
    assert outputs["score"] == [at * version for at, version in enumerate(versions)]
    return dict(zip(KEYS, versions, strict=True))


def over_grpc(port: int) -> Versions:
    inputs: list[dict[str, Any]] = [
        {"name": "distance", "datatype": "FP32", "shape": [200], "contents": {"fp32_contents": range(200)}},
        {"name": "night", "datatype": "BOOL", "shape": [200], "contents": {"bool_contents": [False] * 200}},
        {
            "name": "rondo.entity", "datatype": "BYTES", "shape": [200],
            "contents": {"bytes_contents": [key.encode() for key in KEYS]},
        },
    ]  # fmt: skip
    request = message_class("inference.ModelInferRequest")(model_name="delay", inputs=inputs)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        sent = call(request.SerializeToString(), metadata=tuple(bearer().items()), timeout=30)
    answer = message_class("inference.ModelInferResponse").FromString(sent)
    outputs = {each.name: each.contents for each in answer.outputs}
    versions = [int(each) for each in outputs["rondo.model_version"].bytes_contents]
    assert list(outputs["score"].fp32_contents) == [at * version for at, version in enumerate(versions)]
    return dict(zip(KEYS, versions, strict=True))


@pytest.mark.slow
def test_a_key_meets_one_version_over_every_protocol_and_stays_when_the_share_grows(
    platform: ReplicaEnvironment, model: Callable[..., bytes], free_port: Callable[[], int]
) -> None:
    http, port, before = free_port(), free_port(), set[str]()
    with platform.serving(RONDO_HTTP_PORT=str(http), RONDO_GRPC_PORT=str(port)) as process:
        for step, share in enumerate((0.2, 0.5), 1):
            roll_out(platform, step, share, model(1.0), model(2.0))
            platform.wait_replica("available", 2, times=step)
            process.wait_ready()
            versions = over_kafka(platform, step)
            assert versions == over_http(process.url) == over_grpc(port)
            by_candidate = {key for key, version in versions.items() if version == 2}
            assert abs(len(by_candidate) / len(KEYS) - share) < 0.15
            assert before < by_candidate
            before = by_candidate
        records = [logs.decode(each.value()) for each in platform.read(logs.PREDICTIONS_LOG, bool, quiet=1)]
    rows = rows_by_role(records)
    # Both versions score each of the requests, 200 over each of the protocols in both steps.
    assert (rows[1, "primary"], rows[2, "canary"] + rows[2, "shadow"]) == (1_200, 1_200)
