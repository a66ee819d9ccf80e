"""The OpenAPI document describes the answers that the API gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jsonschema
import pytest

from tests.serving.http.inference_api import DISTANCE, INFER, NIGHT

if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v2", "/v2"),
        ("/v2/health/live", "/v2/health/live"),
        ("/v2/health/ready", "/v2/health/ready"),
        ("/v2/models/delay", "/v2/models/{model}"),
        ("/v2/models/delay/versions/3/ready", "/v2/models/{model}/versions/{version}/ready"),
    ],
)
@pytest.mark.medium
async def test_an_answer_fits_its_schema(client: httpx.AsyncClient, path: str, template: str) -> None:
    document = (await client.get("/openapi.json")).json()
    answer = document["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate((await client.get(path)).json(), answer)


@pytest.mark.medium
async def test_an_inference_fits_its_schemas(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    operation = document["paths"]["/v2/models/{model}/infer"]["post"]
    sent = {"inputs": [DISTANCE, NIGHT]}
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.validate(sent, body | {"components": document["components"]})
    answer = (await client.post(INFER, json=sent)).json()
    jsonschema.validate(answer, operation["responses"]["200"]["content"]["application/json"]["schema"])


@pytest.mark.medium
async def test_a_refused_inference_is_a_problem(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    refused = await client.post(INFER, json={"inputs": []})
    assert str(refused.status_code) in document["paths"]["/v2/models/{model}/infer"]["post"]["responses"]
    jsonschema.validate(refused.json(), document["components"]["schemas"]["Problem"])
