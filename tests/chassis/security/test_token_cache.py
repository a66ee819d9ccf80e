from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from rondo.chassis.errors import UnavailableError
from rondo.chassis.events.token_topic import TokenFollower
from rondo.chassis.health import Health
from rondo.chassis.security.principal import Principal
from rondo.chassis.security.token_cache import TokenCache, UnauthenticatedError
from rondo.contracts.access_tokens import Role, mint
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.kafka_connection import KafkaConnection

from tests.support.access import ADMIN, publish_tokens, token_events

if TYPE_CHECKING:
    from rondo.contracts.events.access import TokenChanged

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def cache() -> TokenCache:
    made = TokenCache(lambda: NOW)
    made.completed()
    return made


def new(**changes: object) -> tuple[str, TokenChanged]:
    token, seed = mint("ada", [Role.ENGINEER])
    return token, seed.created(NOW - timedelta(days=1)).model_copy(update=changes)


async def test_the_bearer_of_a_known_token_is_its_principal(cache: TokenCache) -> None:
    token, event = new()
    await cache.put(event)
    assert await cache.authenticate(token) == Principal("ada", frozenset({"engineer"}))


@pytest.mark.parametrize(
    "changes",
    [{"revoked_at": NOW}, {"expires_at": NOW}, {"secret_digest": f"sha256:{'0' * 64}"}],
    ids=["revoked", "expired", "rotated"],
)
async def test_the_newest_event_of_a_token_counts(cache: TokenCache, changes: dict[str, object]) -> None:
    token, event = new()
    await cache.put(event)
    await cache.put(event.model_copy(update=changes))
    with pytest.raises(UnauthenticatedError):
        await cache.authenticate(token)


async def test_a_revoked_token_is_refused_by_its_id(cache: TokenCache) -> None:
    token, event = new(revoked_at=NOW)
    await cache.put(event)
    with pytest.raises(UnauthenticatedError) as caught:
        await cache.authenticate(token)
    assert f"the token {event.token_id} was revoked" in str(caught.value)


async def test_reading_the_topic_again_does_not_restore_a_revoked_token(cache: TokenCache) -> None:
    token, event = new()
    history = [
        Envelope("1", "rondo/registry", NOW - timedelta(hours=1), event),
        Envelope("2", "rondo/registry", NOW, event.model_copy(update={"revoked_at": NOW})),
    ]
    for envelope in [*history, history[0]]:
        await cache.on_token_changed(envelope)
    with pytest.raises(UnauthenticatedError):
        await cache.authenticate(token)


async def test_a_token_is_valid_until_it_expires(cache: TokenCache) -> None:
    token, event = new(expires_at=NOW + timedelta(microseconds=1))
    await cache.put(event)
    assert (await cache.authenticate(token)).name == "ada"


@pytest.mark.parametrize(
    "credential", ["", "Bearer", ADMIN[:-1], f"{ADMIN} "], ids=["none", "word", "unknown", "space"]
)
async def test_what_is_refused(cache: TokenCache, credential: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rondo.chassis.security.token_cache._ARRIVAL_SECONDS", 0.01)
    await cache.put(new()[1])
    with pytest.raises(UnauthenticatedError):
        await cache.authenticate(credential)


async def test_a_token_that_is_used_before_its_event_arrives_is_waited_for(cache: TokenCache) -> None:
    token, event = new()
    await cache.put(new()[1])
    asked = asyncio.create_task(cache.authenticate(token))
    await asyncio.sleep(0)
    await cache.put(event)
    assert (await asked).name == "ada"


async def test_nobody_is_refused_before_the_tokens_have_been_read() -> None:
    token, event = new()
    cache = TokenCache(lambda: NOW)
    await cache.put(event)
    with pytest.raises(UnavailableError):
        await cache.authenticate(token)


async def test_no_request_is_refused_before_the_registry_has_published_tokens(cache: TokenCache) -> None:
    with pytest.raises(UnavailableError) as caught:
        await cache.authenticate(ADMIN)
    assert "no token exists yet: the registry publishes them when it starts" in str(caught.value)


async def test_a_service_authenticates_from_kafka_alone(clean_kafka: str) -> None:
    await asyncio.to_thread(publish_tokens, clean_kafka)
    health = Health()
    follower = TokenFollower(KafkaConnection(clean_kafka), health)
    health.started()
    assert (await health.report())["tokens"] != "ok"
    running = asyncio.create_task(follower.run())
    async with asyncio.timeout(30):
        await follower.cache.wait_for(event.token_id for event in token_events())
        while (await health.report())["tokens"] != "ok":  # noqa: ASYNC110 - nothing announces the end of the table
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
    assert await follower.cache.authenticate(ADMIN) == Principal("admin", frozenset({"admin"}))
    running.cancel()
    await asyncio.wait([running])
