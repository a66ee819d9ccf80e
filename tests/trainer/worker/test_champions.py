"""The versions that served, from events of deployments and rollbacks, and the wait for the next one."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from rondo.contracts.events.models import ModelRolledBack
from rondo.trainer.run import ChampionVersion

from tests.trainer import builders
from tests.trainer.worker.queues import Backend, Postgres, claimed, enqueue

if TYPE_CHECKING:
    from rondo.chassis.postgres.pool import Database


async def test_the_last_champions_are_each_there_once_until_the_model_is_withdrawn(backend: Backend) -> None:
    queue = backend.queue()
    assert await queue.last_champions("flight-delay", 3) == ()

    async def deploy(*deployments: tuple[int | None, int]) -> list[int]:
        async for work in backend.work():
            for version, revision in deployments:
                deployed = builders.deployment(version, revision, digest=f"sha256:{version or 0:064}")
                await work.save_champion(deployed, builders.START + timedelta(hours=revision))
        return [each.model_version for each in await queue.last_champions("flight-delay", 3)]

    assert await deploy((1, 1), (2, 2), (3, 3)) == [3, 2, 1]
    # A rollback to version 1, the same deployment again, and one that arrives late.
    assert await deploy((1, 4), (1, 4), (2, 2)) == [1, 3, 2]
    assert await deploy((4, 5)) == [4, 1, 3]
    assert await queue.last_champions("flight-delay", 1) == (ChampionVersion(4, f"sha256:{4:064}"),)
    assert await queue.last_champions("other", 3) == ()
    assert await deploy((None, 6)) == []
    assert await deploy((7, 7)) == [7]


async def test_a_version_that_was_rolled_back_is_no_past_champion_unless_it_is_champion_again(backend: Backend) -> None:
    queue = backend.queue()

    async def deploy(version: int, revision: int) -> None:
        async for work in backend.work():
            await work.save_champion(builders.deployment(version, revision), builders.START + timedelta(hours=revision))

    async def roll_back(version: int, to: int, revision: int) -> None:
        rolled_back = ModelRolledBack(
            model="flight-delay", from_version=version, to_version=to, digest=builders.DIGEST, reason="bad",
            decided_by="ann",
        )  # fmt: skip
        async for work in backend.work():
            await work.save_rollback(rolled_back, builders.START + timedelta(hours=revision))

    async def past() -> list[int]:
        return [each.model_version for each in await queue.last_champions("flight-delay", 3)]

    await deploy(1, 1)
    await deploy(2, 2)
    await roll_back(2, 1, 3)
    await deploy(1, 3)
    assert await past() == [1]
    # The topics have no order: here the rollback of version 4 arrives before its deployment.
    await roll_back(4, 1, 5)
    await deploy(4, 4)
    await deploy(1, 5)
    assert await past() == [1]
    await deploy(2, 6)
    assert await past() == [2, 1]


async def test_the_champion_is_that_of_the_latest_revision(backend: Backend) -> None:
    queue = backend.queue()
    assert await queue.champion("flight-delay") is None
    async for work in backend.work():
        await work.save_champion(builders.deployment(3, revision=2), builders.START)
        await work.save_champion(builders.deployment(None, revision=1), builders.START)
    assert await queue.champion("flight-delay") == ChampionVersion(3, builders.DIGEST)
    assert await queue.champion("other") is None
    async for work in backend.work():
        await work.save_champion(builders.deployment(None, revision=3), builders.START)
    assert await queue.champion("flight-delay") is None


async def test_a_promotion_of_the_last_candidate_is_waited_for_within_a_bound(store: Database) -> None:
    """A rejection publishes no event that the trainer reads, so the limit ends the wait."""
    backend = Postgres(store)
    queue, hour = backend.queue(), timedelta(hours=1)
    await queue.listen()
    async with asyncio.timeout(10):
        await queue.wait_for_promotion("flight-delay", hour)
        await deploy(backend, 1)
        await enqueue(backend)
        await claimed(queue)
        await store.pool.execute("update runs set state = 'trained', finished_at = clock_timestamp()")
        await queue.wait_for_promotion("flight-delay", timedelta(0))
        waiting = asyncio.create_task(queue.wait_for_promotion("flight-delay", hour))
        assert (await asyncio.wait({waiting}, timeout=0.1))[1], "version 1 is older than the candidate"
        await deploy(backend, 2)
        await waiting
        await queue.wait_for_promotion("flight-delay", hour)


async def deploy(backend: Backend, revision: int) -> None:
    async for work in backend.work():
        await work.save_champion(builders.deployment(revision, revision), builders.START)
