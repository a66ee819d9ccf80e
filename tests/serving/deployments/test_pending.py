"""Pending deployments are awaited once, and a stop ends every wait."""

from __future__ import annotations

import asyncio

import pytest
from rondo.chassis.errors import UnavailableError
from rondo.serving.deployments.pending import PendingDeployments


async def test_a_pending_model_is_awaited_once_and_its_next_deployment_again() -> None:
    pending = PendingDeployments()
    pending.add("delay", 1)
    assert pending.to_await({"delay", "price"}) == {"delay"}
    await asyncio.to_thread(pending.wait_once, {"delay"}, 0.01)
    assert pending.to_await({"delay"}) == frozenset()
    pending.add("delay", 2)
    assert pending.to_await({"delay"}) == {"delay"}
    waiting = asyncio.create_task(asyncio.to_thread(pending.wait_once, {"delay"}, 60))
    await asyncio.sleep(0)
    pending.resolve("delay")
    await waiting
    assert pending.to_await({"delay"}) == frozenset()


async def test_a_stop_ends_every_wait_without_refusing_the_requests() -> None:
    pending = PendingDeployments()
    pending.add("delay", 1)
    waiting = asyncio.create_task(asyncio.to_thread(pending.wait_once, {"delay"}, 60))
    await asyncio.sleep(0)
    await pending.stop()
    with pytest.raises(UnavailableError) as caught:
        await waiting
    assert (caught.value.what, caught.value.why) == ("delay", "this replica stops")
