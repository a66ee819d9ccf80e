"""The token API: a secret is shown once, and never a hash. Every change is audited and published."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from rondo.chassis.security.token_cache import TokenCache, UnauthenticatedError
from rondo.contracts.access_tokens import Role
from rondo.contracts.events.access import TokenChanged
from rondo.registry.access import tokens
from rondo.registry.postgres.unit_of_work import PostgresStore

from tests.registry.scenarios import ANA
from tests.support.access import SEEDS, bearer

if TYPE_CHECKING:
    import httpx
    from rondo.chassis.postgres.pool import Database


async def published(database: Database) -> TokenCache:
    """Return the tokens of a service that has read the topic."""
    cache = TokenCache()
    for row in await database.pool.fetch("select value from outbox where topic = 'access.tokens' order by id"):
        await cache.put(TokenChanged.model_validate_json(row["value"]))
    cache.completed()
    return cache


async def test_a_token_is_created_rotated_and_revoked(client: httpx.AsyncClient, registry_database: Database) -> None:
    answer = await client.post("/v1/tokens", json={"name": "ci", "roles": ["engineer"]})
    created = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    principal = await (await published(registry_database)).authenticate(created["token"])
    assert (principal.name, principal.roles) == ("ci", {"engineer"})

    rotated = (await client.post(f"/v1/tokens/{created['token_id']}/rotate")).json()
    cache = await published(registry_database)
    assert (await cache.authenticate(rotated["token"])).name == "ci"
    with pytest.raises(UnauthenticatedError):
        await cache.authenticate(created["token"])

    revoked = (await client.delete(f"/v1/tokens/{created['token_id']}")).json()
    assert revoked["revoked_at"] is not None
    with pytest.raises(UnauthenticatedError):
        await (await published(registry_database)).authenticate(rotated["token"])
    for path, method in (("/rotate", "POST"), ("", "DELETE")):
        again = await client.request(method, f"/v1/tokens/{created['token_id']}{path}")
        assert (again.status_code, again.json()["code"]) == (409, "revoked_token")
    audit = (await client.get("/v1/tokens/audit")).json()
    assert [(entry["action"], entry["decided_by"]) for entry in audit["entries"]] == [
        ("token_created", "admin"), ("token_rotated", "admin"), ("token_revoked", "admin"),
    ]  # fmt: skip
    assert audit["verified"]


async def test_no_list_and_no_log_has_a_secret_or_a_hash(client: httpx.AsyncClient) -> None:
    created = (await client.post("/v1/tokens", json={"name": "ci", "roles": ["reader"]})).json()
    secret = created["token"].split("_", 2)[2]
    for path in ("/v1/tokens", "/v1/tokens/audit"):
        text = (await client.get(path)).text
        assert created["token_id"] in text
        assert secret not in text
        assert "secret" not in text
        assert tokens.access_tokens.secret_digest(secret) not in text


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "registry", "roles": ["engineer"]}, "invalid_token"),
        ({"name": "schedule", "roles": ["engineer"]}, "invalid_token"),
        ({"name": "ci", "roles": ["reader"], "expires_at": "2013-01-01T00:00:00Z"}, "invalid_token"),
        ({"name": "ci", "roles": []}, "invalid_request"),
        ({"name": "ci", "roles": ["king"]}, "invalid_request"),
        ({"name": "", "roles": ["reader"]}, "invalid_request"),
        ({"name": "a\0", "roles": ["reader"]}, "invalid_request"),
        ({"name": "a:b", "roles": ["reader"]}, "invalid_request"),
    ],
)
async def test_a_token_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, body: dict[str, Any], code: str
) -> None:
    answer = await client.post("/v1/tokens", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_the_last_admin_token_is_not_revoked(client: httpx.AsyncClient) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    first = (await client.post("/v1/tokens", json={"name": "a", "roles": ["admin"]})).json()["token_id"]
    refused = await client.delete(f"/v1/tokens/{first}")
    assert (refused.status_code, refused.json()["code"]) == (409, "last_admin_token")
    await client.post("/v1/tokens", json={"name": "b", "roles": ["admin"], "expires_at": soon})
    assert (await client.delete(f"/v1/tokens/{first}")).status_code == 200
    unknown = await client.delete("/v1/tokens/nosuch")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_token")


async def test_seeds_are_created_once_and_a_revoked_one_stays_revoked(
    client: httpx.AsyncClient, registry_database: Database
) -> None:
    store, seeds = PostgresStore(registry_database), tokens.access_tokens.parse_seeds(SEEDS)
    async with store.work() as work:
        await tokens.seed(work, seeds)
        await tokens.revoke(work, ANA.principal, seeds[0].id)
    async with store.work() as work:
        await tokens.seed(work, seeds)
    found = {t["token_id"]: t["revoked_at"] for t in (await client.get("/v1/tokens")).json()["tokens"]}
    assert {token_id: bool(at) for token_id, at in found.items()} == {s.id: s is seeds[0] for s in seeds}
    entries = (await client.get("/v1/tokens/audit")).json()["entries"]
    assert [entry["action"] for entry in entries] == ["token_created"] * len(seeds) + ["token_revoked"]
    cache = await published(registry_database)
    assert (await cache.authenticate(bearer(Role.ADMIN)["authorization"].removeprefix("Bearer "))).name == "admin"
    rows = await registry_database.pool.fetch("select value from outbox where topic = 'access.tokens'")
    assert len([json.loads(row["value"]) for row in rows]) == 2 * len(seeds) + 1
