"""Every HTTP API has one error shape, a role for each route, and a complete OpenAPI document."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rondo.chassis.health import Health
from rondo.chassis.http.server import guarded
from rondo.contracts.access_tokens import Role
from rondo.ingestion.http import routes as ingestion
from rondo.monitor import http as monitor
from rondo.registry.http import app as registry
from rondo.serving.http import endpoints as serving
from rondo.trainer import app as trainer

from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import ASGIApp

UNUSED: Any = None
APIS: dict[str, Callable[[], ASGIApp]] = {
    "ingestion": ingestion.api,
    "monitor": monitor.api,
    "registry": registry.api,
    "serving": lambda: serving.api(UNUSED, UNUSED, UNUSED),
    "trainer": lambda: trainer.api("Rondo trainer", "Trains models."),
}
HEALTH = {"/livez", "/readyz", "/metrics"}


@cache
def api_of(service: str) -> ASGIApp:
    """Return the API of a service. It is cached, because its document takes 0.1 s."""
    return APIS[service]()


@pytest.fixture(params=APIS)
async def http(request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    app = guarded(Health(), await token_cache(), api_of(request.param))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=bearer()) as opened:
        yield opened


def is_problem(answer: httpx.Response, status: int, code: str) -> bool:
    found = answer.json()
    return (
        answer.headers["content-type"] == "application/problem+json"
        and (answer.status_code, found["status"], found["code"]) == (status, status, code)
        and found["type"] == f"urn:rondo:problem:{code}"
        and bool(found["title"] and found["detail"])
    )


async def operations(http: httpx.AsyncClient) -> dict[tuple[str, str], dict[str, Any]]:
    document = (await http.get("/openapi.json")).json()
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path not in HEALTH
    }


@pytest.mark.medium
async def test_what_is_not_there_or_not_allowed(http: httpx.AsyncClient) -> None:
    assert is_problem(await http.get("/v1/nothing/of/this/name"), 404, "not_found")
    assert is_problem(await http.get("/openapi.json", headers={"authorization": ""}), 401, "unauthenticated")
    wrong = await http.delete("/openapi.json")
    assert is_problem(wrong, 405, "method_not_allowed")
    assert "GET" in wrong.headers["allow"]


@pytest.mark.medium
async def test_each_route_names_its_roles(http: httpx.AsyncClient) -> None:
    """A route without roles would be for admins only, by omission."""
    admins_only = [key for key, found in (await operations(http)).items() if found["x-required-roles"] == ["admin"]]
    assert all("/tokens" in path for _, path in admins_only)


@pytest.mark.medium
async def test_no_route_takes_an_address(http: httpx.AsyncClient) -> None:
    """Rondo only calls addresses of its settings, so no request has an address."""
    document = (await http.get("/openapi.json")).json()
    schemas = document.get("components", {}).get("schemas", {})
    for key, operation in (await operations(http)).items():
        taken = {each["name"] for each in operation.get("parameters", [])}
        for content in operation.get("requestBody", {}).get("content", {}).values():
            taken |= names_in(content.get("schema", {}), schemas)
        words = {word for name in taken for word in name.lower().split("_")}
        assert not words & {"url", "urls", "uri", "address", "host", "hostname", "webhook", "callback", "endpoint"}, key


def names_in(schema: Any, schemas: dict[str, Any], known: frozenset[str] = frozenset()) -> set[str]:
    """Return the names of the members of a schema, at any depth. A text in the format of a URI is called `uri`."""
    if isinstance(schema, list):
        return set().union(*(names_in(each, schemas, known) for each in schema))
    if not isinstance(schema, dict):
        return set()
    reference = str(schema.get("$ref", "")).rpartition("/")[2]
    if reference and reference not in known:
        return names_in(schemas[reference], schemas, known | {reference})
    found = {"uri"} if schema.get("format") in {"uri", "url"} else set()
    found |= set(schema.get("properties", {}))
    return found.union(*(names_in(each, schemas, known) for each in schema.values()))


async def test_a_token_without_the_role_is_refused_by_name(http: httpx.AsyncClient) -> None:
    for (method, path), found in (await operations(http)).items():
        lacking = next(role for role in (Role.PREDICTOR, Role.PUBLISHER) if role not in found["x-required-roles"])
        answer = await http.request(method, path.replace("{", "").replace("}", "1"), headers=bearer(lacking))
        if answer.status_code != 422:  # a placeholder of the path is not a number
            assert is_problem(answer, 403, "forbidden"), (method, path, answer.text)
            assert answer.json()["required_roles"] == found["x-required-roles"]


async def test_the_document_has_the_errors_of_each_route(http: httpx.AsyncClient) -> None:
    for key, found in (await operations(http)).items():
        errors = {status: answer for status, answer in found["responses"].items() if status >= "4"}
        assert {"401", "403", "405", "500", "503"} <= errors.keys(), key
        assert errors.keys() & {"400", "422"} or key[1].startswith("/v2"), (
            key
        )  # FastAPI's word for a bad request is 422
        assert all("application/problem+json" in answer["content"] for answer in errors.values()), key
        assert found["summary"], key
        assert any(status < "4" and "content" in answer for status, answer in found["responses"].items()), key


async def test_each_text_of_a_path_or_query_has_a_pattern(http: httpx.AsyncClient) -> None:
    """A text without a pattern may have characters that PostgreSQL refuses. Serving only looks its names up.

    A time is parsed, so PostgreSQL gets no text of it.
    """
    for key, found in (await operations(http)).items():
        if not key[1].startswith("/v2"):
            for parameter in found.get("parameters", ()):
                schema = parameter["schema"]
                for each in schema.get("anyOf", [schema]):
                    constrained = {"pattern", "enum"} & {*schema, *each}
                    is_time = each.get("format") == "date-time"
                    assert each["type"] != "string" or is_time or constrained, (key, parameter["name"])
