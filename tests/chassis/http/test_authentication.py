from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from rondo.chassis.health import Health
from rondo.chassis.http.authentication import require
from rondo.chassis.http.problems import HANDLERS
from rondo.chassis.http.server import guarded
from rondo.chassis.security.token_cache import TokenCache
from rondo.contracts.access_tokens import Role
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.support.access import ADMIN, TOKENS, bearer, token_cache

if TYPE_CHECKING:
    from starlette.requests import Request


async def name(request: Request) -> PlainTextResponse:
    return PlainTextResponse(require(request, Role.APPROVER, Role.ENGINEER).name)


def client(cache: TokenCache) -> httpx.AsyncClient:
    app = Starlette(routes=[Route("/v1/name", name)], exception_handlers=HANDLERS)
    return httpx.AsyncClient(transport=httpx.ASGITransport(guarded(Health(), cache, app)), base_url="http://test")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
async def test_the_scheme_is_case_insensitive(scheme: str) -> None:
    async with client(await token_cache()) as http:
        answer = await http.get("/v1/name", headers={"authorization": f"{scheme} {ADMIN}"})
    assert (answer.status_code, answer.text) == (200, "admin")


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", ADMIN, f"Basic {ADMIN}", f"Bearer {ADMIN}x", "Bearer ÿ"]
)
@pytest.mark.parametrize("path", ["/v1/name", "/v1/anything", "/openapi.json"])
async def test_without_a_token_nothing_but_health_answers(
    header: str | None, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rondo.chassis.security.token_cache._ARRIVAL_SECONDS", 0.01)
    async with client(await token_cache()) as http:
        sent = {"authorization": header.encode("latin-1")} if header is not None else {}
        answer = await http.get(path, headers=sent)
        assert (await http.get("/livez", headers=sent)).status_code == 200
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert ADMIN not in answer.text


async def test_a_refusal_names_what_to_send() -> None:
    async with client(await token_cache()) as http:
        answer = await http.get("/v1/name")
    assert "send the header Authorization: Bearer <token>" in answer.json()["detail"]


@pytest.mark.parametrize("role", Role)
async def test_a_route_needs_one_of_its_roles(role: Role) -> None:
    allowed = {Role.APPROVER, Role.ENGINEER, Role.ADMIN}
    async with client(await token_cache()) as http:
        answer = await http.get("/v1/name", headers=bearer(role))
    if role in allowed:
        assert (answer.status_code, answer.text) == (200, role)
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert answer.json()["required_roles"] == ["approver", "engineer"]


async def test_before_the_tokens_have_been_read_a_request_is_to_be_sent_again() -> None:
    async with client(TokenCache()) as http:
        answer = await http.get("/v1/name", headers={"authorization": f"Bearer {TOKENS[Role.ADMIN]}"})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_what_is_not_there_has_the_same_shape() -> None:
    async with client(await token_cache()) as http:
        missing = await http.get("/v1/anything", headers=bearer())
        wrong = await http.post("/v1/name", headers=bearer())
        health = await http.post("/livez")
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:rondo:problem:not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in wrong.headers["allow"]
    assert health.status_code == 405
    assert "GET" in health.headers["allow"]
