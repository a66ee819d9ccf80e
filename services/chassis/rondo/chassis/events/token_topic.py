"""Fills the token cache of a service from the compacted topic `access.tokens`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rondo.chassis.events.broker import wait_for_kafka
from rondo.chassis.events.compacted_topic import CompactedTopic
from rondo.chassis.security.token_cache import TokenCache
from rondo.contracts.events.access import TokenChanged

if TYPE_CHECKING:
    from rondo.chassis.health import Health
    from rondo.contracts.kafka_connection import KafkaConnection


class TokenFollower:
    """Fills `cache` while `run` runs. `/readyz` shows it from the start on."""

    def __init__(self, kafka: KafkaConnection, health: Health) -> None:
        self.cache = TokenCache()
        self._kafka = kafka
        self._table = CompactedTopic(kafka, TokenChanged, self.cache.on_token_changed)
        health.add("tokens", self._table.check)

    async def run(self) -> None:
        """Follow the topic until cancelled. While Kafka is unavailable the tokens that were read stay valid."""
        await wait_for_kafka(self._kafka)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._table.run())
            await self._table.caught_up.wait()
            self.cache.completed()
