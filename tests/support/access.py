"""Access tokens for tests: one of each role, the same in every test."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from confluent_kafka import Producer
from rondo.chassis.events.broker import create_topics
from rondo.chassis.security.token_cache import TokenCache
from rondo.contracts.access_tokens import Role, TokenSeed, secret_digest
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.kafka_connection import KafkaConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.events.access import TokenChanged

_SECRETS = {role: f"{role}-secret-of-the-tests-{'x' * 16}" for role in Role}
_IDS = {role: f"{number:012x}" for number, role in enumerate(Role, start=1)}
TOKENS = {role: f"rondo_{_IDS[role]}_{_SECRETS[role]}" for role in Role}
ADMIN = TOKENS[Role.ADMIN]
SEEDS = "".join(f"{TokenSeed(_IDS[role], role, (role,), secret_digest(_SECRETS[role])).line}\n" for role in Role)


def bearer(role: Role = Role.ADMIN) -> dict[str, str]:
    """Return the header of a role's token."""
    return {"authorization": f"Bearer {TOKENS[role]}"}


def token_events() -> Iterator[TokenChanged]:
    """Return the events of a registry that seeds `SEEDS`."""
    for role in Role:
        yield TokenSeed(_IDS[role], role, (role,), secret_digest(_SECRETS[role])).created(datetime.now(UTC))


async def token_cache() -> TokenCache:
    """Return a cache that has the tokens, without Kafka."""
    cache = TokenCache()
    for event in token_events():
        await cache.put(event)
    cache.completed()
    return cache


def publish_tokens(kafka: str) -> None:
    """Publish the tokens for the services, for tests without a registry."""
    connection = KafkaConnection(kafka)
    create_topics(connection)
    producer = Producer(connection.confluent())
    for event in token_events():
        envelope = Envelope(f"token-{event.token_id}", "rondo/tests", event.created_at, event)
        producer.produce(event.topic, envelope.value(), event.key, headers=list(envelope.headers().items()))
    assert producer.flush(30) == 0
