"""The binary tensor extension: raw contents after the JSON of a request, and of a response."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rondo.contracts.access_tokens import Role
from rondo.serving.http.body import HEADER_LENGTH
from rondo.serving.open_inference import binary

from tests.serving.http.inference_api import DISTANCE, INFER, NIGHT
from tests.support.access import bearer

if TYPE_CHECKING:
    import httpx
    from rondo.serving.models.serving_table import ServedModels

RAW = np.array([1.5, 3], "<f4").tobytes()


def raw_tensor(tensor: dict[str, Any], size: Any) -> dict[str, Any]:
    return {key: value for key, value in tensor.items() if key != "data"} | {"parameters": {"binary_data_size": size}}


async def send(
    client: httpx.AsyncClient, text: dict[str, Any], raw: bytes, length: str | None = None
) -> httpx.Response:
    head = json.dumps(text).encode()
    return await client.post(INFER, content=head + raw, headers={HEADER_LENGTH: length or str(len(head))})


def parts(response: httpx.Response) -> tuple[dict[str, Any], bytes]:
    length = int(response.headers[HEADER_LENGTH])
    return json.loads(response.content[:length]), response.content[length:]


@pytest.mark.medium
async def test_raw_inputs_are_answered_in_json_unless_raw_outputs_are_asked_for(client: httpx.AsyncClient) -> None:
    response = await send(client, {"inputs": [raw_tensor(DISTANCE, 8), NIGHT]}, RAW)
    assert response.status_code == 200, response.text
    assert response.json()["outputs"][0]["data"] == [3.0, 6.0]


@pytest.mark.medium
@pytest.mark.parametrize("whole", [True, False], ids=["all", "one"])
async def test_outputs_are_raw_where_they_are_asked_for(client: httpx.AsyncClient, *, whole: bool) -> None:
    body: dict[str, Any] = {"inputs": [DISTANCE, NIGHT], "id": "r"}
    if whole:
        body["parameters"] = {"binary_data_output": True}
    else:
        body["outputs"] = [{"name": "rondo.id"}, {"name": "score", "parameters": {"binary_data": True}}]
    response = await client.post(INFER, json=body)
    assert response.headers["content-type"] == "application/octet-stream"
    text, raw = parts(response)
    outputs = {each["name"]: each for each in text["outputs"]}
    assert outputs["score"]["parameters"]["binary_data_size"] == 8
    if whole:
        assert np.frombuffer(raw[:8], "<f4").tolist() == [3.0, 6.0]
        assert not any("data" in each for each in text["outputs"])
        sizes = [each["parameters"]["binary_data_size"] for each in text["outputs"]]
        names = [each["name"] for each in text["outputs"]]
        assert sum(sizes) == len(raw)
        start = sum(sizes[: names.index("rondo.id")])
        ids = raw[start : start + sizes[names.index("rondo.id")]]
        assert binary.decode("rondo.id", "BYTES", [2], ids) == ["r/0", "r/1"]
    else:
        assert np.frombuffer(raw, "<f4").tolist() == [3.0, 6.0]
        assert outputs["rondo.id"]["data"] == ["r/0", "r/1"]


@pytest.mark.medium
async def test_values_in_two_forms_are_refused(client: httpx.AsyncClient) -> None:
    both = DISTANCE | {"parameters": {"binary_data_size": len(RAW)}}
    response = await send(client, {"inputs": [both, NIGHT]}, RAW)
    assert response.status_code == 400
    wanted = "the feature `distance` has `data`, and `binary_data_size` beside it: send its values in one form"
    assert response.json()["detail"] == wanted


@pytest.mark.medium
@pytest.mark.parametrize(
    ("size", "raw", "length", "message"),
    [
        (9, RAW, None, "is 9, and 8 bytes are left after the JSON"),
        (-1, RAW, None, "`binary_data_size` of the feature `distance` is -1"),
        ("8", RAW, None, "`binary_data_size` of the feature `distance` is 8"),
        (8, RAW + b"x", None, "1 bytes follow the last tensor"),
        (4, RAW[:4], None, "has 4 bytes: send 8"),
        (8, RAW, "99999", "send how many of the 197 bytes are JSON"),
        (8, RAW, "-1", "send how many of the 197 bytes are JSON"),
        (8, RAW, "9" * 5000, "send how many of the 197 bytes are JSON"),
        (8, RAW, "0" * 12 + "9" * 5000, "send how many of the 197 bytes are JSON"),
    ],
)
async def test_contents_that_do_not_fit_are_refused(
    client: httpx.AsyncClient, size: Any, raw: bytes, length: str | None, message: str
) -> None:
    response = await send(client, {"inputs": [raw_tensor(DISTANCE, size), NIGHT]}, raw, length)
    assert response.status_code == 400
    assert message in response.json()["detail"]


@pytest.mark.medium
async def test_the_repository_can_be_looked_at_and_not_changed(client: httpx.AsyncClient) -> None:
    index = await client.post("/v2/repository/index", json={"ready": True})
    assert index.json() == [{"name": "delay", "version": "3", "state": "READY", "reason": ""}]
    assert (await client.post("/v2/repository/index")).json() == index.json()
    assert (await client.post("/v2/repository/models/delay/load", json={"parameters": {}})).status_code == 200
    assert (await client.post("/v2/repository/models/other/load")).status_code == 404
    refused = await client.post("/v2/repository/index", content=b'{"ready": 3}')
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")


@pytest.mark.medium
async def test_a_model_is_not_unloaded_by_a_client(client: httpx.AsyncClient, models: ServedModels) -> None:
    unload = "/v2/repository/models/{}/unload"
    assert (await client.post(unload.format("delay"))).status_code == 403
    engineer = bearer(Role.ENGINEER)
    refused = await client.post(unload.format("delay"), headers=engineer)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_allowed")
    assert (await client.post(unload.format("other"), headers=engineer)).status_code == 404
    assert models.table.find("delay").versions[0].model_version == 3
