"""Open Inference Protocol v2 on BentoML's application: logged before it is answered, errors say what to send."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rondo.chassis.failures import UnavailableError
from rondo.chassis.service import background
from rondo.contracts import logs
from rondo.serving.http import LateApp, api, on_bentoml
from rondo.serving.inference import Inference
from rondo.serving.versions import Serving, Version, Versions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)
INFER = "/v2/models/delay/infer"


class LogTopic:
    """Keeps what is published, or is away."""

    def __init__(self) -> None:
        self.batches: list[Any] = []
        self.away = False

    async def publish(self, _: str, record: bytes) -> None:
        if self.away:
            raise UnavailableError("the inference log", "Kafka sleeps")
        self.batches.append(logs.decode(record))


@pytest.fixture
def topic() -> LogTopic:
    return LogTopic()


@pytest.fixture
async def client(
    version: Callable[..., Version], serve: Callable[..., Serving], topic: LogTopic
) -> AsyncIterator[httpx.AsyncClient]:
    versions = Versions()
    versions.swap(serve(version(3, 2.0)))
    inference = Inference(topic.publish, lambda: NOW)

    async def report() -> dict[str, str]:
        return {"kafka": "it sleeps" if topic.away else "ok"}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # BentoML's own, of what it imports
        transport = httpx.ASGITransport(on_bentoml(api(versions, inference, report)))
    async with background(inference.run()), httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def tensor(name: str, datatype: str, *data: Any, shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data), 1], "data": list(data)}


DISTANCE, NIGHT = tensor("distance", "FP32", 1.5, 3), tensor("night", "BOOL", *[True, False])


async def test_rows_are_scored_and_logged(client: httpx.AsyncClient, topic: LogTopic) -> None:
    inputs = [DISTANCE, NIGHT, tensor("rondo.entity", "BYTES", "N1", None), tensor("carrier", "BYTES", "AA", "")]
    response = await client.post(INFER, json={"id": "q", "inputs": inputs})
    assert response.json() == {
        "model_name": "delay", "model_version": "3", "id": "q",
        "outputs": [
            {"name": "score", "shape": [2, 1], "datatype": "FP32", "data": [3.0, 6.0]},
            {"name": "rondo.id", "shape": [2, 1], "datatype": "BYTES", "data": ["q/0", "q/1"]},
        ],
    }  # fmt: skip
    (batch,) = topic.batches
    assert [(r["id"], r["entity"], r["feature.carrier"], r["output.score"]) for r in batch.to_pylist()] == [
        ("q/0", "N1", "AA", 3.0), ("q/1", None, None, 6.0),
    ]  # fmt: skip


async def test_ready_is_what_readyz_says(client: httpx.AsyncClient, topic: LogTopic) -> None:
    assert (await client.get("/v2/health/ready")).json() == {"ready": True}
    topic.away = True
    assert (await client.get("/v2/health/live")).json() == {"live": True}
    away = await client.get("/v2/health/ready")
    assert (away.status_code, away.json()) == (503, {"ready": False})


async def test_metadata_and_health(client: httpx.AsyncClient) -> None:
    found = (await client.get("/v2/models/delay")).json()
    assert (found["name"], found["versions"]) == ("delay", ["3"])
    assert found["inputs"][:2] == [
        {"name": "distance", "datatype": "FP32", "shape": [-1, 1]},
        {"name": "seats", "datatype": "INT64", "shape": [-1, 1]},
    ]
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/delay/ready", "/v2/models/delay/versions/3"):
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/v2/models/nobody/infer", {"inputs": []}, 404, "models that are deployed: delay."),
        ("/v2/models/delay/versions/9/infer", {"inputs": []}, 404, "served by version 3, not 9: ask for that one"),
        (INFER, b"hello", 400, "the body does not fit"),
        (INFER, {}, 400, 'missing required field `inputs`): send {"inputs": [{"name": "<feature>"'),
        (INFER, {"inputs": []}, 400, "send one tensor for each of distance (FP32), seats (INT64), night (BOOL)"),
        (INFER, {"inputs": [DISTANCE]}, 400, "the input `night` is missing: send a BOOL tensor of shape [2, 1]"),
        (
            INFER,
            {"inputs": [DISTANCE, tensor("night", "BOOL", *[True])]},
            400,
            "send [2, 1] with 2 values, as many rows",
        ),
        (INFER, {"inputs": [DISTANCE, tensor("night", "FP32", 1, 0)]}, 400, "`night` is FP32: send it as BOOL"),
        (INFER, {"inputs": [tensor("distance", "FP32", "far", 1), NIGHT]}, 400, "`distance` holds 'far': send numbers"),
        (INFER, {"inputs": [tensor("distance", "FP32", None, 1), NIGHT]}, 400, "a null, and it may not be missing"),
        (INFER, {"inputs": [tensor("distance", "FP64", 1e39, 1), NIGHT]}, 400, "`distance` at row 0 is not finite"),
        (INFER, {"inputs": [tensor("distance", "FP32", shape=[0, 1])]}, 400, "has 0 rows: send 1 to 10,000"),
        (INFER, {"id": "", "inputs": []}, 400, "`id` has 0 characters: send 1 to 256"),
        (
            INFER,
            {"inputs": [DISTANCE, NIGHT, tensor("rondo.event_time", "BYTES", "soon", "late")]},
            400,
            "no RFC 3339 time",
        ),
        (INFER, b"x" * (8 * 1024 * 1024 + 1), 413, "the body is larger than 8,388,608 bytes: send fewer rows"),
    ],
)
async def test_errors_say_what_to_send(client: httpx.AsyncClient, path: str, body: Any, status: int, said: str) -> None:
    response = await client.post(path, **({"content": body} if isinstance(body, bytes) else {"json": body}))
    assert response.status_code == status
    assert said in response.json()["error"]


async def test_an_answer_that_cannot_be_logged_is_not_given(client: httpx.AsyncClient, topic: LogTopic) -> None:
    topic.away = True
    response = await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert "the inference log is not available" in response.json()["error"]
    topic.away = False
    assert (await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})).status_code == 200
    assert len(topic.batches) == 1


async def test_until_it_is_built_the_api_says_that_it_starts() -> None:
    late = LateApp()
    with pytest.raises(UnavailableError, match="still starting"):
        await late.check()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(late), base_url="http://test") as client:
        response = await client.get("/v2")
    assert (response.status_code, response.json()["error"]) == (
        503, "the HTTP API is starting; try again in a second",
    )  # fmt: skip
