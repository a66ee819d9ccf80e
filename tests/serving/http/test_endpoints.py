"""The Open Inference Protocol v2: an answer is logged before it is sent, and errors say what to send."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rondo.serving.http.endpoints import DeferredApp
from rondo.serving.http.error_field import AddErrorField

from tests.serving.http.inference_api import DISTANCE, INFER, NIGHT, LogTopic, tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.models.serving_table import ServedModels


@pytest.mark.medium
async def test_ready_agrees_with_readyz(client: httpx.AsyncClient, topic: LogTopic) -> None:
    assert (await client.get("/v2/health/ready")).json() == {"ready": True}
    topic.unavailable = True
    assert (await client.get("/v2/health/live")).json() == {"live": True}
    unavailable = await client.get("/v2/health/ready")
    assert (unavailable.status_code, unavailable.json()) == (503, {"ready": False})


@pytest.mark.medium
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
            "send shape [2, 1] with 2 values, as many rows",
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
            "there is no output `shap`: ask for some of score, label, rondo.id, rondo.model_version, or name none",
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
@pytest.mark.medium
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


@pytest.mark.medium
async def test_a_compressed_body_is_answered_and_another_encoding_refused(client: httpx.AsyncClient) -> None:
    body = gzip.compress(json.dumps({"inputs": [DISTANCE, NIGHT]}).encode())
    assert (await client.post(INFER, content=body, headers={"content-encoding": "gzip"})).status_code == 200
    response = await client.post(INFER, content=body, headers={"content-encoding": "br"})
    assert (response.status_code, response.headers["accept-encoding"]) == (415, "gzip, deflate")
    assert "is not supported: send gzip, deflate, or none" in response.json()["error"]


@pytest.mark.medium
async def test_parameters_are_ignored_and_unknown_members_refused(client: httpx.AsyncClient) -> None:
    extra = {"parameters": {"binary_data": False}}
    sent = {"inputs": [DISTANCE | extra, NIGHT], "outputs": [{"name": "score"} | extra]} | extra
    assert (await client.post(INFER, json=sent)).status_code == 200
    for wrong in ({"input": []}, {"inputs": [DISTANCE | {"type": "x"}, NIGHT]}, {"outputs": [{"nam": "score"}]}):
        response = await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]} | wrong)
        assert response.status_code == 400


@pytest.mark.medium
async def test_only_requested_outputs_are_returned(client: httpx.AsyncClient) -> None:
    response = await client.post(INFER, json={"inputs": [DISTANCE, NIGHT], "outputs": [{"name": "score"}]})
    assert [output["name"] for output in response.json()["outputs"]] == ["score"]


@pytest.mark.medium
async def test_the_longest_id_may_be_that_of_several_rows(client: httpx.AsyncClient) -> None:
    ids: list[str] = []
    for name in ("x" * 256, "x" * 255 + "y"):
        response = await client.post(INFER, json={"id": name, "inputs": [DISTANCE, NIGHT]})
        assert response.json()["id"] == name
        ids += next(each["data"] for each in response.json()["outputs"] if each["name"] == "rondo.id")
    assert len(set(ids)) == 4
    assert max(map(len, ids)) <= 256


class Failing:
    def score(self, _: Any) -> Any:
        message = "the model broke"
        raise RuntimeError(message)


@pytest.mark.medium
async def test_a_model_that_fails_is_no_failure_of_the_service(
    client: httpx.AsyncClient,
    models: ServedModels,
    version: Callable[..., LoadedVersion],
    serve: Callable[..., ServedModel],
) -> None:
    models.swap(serve(replace(version(4), scorer=Failing())))
    response = await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})
    assert (response.status_code, response.json()["error"]) == (
        400, "the model gave no finite prediction for these features at row 0: send this request to the model's owner",
    )  # fmt: skip


@pytest.mark.medium
async def test_a_bug_of_ours_has_the_form_of_the_protocol(client: httpx.AsyncClient, topic: LogTopic) -> None:
    del topic.unavailable  # so that the report of the dependencies fails
    response = await client.get("/v2/health/ready")
    assert response.status_code == 500
    assert response.json()["code"] == "internal_error"
    assert "log" in response.json()["error"]


@pytest.mark.medium
async def test_a_withdrawn_model_is_an_error_with_the_reason(client: httpx.AsyncClient, models: ServedModels) -> None:
    models.withdraw("delay", 2, "delay was withdrawn")
    response = await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]})
    problem = response.json()
    assert (response.status_code, problem["code"], problem["error"]) == (404, "unserved_model", "delay was withdrawn")


async def test_before_its_application_is_set_the_api_is_unavailable() -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(AddErrorField(DeferredApp())), base_url="http://test"
    ) as client:
        response = await client.get("/v2")
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", INFER, 405),
        ("POST", "/v2/models//infer", 404),
        ("POST", "/v2/models/delay/infer/", 307),
        ("POST", "/v2/other/delay/infer", 404),
        ("POST", "/v2/models/delay/revisions/3/infer", 404),
        ("POST", "/v2/models/delay/versions/3/infer", 400),
    ],
)
@pytest.mark.medium
async def test_what_is_no_inference_is_answered_by_the_router(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    assert (await client.request(method, path, content=b"{}")).status_code == status
