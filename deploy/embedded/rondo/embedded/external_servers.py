"""Checks of external servers (RONDO_KAFKA, RONDO_POSTGRES): whether they answer, and have data of earlier runs."""

import asyncpg
from aiokafka import AIOKafkaConsumer

from rondo.contracts.kafka_connection import InvalidAddressError, KafkaConnection
from rondo.contracts.topics import BY_NAME
from rondo.embedded.errors import KafkaUnavailableError, PostgresUnavailableError, UsedKafkaError, UsedPostgresError
from rondo.embedded.kafka.broker import serves
from rondo.embedded.postgres.databases import platform_address
from rondo.embedded.postgres.roles import SERVICES_WITH_SCHEMA


def kafka_connection(servers: str) -> KafkaConnection:
    """Return the connection of RONDO_KAFKA, which is a list of `host:port`, separated by commas.

    Raises:
        KafkaUnavailableError: an address is malformed.

    """
    try:
        return KafkaConnection(servers)
    except InvalidAddressError as error:
        raise KafkaUnavailableError(f"RONDO_KAFKA: {error}") from None


async def check_kafka(kafka: KafkaConnection, *, keep: bool) -> None:
    """Check that the broker answers and, without `keep`, that it has no events of an earlier run.

    The services would otherwise process old events as if they belonged to this run.

    Raises:
        KafkaUnavailableError: the broker does not answer.
        UsedKafkaError: the broker has events.

    """
    if not await serves(kafka):
        reason = f"nothing answers at RONDO_KAFKA={kafka}"
        raise KafkaUnavailableError(reason)
    if not keep and (used := await _topics_with_messages(kafka)):
        raise UsedKafkaError(kafka, used)


async def check_postgres(superuser: str, *, keep: bool) -> None:
    """Check that the server answers and, without `keep`, that it has no tables of an earlier run.

    Raises:
        PostgresUnavailableError: the server does not answer.
        UsedPostgresError: the server has tables.

    """
    try:
        used = await _schemas_with_tables(superuser)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise PostgresUnavailableError(str(error)) from error
    if not keep and used:
        raise UsedPostgresError(used)


async def _topics_with_messages(kafka: KafkaConnection) -> list[str]:
    async with AIOKafkaConsumer(**kafka.aiokafka(), group_id=None) as asking:
        ours = await asking.topics() & BY_NAME.keys()
    if not ours:
        return []
    # A consumer without a group is assigned all partitions at its start.
    async with AIOKafkaConsumer(*ours, **kafka.aiokafka(), group_id=None) as consumer:
        places = consumer.assignment()
        first, end = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    return sorted({place.topic for place in places if end[place] > first[place]})


async def _schemas_with_tables(superuser: str) -> list[str]:
    try:
        connection = await asyncpg.connect(platform_address(superuser), timeout=10)
    except asyncpg.InvalidCatalogNameError:
        return []
    try:
        query = "SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname = ANY($1) ORDER BY 1"
        return [row["schemaname"] for row in await connection.fetch(query, list(SERVICES_WITH_SCHEMA))]
    finally:
        await connection.close()
