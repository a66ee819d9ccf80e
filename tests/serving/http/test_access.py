"""The roles that may predict and read metadata over HTTP, and the response to a refused token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rondo.contracts.access_tokens import Role

from tests.serving.http.inference_api import DISTANCE, INFER, NIGHT
from tests.support.access import bearer

if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize("role", Role)
@pytest.mark.medium
async def test_a_prediction_needs_the_predictor_and_metadata_a_reader(client: httpx.AsyncClient, role: Role) -> None:
    inferred = await client.post(INFER, json={"inputs": [DISTANCE, NIGHT]}, headers=bearer(role))
    assert inferred.status_code == (200 if role in {Role.PREDICTOR, Role.ADMIN} else 403)
    reads = role is not Role.PUBLISHER
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/delay", "/v2/models/delay/ready"):
        response = await client.get(path, headers=bearer(role))
        assert response.status_code == (200 if reads else 403)


@pytest.mark.medium
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
