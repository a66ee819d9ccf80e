from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import pytest
from fastapi import APIRouter
from pydantic import BaseModel
from rondo.chassis.errors import UnavailableError
from rondo.chassis.health import Health
from rondo.chassis.http.api import Publisher, api, requires
from rondo.chassis.http.server import guarded
from rondo.contracts.access_tokens import Role

from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

router = APIRouter(prefix="/v1")


class Order(BaseModel):
    count: int


class ShopError(Exception):
    code: ClassVar[str] = "shop_closed"


class UnknownItemError(ShopError):
    code: ClassVar[str] = "unknown_item"

    def __init__(self, item: str) -> None:
        self.facts = {"item": item, "known": ["tea"]}
        super().__init__(f"there is no {item}")


@router.post("/items/{item}")
async def buy(item: str, order: Order, principal: Publisher) -> dict[str, Any]:
    match item:
        case "tea":
            return {"count": order.count, "by": principal.name}
        case "closed":
            raise ShopError("come again tomorrow")
        case "unavailable":
            raise UnavailableError("the shop", "no answer")
        case "broken":
            raise ZeroDivisionError
    raise UnknownItemError(item)


@router.get("/secrets")
async def secrets() -> None:
    """A route without a role, which only an admin may call."""


readers = APIRouter(prefix="/v1", dependencies=[requires(Role.READER, Role.PREDICTOR)])


@readers.get("/opening-hours")
async def opening_hours() -> str:
    return "always"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = api("Shop", "Sells tea.", errors={ShopError: 409, UnknownItemError: 404})
    app.include_router(router)
    app.include_router(readers)
    transport = httpx.ASGITransport(guarded(Health(), await token_cache(), app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop", headers=bearer(Role.PUBLISHER)) as opened:
        yield opened


async def test_the_principal_is_the_name_of_the_token(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/items/tea", json={"count": 2}, headers={"x-rondo-user": "somebody else"})
    assert answer.json() == {"count": 2, "by": "publisher"}


@pytest.mark.parametrize(
    ("item", "body", "status", "code", "facts"),
    [
        ("coffee", {"count": 1}, 404, "unknown_item", {"item": "coffee", "known": ["tea"]}),
        ("closed", {"count": 1}, 409, "shop_closed", {}),
        ("unavailable", {"count": 1}, 503, "unavailable", {}),
        ("broken", {"count": 1}, 500, "internal_error", {}),
        ("tea", {}, 422, "invalid_request", {"problems": ["count: Field required"]}),
        ("tea", "no JSON", 422, "invalid_request", {}),
    ],
)  # fmt: skip
async def test_every_error_has_one_shape(
    http: httpx.AsyncClient, item: str, body: object, status: int, code: str, facts: dict[str, Any]
) -> None:
    sent: dict[str, Any] = {"content": body} if isinstance(body, str) else {"json": body}
    answer = await http.post(f"/v1/items/{item}", **sent)
    found = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (found["type"], found["status"], found["code"]) == (f"urn:rondo:problem:{code}", status, code)
    assert found["title"]
    assert found["detail"]
    assert found | facts == found
    assert "ZeroDivisionError" not in answer.text


async def test_what_the_router_refuses_has_the_same_shape(http: httpx.AsyncClient) -> None:
    missing, wrong = await http.get("/v1/nothing"), await http.put("/v1/items/tea")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"], wrong.headers["allow"]) == (405, "method_not_allowed", "POST")


async def test_a_route_without_roles_is_for_admins(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/secrets")).json()["required_roles"] == ["admin"]
    assert (await http.get("/v1/secrets", headers=bearer(Role.ADMIN))).status_code == 200


async def test_a_router_names_the_roles_of_its_routes(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/opening-hours", headers=bearer(Role.PREDICTOR))).status_code == 200
    assert (await http.get("/v1/opening-hours")).json()["required_roles"] == ["reader", "predictor"]
    document = (await http.get("/openapi.json")).json()
    assert document["paths"]["/v1/opening-hours"]["get"]["x-required-roles"] == ["reader", "predictor"]


async def test_a_role_is_looked_at_before_the_body(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/items/tea", json={}, headers=bearer(Role.READER))
    assert (answer.status_code, answer.json()["required_roles"]) == (403, ["publisher"])


async def test_the_document_is_complete(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    buying = document["paths"]["/v1/items/{item}"]["post"]
    assert buying["x-required-roles"] == ["publisher"]
    assert document["paths"]["/v1/secrets"]["get"]["x-required-roles"] == ["admin"]
    errors = {int(status) for status in buying["responses"] if status != "200"}
    assert errors == {401, 403, 404, 405, 422, 500, 503}
    for status in errors:
        [(media_type, content)] = buying["responses"][str(status)]["content"].items()
        assert (media_type, content["schema"]["$ref"]) == ("application/problem+json", "#/components/schemas/Problem")
    assert {"/livez", "/readyz", "/metrics"} <= document["paths"].keys()
    assert document["security"] == [{"token": []}]


@pytest.mark.parametrize("content", [gzip.compress(b'{"count": 1}'), zlib.compress(b'{"count": 1}'), b'{"count": 1}'])
@pytest.mark.parametrize("kind", ["application/json", "application/octet-stream"])
async def test_json_with_a_content_encoding_is_refused_with_what_to_send(
    http: httpx.AsyncClient, content: bytes, kind: str
) -> None:
    headers = bearer(Role.PUBLISHER) | {"content-encoding": "gzip", "content-type": kind}
    answer = await http.post("/v1/items/tea", content=content, headers=headers)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (415, "unsupported_encoding")
    assert answer.headers["accept-encoding"] == "identity"
    assert "is not supported here: send the JSON as it is, without the header content-encoding" in problem["detail"]
    plain = bearer(Role.PUBLISHER) | {"content-encoding": "identity", "content-type": "application/json"}
    assert (await http.post("/v1/items/tea", content=b'{"count": 1}', headers=plain)).status_code == 200
