"""Every route of the HTTP API: its token, its role, its document, its refusals, and lists in pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rondo.chassis.health import Health
from rondo.chassis.http.server import guarded
from rondo.contracts.access_tokens import Role
from rondo.registry.http import app
from starlette.routing import BaseRoute, Route

from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fastapi import APIRouter


def every_route(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str]]:
    for route in routes:
        if isinstance(route, Route):
            yield from ((method, route.path) for method in (route.methods or set()) - {"HEAD"})
        else:  # FastAPI keeps what it includes behind the router that it came from
            router: APIRouter = route.original_router  # type: ignore[attr-defined]
            yield from every_route(router.routes)


async def test_every_route_asks_for_the_token(client: httpx.AsyncClient) -> None:
    routes = list(every_route(app.api().routes))
    assert sorted(routes) == [
        ("DELETE", "/v1/datasets/{dataset}"),
        ("DELETE", "/v1/models/{model}"),
        ("DELETE", "/v1/tokens/{token_id}"),
        ("GET", "/openapi.json"),
        ("GET", "/v1/datasets"),
        ("GET", "/v1/datasets/{dataset}"),
        ("GET", "/v1/datasets/{dataset}/audit"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/{model}"),
        ("GET", "/v1/models/{model}/audit"),
        ("GET", "/v1/models/{model}/audit/head"),
        ("GET", "/v1/models/{model}/history"),
        ("GET", "/v1/models/{model}/replicas"),
        ("GET", "/v1/models/{model}/rollout"),
        ("GET", "/v1/models/{model}/spec"),
        ("GET", "/v1/models/{model}/versions"),
        ("GET", "/v1/models/{model}/versions/{version}"),
        ("GET", "/v1/models/{model}/versions/{version}/artifact"),
        ("GET", "/v1/models/{model}/versions/{version}/lineage"),
        ("GET", "/v1/models/{model}/versions/{version}/signature"),
        ("GET", "/v1/rollouts"),
        ("GET", "/v1/runs"),
        ("GET", "/v1/tokens"),
        ("GET", "/v1/tokens/audit"),
        ("POST", "/v1/models/{model}/promote"),
        ("POST", "/v1/models/{model}/rollback"),
        ("POST", "/v1/models/{model}/rollout/{action}"),
        ("POST", "/v1/models/{model}/train"),
        ("POST", "/v1/models/{model}/versions"),
        ("POST", "/v1/models/{model}/versions/{version}/scoring-jobs"),
        ("POST", "/v1/tokens"),
        ("POST", "/v1/tokens/{token_id}/rotate"),
        ("PUT", "/v1/specs"),
    ]
    for method, path in [*routes, ("GET", "/nowhere")]:
        url = path.replace("{model}", "late").replace("{version}", "1")
        for headers in ({"authorization": ""}, {"authorization": "Bearer wrong"}):
            answer = await client.request(method, url, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), url


@pytest.mark.slow
async def test_the_document_names_the_body_of_a_spec_the_role_and_the_shape_of_errors(
    client: httpx.AsyncClient,
) -> None:
    document = (await client.get("/openapi.json")).json()
    assert document["paths"]["/v1/specs"]["put"]["requestBody"]["content"].keys() == {"application/yaml"}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path.startswith("/v1"):
                assert {"401", "403", "404", "405", "422", "503"} <= operation["responses"].keys(), path
                schema = operation["responses"]["404"]["content"]["application/problem+json"]["schema"]
                assert (schema, bool(operation["x-required-roles"])) == ({"$ref": "#/components/schemas/Problem"}, True)


@pytest.mark.parametrize(
    ("method", "path", "needed", "lacking"),
    [
        ("PUT", "/v1/specs", Role.ENGINEER, Role.APPROVER),
        ("POST", "/v1/models/late/train", Role.ENGINEER, Role.APPROVER),
        ("POST", "/v1/models/late/versions", Role.ENGINEER, Role.APPROVER),
        ("POST", "/v1/models/late/promote", Role.APPROVER, Role.ENGINEER),
        ("POST", "/v1/models/late/rollback", Role.APPROVER, Role.ENGINEER),
        ("DELETE", "/v1/models/late", Role.APPROVER, Role.ENGINEER),
        *(
            ("POST", f"/v1/models/late/rollout/{action}", Role.APPROVER, Role.ENGINEER)
            for action in ("pause", "resume", "promote", "abort")
        ),
        ("GET", "/v1/rollouts", Role.READER, Role.PREDICTOR),
        ("GET", "/v1/models/late/rollout", Role.READER, Role.PREDICTOR),
        ("GET", "/v1/models", Role.READER, Role.PREDICTOR),
        ("GET", "/v1/models/late/audit", Role.READER, Role.PUBLISHER),
        ("GET", "/v1/tokens", Role.ADMIN, Role.APPROVER),
        ("GET", "/v1/tokens/audit", Role.ADMIN, Role.READER),
        ("POST", "/v1/tokens", Role.ADMIN, Role.ENGINEER),
        ("POST", "/v1/tokens/x/rotate", Role.ADMIN, Role.ENGINEER),
        ("DELETE", "/v1/tokens/x", Role.ADMIN, Role.ENGINEER),
    ],
)
async def test_a_route_needs_its_role(
    client: httpx.AsyncClient, method: str, path: str, needed: Role, lacking: Role
) -> None:
    refused = await client.request(method, path, headers=bearer(lacking))
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert refused.json()["required_roles"] == [needed]
    assert (await client.request(method, path, headers=bearer(needed))).status_code != 403


async def test_the_document_resolves_all_its_references(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    for reference in references(document):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    operations = [
        (path, o) for path, each in document["paths"].items() if path.startswith("/v1") for o in each.values()
    ]
    assert len({operation["operationId"] for _, operation in operations}) == len(operations)
    for path, operation in operations:
        named = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path)), path


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
        yield from (found for value in node.values() for found in references(value))
    elif isinstance(node, list):
        yield from (found for value in node for found in references(value))


async def test_unknown_things_are_refused_with_the_next_step(seeded: httpx.AsyncClient) -> None:
    for path in ("", "/spec", "/versions", "/versions/1", "/versions/1/artifact", "/versions/1/lineage", "/history"):
        answer = await seeded.get(f"/v1/models/gone{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_model"), path
        assert {"'gone';", "late:"} <= {*answer.json()["detail"].split()}
    for command, body in (("promote", {"version": 1}), ("rollback", {}), ("train", {})):
        answer = await seeded.post(f"/v1/models/gone/{command}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_model")
    answer = await seeded.get("/v1/models/late/versions/9")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_version")
    assert re.findall(r"\d+", answer.json()["detail"]) == ["9", "1", "3"]
    answer = await seeded.get("/v1/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    answer = await seeded.delete("/v1/models")
    assert (answer.status_code, answer.json()["code"], answer.headers["allow"]) == (405, "method_not_allowed", "GET")
    answer = await seeded.get("/v1/models/late/versions/one")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    answer = await seeded.post("/v1/models/late/promote", json={"vresion": 1})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert re.findall("v[a-z]+: ", answer.json()["detail"]) == ["version: ", "vresion: "]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/models/late%00", None),
        ("GET", "/v1/runs?model=%00", None),
        ("GET", f"/v1/models/late/versions/{2**31}", None),
        ("GET", "/v1/models/late/versions/0", None),
        ("POST", "/v1/models/late/promote", {"version": 2**31}),
        ("POST", "/v1/models/late/promote", {"version": 1, "reason": "\0"}),
        ("POST", "/v1/models/late/rollback", {"decided_by": "somebody else"}),
        ("POST", "/v1/models/late/train", {"at": "0001-01-01T00:00:00+14:00"}),
        ("POST", "/v1/models/late/train", {"at": "9999-12-31T23:59:59Z"}),
        ("POST", "/v1/models/late/train", {"at": "1899-12-31T00:00:00Z"}),
        ("DELETE", "/v1/models/late?reason=%00", None),
    ],
)
async def test_values_that_postgresql_cannot_store_are_refused(
    seeded: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    answer = await seeded.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.medium
async def test_before_it_is_open_the_api_answers_503() -> None:
    transport = httpx.ASGITransport(guarded(Health(), await token_cache(), app.api()))
    async with httpx.AsyncClient(transport=transport, base_url="http://registry", headers=bearer()) as client:
        answer = await client.get("/v1/models")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "(still starting)" in answer.json()["detail"]


async def test_lists_are_paginated(seeded: httpx.AsyncClient) -> None:
    for path, items, key in (
        ("/v1/models/late/versions", "versions", "model_version"),
        ("/v1/models/late/audit", "entries", "number"),
    ):
        found, after = [], 0
        while after is not None:
            page = (await seeded.get(path, params={"limit": 2, "after": after})).json()
            assert len(page[items]) <= 2
            found += [item[key] for item in page[items]]
            after = page["next"]
        assert found == list(range(1, len(found) + 1))
    first = (await seeded.get("/v1/runs", params={"limit": 2})).json()
    second = (await seeded.get("/v1/runs", params={"limit": 2, "before": first["next"]})).json()
    assert [run["run_id"] for run in first["runs"] + second["runs"]] == ["run-3", "run-2", "run-1"]
    assert second["next"] is None
    for wrong in ("x", "~", f"{10**30}~run-1"):
        answer = await seeded.get("/v1/runs", params={"before": wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")
