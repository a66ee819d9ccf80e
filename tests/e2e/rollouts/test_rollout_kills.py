"""Services and Kafka are killed while canaries run: nothing is lost or doubled, and each ends as its evidence says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rondo.client import AsyncRondo, Connection
from rondo.embedded.stack import Stack

from tests.e2e import small_model
from tests.e2e.rollouts.kills import KEYS, TARGETS, Kills, Play, contradictions, counted

if TYPE_CHECKING:
    from pathlib import Path

REQUESTS, KILLS, SEED = 12_000, 6, 11


@pytest.mark.timeout(900)
@pytest.mark.slow
async def test_canaries_survive_kills(tmp_path: Path) -> None:
    async with Stack(tmp_path / "home") as stack:
        connection = Connection.of_stack(stack.home)
        async with AsyncRondo(connection) as rondo:
            kills = Kills(stack, SEED, KILLS, REQUESTS)
            play = Play(stack, rondo, kills, REQUESTS)
            await play.run(tmp_path)
            found = await counted(connection.kafka, play.rides.sent)
            audit = await rondo.audit(small_model.MODEL)
    assert len(kills.done) == KILLS
    assert set(kills.done) == set(TARGETS)
    assert len(found.requests) == play.rides.sent >= REQUESTS
    assert (found.lost, found.doubled, found.out_of_order, len(found.last_of_key)) == (0, 0, 0, KEYS)
    assert {rolled.is_bad for rolled in play.rolled} == {True, False}
    assert [problem for rolled in play.rolled for problem in contradictions(rolled, found)] == []
    assert audit["verified"]
