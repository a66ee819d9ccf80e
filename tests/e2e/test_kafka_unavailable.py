"""Kafka is unavailable at the start of one service and in the middle of another: both report it and recover."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from rondo.client import AsyncRondo, Connection
from rondo.embedded import SERVICES
from rondo.embedded.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEADLINE = 60
# Serving depends on Kafka only. Ingestion depends on PostgreSQL, too, and runs when Kafka fails.
TWO = [service for service in SERVICES if service.name in {"ingestion", "serving"}]


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_kafka_unavailable_at_the_start_and_in_the_middle(tmp_path: Path) -> None:
    async with Stack(tmp_path / "home", services=TWO) as stack, AsyncRondo(connection(stack)) as rondo:
        assert stack.kafka is not None
        stack.kafka.kill()
        stack.kill("serving")
        reported = await checks(rondo, lambda reported: all(word != "ok" for word in reported.values()))
        assert all(each.startswith(f"Kafka at {stack.addresses.kafka} is not available") for each in reported.values())
        # A broker that has never answered may have another address.
        assert {name: "RONDO_KAFKA" in each for name, each in reported.items()} == {"ingestion": False, "serving": True}
        await stack.kafka.restart()
        await asyncio.gather(*(stack.wait_ready(service.name, DEADLINE) for service in TWO))
        assert {name: count for name, count in stack.restarts().items() if count} == {"serving": 1}


def connection(stack: Stack) -> Connection:
    """Return the addresses of the running services. No registry runs."""
    urls = stack.addresses.http | {"registry": "http://127.0.0.1:1"}
    return Connection(kafka=stack.addresses.kafka, token=stack.addresses.token, **urls)  # type: ignore[arg-type]


async def checks(rondo: AsyncRondo, enough: Callable[[dict[str, str]], bool]) -> dict[str, str]:
    """Wait until both services report enough about Kafka. A service that reports is alive."""
    async with asyncio.timeout(DEADLINE):
        while not enough(reported := _of_kafka(await rondo.status())):  # noqa: ASYNC110 - other processes' conditions
            await asyncio.sleep(0.2)
    return reported


def _of_kafka(report: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {service.name: report[service.name]["checks"].get("kafka", "ok") for service in TWO}
