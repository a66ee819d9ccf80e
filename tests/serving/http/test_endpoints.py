"""The Open Inference Protocol v2: an answer is logged before it is sent, and errors name what to send."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client import REGISTRY
from rondo.chassis.errors import UnavailableError
from rondo.chassis.health import Health
from rondo.chassis.http import server
from rondo.chassis.service import background
from rondo.contracts.access_tokens import Role
from rondo.contracts.events import logs
from rondo.serving.http.endpoints import DeferredApp, api
from rondo.serving.http.v2.error_field import AddErrorField
from rondo.serving.inference.service import InferenceService
from rondo.serving.models.serving_table import ServedModels
from rondo.serving.prediction_log.writer import LogWriter

from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)
INFER = "/v2/models/delay/infer"


class LogTopic:
    """Keeps what is published, or is unavailable."""

    def __init__(self) -> None:
        self.batches: list[Any] = []
        self.unavailable = False

    async def publish(self, _: str, record: bytes) -> None:
        if self.unavailable:
            raise UnavailableError("the inference log", "Kafka sleeps")
        self.batches.append(logs.decode(record))


@pytest.fixture
def topic() -> LogTopic:
    return LogTopic()


@pytest.fixture
def models(version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]) -> ServedModels:
    models = ServedModels()
    models.swap(serve(version(3, 2.0)))
    return models


@pytest.fixture
async def client(models: ServedModels, topic: LogTopic) -> AsyncIterator[httpx.AsyncClient]:
    log = LogWriter(topic.publish)

    async def report() -> dict[str, str]:
        return {"kafka": "no answer" if topic.unavailable else "ok"}

    app = api(models, InferenceService(log, lambda: NOW), report)
    guarded = AddErrorField(server.guarded(Health(), await token_cache(), app))
    transport = httpx.ASGITransport(guarded, raise_app_exceptions=False)
    async with (
        background(log.run()),
        httpx.AsyncClient(transport=transport, base_url="http://test", headers=bearer(Role.PREDICTOR)) as client,
    ):
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
            {"name": "rondo.model_version", "shape": [2, 1], "datatype": "BYTES", "data": ["3", "3"]},
        ],
    }  # fmt: skip
    (batch,) = topic.batches
    assert [(r["id"], r["entity"], r["feature.carrier"], r["output.score"]) for r in batch.to_pylist()] == [
        ("q/0", "N1", "AA", 3.0), ("q/1", None, None, 6.0),
    ]  # fmt: skip


async def test_ready_agrees_with_readyz(client: httpx.AsyncClient, topic: LogTopic) -> None:
    assert (await client.get("/v2/health/ready")).json() == {"ready": True}
    topic.unavailable = True
    assert (await client.get("/v2/health/live")).json() == {"live": True}
    unavailable = await client.get("/v2/health/ready")
    assert (unavailable.status_code, unavailable.json()) == (503, {"ready": False})


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
    ("path", "body", "status", "expected"),
    [
        ("/v2/models/unknown/infer", {"inputs": []}, 404, "models that are deployed: delay."),
        ("/v2/models/delay/versions/9/infer", {"inputs": []}, 404, "served by version 3, not 9: ask for that one"),
        (INFER, b"hello", 400, "the body does not fit"),
        (INFER, {}, 400, 'missing required field `inputs`): send {"inputs": [{"name": "<feature>"'),
        (INFER, {"inputs": []}, 400, "send one tensor for each of distance (FP32), seats (INT64), night (BOOL)"),
        (
            INFER,
            {"inputs": [DISTANCE]},
            400,
            "the feature `night` is missing: send true or false, in a BOOL tensor of shape [2, 1]",
        ),
        (
            INFER,
            {"inputs": [DISTANCE, tensor("night", "BOOL", *[True])]},
            400,
            "send [2, 1] with 2 values, as many rows",
        ),
        (
            INFER,
            {"inputs": [DISTANCE, tensor("night", "FP32", 1, 0)]},
            400,
            "the feature `night` is sent as FP32: send true or false, in a BOOL tensor",
        ),
        (
            INFER,
            {"inputs": [tensor("distance", "FP32", "far", 1), NIGHT]},
            400,
            "the feature `distance` at row 0 is the text 'far': send a number, such as 12.5",
        ),
        (
            INFER,
            {"inputs": [tensor("distance", "FP32", None, 1), NIGHT]},
            400,
            "the feature `distance` at row 0 is null, and it may not be missing: send a number",
        ),
        (
            INFER,
            {"inputs": [tensor("distance", "FP64", 1e39, 1), NIGHT]},
            400,
            "the feature `distance` at row 0 is infinite as a 32-bit float: send a number",
        ),
        (
            INFER,
            {"inputs": [DISTANCE, NIGHT, tensor("seats", "INT64", 2.5, 1)]},
            400,
            "the feature `seats` at row 0 is the number 2.5: send a whole number, such as 12",
        ),
        (
            INFER,
            {"inputs": [tensor("distanse", "FP32", 1.5, 3), NIGHT]},
            400,
            "`distance` is missing (there is a `distanse`, which the model does not know): send a number",
        ),
        (
            INFER,
            {"inputs": [DISTANCE, NIGHT, tensor("rondo.entity", "BYTES", "N1", 7)]},
            400,
            "`rondo.entity` at row 1 is the number 7: send a text, or null",
        ),
        (INFER, {"inputs": [tensor("distance", "FP32", shape=[0, 1])]}, 400, "has 0 rows: send 1 to 10,000"),
        (INFER, {"id": "", "inputs": []}, 400, "`id` has 0 characters: send 1 to 256"),
        (
            INFER,
            {"inputs": [DISTANCE, NIGHT, tensor("rondo.event_time", "BYTES", "soon", "late")]},
            400,
            "not an RFC 3339 time",
        ),
        (
            INFER,
            {
                "inputs": [
                    DISTANCE,
                    NIGHT,
                    tensor("rondo.event_time", "BYTES", "2013-03-01T12:00:00Z", "2013-03-01T12:00:00"),
                ]
            },
            400,
            "not an RFC 3339 time with an offset",
        ),
        (
            INFER,
            {"inputs": [DISTANCE, NIGHT, tensor("rondo.event_time", "BYTES", None, "2013-03-03T12:00:00Z")]},
            400,
            "`event_time` at row 1 is 2013-03-03 12:00:00+00:00: send a time from 1900 to a day from now",
        ),
        (
            INFER,
            {"inputs": [tensor("distance", "FP64", 10**310, 1), NIGHT]},
            400,
            "`distance` at row 0 is infinite as a 32-bit float",
        ),
        (
            INFER,
            {"inputs": [tensor("distance", "FP32", [[1]], 1), NIGHT]},
            400,
            "`distance` at row 0 is a list: send a number",
        ),
        (
            INFER,
            {"inputs": [DISTANCE, NIGHT, tensor("rondo.entity", "BYTES", "N1", "")]},
            400,
            "`rondo.entity` at row 1 has 0 characters: send 1 to 256, or null",
        ),
        (
            INFER,
            {"inputs": [DISTANCE, NIGHT, tensor("rondo.id", "BYTES", "x" * 257, None)]},
            400,
            "`rondo.id` at row 0 has 257 characters: send 1 to 256, or null",
        ),
        (
            INFER,
            {"inputs": [DISTANCE, NIGHT], "outputs": [{"name": "score"}, {"name": "shap"}]},
            400,
            "there is no output `shap`: ask for some of score, rondo.id, rondo.model_version, or name none",
        ),
        (
            INFER,
            {"inputs": [DISTANCE, NIGHT, tensor("carrier", "BYTES", "AA", "x" * 1_050_000)]},
            413,
            "more than the 1,048,576 that are allowed: send shorter texts",
        ),
        ("/v2/nothing", {}, 404, "there is nothing at /v2/nothing: ask `GET /v2` for the server"),
        ("/v2/models/delay", {}, 405, "/v2/models/delay does not take POST; the header Allow lists what it takes"),
        (INFER, b"x" * (8 * 1024 * 1024 + 1), 413, "the body is larger than 8,388,608 bytes: send fewer rows"),
    ],
)
async def test_errors_name_what_to_send(
    client: httpx.AsyncClient, path: str, body: Any, status: int, expected: str
) -> None:
    response = await client.post(path, **({"content": body} if isinstance(body, bytes) else {"json": body}))
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    problem = response.json()
    assert problem.keys() >= {"type", "title", "status", "detail", "code", "error"}
    assert (problem["type"], problem["status"]) == (f"urn:rondo:problem:{problem['code']}", status)
    assert problem["error"] == problem["detail"]
    assert expected in problem["error"]
    assert ("allow" in response.headers) is (status == 405)


async def test_a_compressed_body_is_answered_and_another_encoding_refused(client: httpx.AsyncClient) -> None:
    body = gzip.compress(json.dumps({"inputs": [DISTANCE, NIGHT]}).encode())
    assert (await client.post(INFER, content=body, headers={"content-encoding": "gzip"})).status_code == 200
    response = await client.post(INFER, content=body, headers={"content-encoding": "br"})
    assert (response.status_code, response.headers["accept-encoding"]) == (415, "gzip, deflate")
    assert "is not supported: send gzip, deflate, or none" in response.json()["error"]


async def test_parameters_are_ignored_and_unknown_members_refused(client: httpx.AsyncClient) -> None:
    extra = {"parameters": {"binary_data": False}}
    sent = {"inputs": [DISTANCE | extra, NIGHT], "outputs": [{"name": "score"} | extra]} | extra
    assert (await client.post(INFER, json=sent)).status_code == 200
    for wrong in ({"input": []}, {"inputs": [DISTANCE | {"type": "x"}, NIGHT]}, {"outputs": [{"nam": "score"}]}):
        response = await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]} | wrong)
        assert response.status_code == 400


async def test_only_requested_outputs_are_returned(client: httpx.AsyncClient) -> None:
    response = await client.post(INFER, json={"inputs": [DISTANCE, NIGHT], "outputs": [{"name": "score"}]})
    assert [output["name"] for output in response.json()["outputs"]] == ["score"]


async def test_the_longest_id_may_be_that_of_several_rows(client: httpx.AsyncClient) -> None:
    ids: list[str] = []
    for name in ("x" * 256, "x" * 255 + "y"):
        response = await client.post(INFER, json={"id": name, "inputs": [DISTANCE, NIGHT]})
        assert response.json()["id"] == name
        ids += response.json()["outputs"][1]["data"]
    assert len(set(ids)) == 4
    assert max(map(len, ids)) <= 256


class Failing:
    """A model that fails."""

    def score(self, _: Any) -> Any:
        message = "the model broke"
        raise RuntimeError(message)


async def test_a_model_that_fails_is_no_failure_of_the_service(
    client: httpx.AsyncClient,
    models: ServedModels,
    version: Callable[..., LoadedVersion],
    serve: Callable[..., ServedModel],
) -> None:
    models.swap(serve(replace(version(4), scorer=Failing())))
    response = await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})
    assert (response.status_code, response.json()["error"]) == (
        400, "the model gave no finite score for these features at row 0: send this request to the model's owner",
    )  # fmt: skip


async def test_a_bug_of_ours_has_the_form_of_the_protocol(client: httpx.AsyncClient, topic: LogTopic) -> None:
    del topic.unavailable  # so that the report of the dependencies fails
    response = await client.get("/v2/health/ready")
    assert response.status_code == 500
    assert (response.json()["code"], "its log has the reason" in response.json()["error"]) == ("internal_error", True)


@pytest.mark.parametrize("role", Role)
async def test_a_prediction_needs_the_predictor_and_metadata_a_reader(client: httpx.AsyncClient, role: Role) -> None:
    inferred = await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]}, headers=bearer(role))
    assert inferred.status_code == (200 if role in {Role.PREDICTOR, Role.ADMIN} else 403)
    reads = role is not Role.PUBLISHER
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/delay", "/v2/models/delay/ready"):
        response = await client.get(path, headers=bearer(role))
        assert response.status_code == (200 if reads else 403)


async def test_a_refused_token_has_the_form_of_the_protocol(client: httpx.AsyncClient) -> None:
    for path, headers, status, code in (
        (INFER, {"authorization": "Bearer wrong"}, 401, "unauthenticated"),
        ("/v2/nothing", {"authorization": ""}, 401, "unauthenticated"),
        (INFER, bearer(Role.READER), 403, "forbidden"),
    ):
        response = await client.post(path, json={"inputs": []}, headers=headers)
        problem = response.json()
        assert (response.status_code, problem["code"], problem["error"]) == (status, code, problem["detail"])
        assert int(response.headers["content-length"]) == len(response.content)
    assert problem["required_roles"] == ["predictor"]


async def test_each_row_is_answered_by_the_version_that_its_key_meets(
    client: httpx.AsyncClient,
    models: ServedModels,
    version: Callable[..., LoadedVersion],
    serve: Callable[..., ServedModel],
    topic: LogTopic,
) -> None:
    serving = serve(version(1), version(2, 10.0), shares=(0.5, 0.5))
    models.swap(serving)
    entities = [f"N{number}" for number in range(40)]
    expected = [serving.version_for(entity).model_version for entity in entities]
    assert set(expected) == {1, 2}
    inputs = [
        tensor("distance", "FP32", *range(40)), tensor("night", "BOOL", *[False] * 40),
        tensor("rondo.entity", "BYTES", *entities),
    ]  # fmt: skip
    answer = (await client.post(INFER, json={"inputs": inputs})).json()
    outputs = {output["name"]: output["data"] for output in answer["outputs"]}
    assert outputs["rondo.model_version"] == [str(number) for number in expected]
    assert outputs["score"] == [n * (1.0 if number == 1 else 10.0) for n, number in enumerate(expected)]
    assert "model_version" not in answer
    logged = {
        row["entity"]: logs.metadata(batch)["model_version"] for batch in topic.batches for row in batch.to_pylist()
    }
    assert logged == dict(zip(entities, outputs["rondo.model_version"], strict=True))
    one = (await client.post("/v2/models/delay/versions/2/infer", json={"inputs": inputs})).json()
    assert one["model_version"] == "2"


async def test_a_withdrawn_model_is_an_error_with_the_reason(client: httpx.AsyncClient, models: ServedModels) -> None:
    models.withdraw("delay", 2, "delay was withdrawn")
    response = await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})
    problem = response.json()
    assert (response.status_code, problem["code"], problem["error"]) == (404, "unserved_model", "delay was withdrawn")


def total(outcome: str, version: str = "") -> float:
    labels = {"model": "delay" if version else "", "version": version, "outcome": outcome}
    return REGISTRY.get_sample_value("rondo_predictions_total", labels) or 0.0


async def test_http_requests_are_counted_as_kafka_requests(client: httpx.AsyncClient, topic: LogTopic) -> None:
    before = total("answered", "3"), total("missing_feature"), total("unavailable")
    await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})
    await client.post(INFER, json={"inputs": [DISTANCE]})
    topic.unavailable = True
    await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})
    after = total("answered", "3"), total("missing_feature"), total("unavailable")
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1, 1]


async def test_an_inference_is_a_span_of_the_callers_trace(
    client: httpx.AsyncClient, spans: InMemorySpanExporter
) -> None:
    trace_id, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    headers = {"traceparent": f"00-{trace_id}-{parent}-01"}
    await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]}, headers=headers)
    (span,) = (each for each in spans.get_finished_spans() if each.name == "POST /v2/models/{model}/infer")
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (trace_id, parent)
    assert dict(span.attributes or {}).items() >= {"model": "delay", "rows": 2}.items()


async def test_an_answer_that_cannot_be_logged_is_not_given(client: httpx.AsyncClient, topic: LogTopic) -> None:
    topic.unavailable = True
    response = await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})
    assert (response.status_code, "retry-after" in response.headers) == (503, True)
    assert "the inference log is not available" in response.json()["error"]
    topic.unavailable = False
    assert (await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})).status_code == 200
    assert len(topic.batches) == 1


async def test_before_its_application_is_set_the_api_is_unavailable() -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(AddErrorField(DeferredApp())), base_url="http://test"
    ) as client:
        response = await client.get("/v2")
    assert (response.status_code, response.json()["error"]) == (
        503, "the HTTP API is starting; try again in a second",
    )  # fmt: skip
