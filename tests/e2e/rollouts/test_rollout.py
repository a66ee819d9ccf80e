"""Rollouts in the whole loop: a bad candidate is rolled back automatically, and an equally good one is promoted."""

from __future__ import annotations

import asyncio
import io
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rondo.client import AsyncRondo, Connection
from rondo.client.cli.command import app
from rondo.client.registration.conversion import convert
from rondo.embedded.stack import Stack
from typer.testing import CliRunner

from tests.e2e import small_model
from tests.e2e.rollouts.canaries import MODEL, SPEC, Rides, fitted

if TYPE_CHECKING:
    from pathlib import Path

LATER = small_model.START + timedelta(days=31)


async def until(rondo: AsyncRondo, candidate: int, *states: str, rides: Rides | None = None) -> dict[str, Any]:
    """Send rides until the rollout of a candidate has one of these states, and return the rollout."""
    async with asyncio.timeout(240):
        while True:
            versions = {each["model_version"]: each["state"] for each in await rondo.versions(MODEL)}
            if versions.get(candidate) != "waiting":
                found = await rondo.rollout(MODEL)
                if found["candidate"] == candidate and found["state"] in states:
                    return found
            if rides is not None:
                await asyncio.to_thread(rides.send, 300)
            await asyncio.sleep(0.5)


async def answered_by(rondo: AsyncRondo, count: int) -> set[int]:
    asked = {"zone": "a", "distance": 7.5}
    return {
        (await rondo.predict(MODEL, asked, entity=f"someone-{n}", event_time=LATER)).model_version for n in range(count)
    }


@pytest.mark.timeout(600)
@pytest.mark.slow
async def test_a_bad_candidate_is_rolled_back_and_a_good_one_promoted(tmp_path: Path) -> None:
    batch = small_model.rides(2_000)
    rows = pl.read_parquet(io.BytesIO(batch))
    async with AsyncExitStack() as exits:
        stack = await exits.enter_async_context(Stack(tmp_path / "home"))
        rondo = await exits.enter_async_context(AsyncRondo(Connection.of_stack(stack.home)))
        await rondo.apply(SPEC)
        await rondo.publish(small_model.DATASET, "first", batch, small_model.PARQUET)
        await small_model.until_served(rondo, MODEL)
        spec, rides = (await rondo.spec(MODEL))["spec"], Rides(stack.addresses.kafka)

        async def register(name: str, model: Any) -> None:
            (tmp_path / name).write_bytes(convert(model, spec).content)
            command = ["register", MODEL, str(tmp_path / name)]
            done = await asyncio.to_thread(CliRunner().invoke, app, command, env={"RONDO_HOME": str(stack.home)})
            assert done.exit_code == 0, done.output

        await register("bad.onnx", fitted(rows, 1 - rows["tipped"]))
        began = await until(rondo, 2, "running")
        assert (began["champion"], began["share"]) == (1, 0.2)
        back = await until(rondo, 2, "rolled_back", "watching", rides=rides)
        assert (back["state"], back["verdict"]) == ("rolled_back", "worse")
        assert 0 < back["answers"] < 0.4 * rides.sent
        entries = (await rondo.audit(MODEL))["entries"]
        assert entries[-1]["action"] == "rollout_ended"
        assert entries[-1]["evidence"]["evidence"]["answers"] == back["answers"]
        assert (await rondo.audit(MODEL))["verified"]

        await register("good.onnx", fitted(rows, rows["tipped"]))
        await until(rondo, 3, "running")
        promoted = await until(rondo, 3, "rolled_back", "watching", rides=rides)
        assert (promoted["state"], promoted["share"]) == ("watching", 1.0)
        async with asyncio.timeout(60):
            while await answered_by(rondo, 10) != {3}:
                pass
        shown = await asyncio.to_thread(
            CliRunner().invoke, app, ["rollout", MODEL], env={"RONDO_HOME": str(stack.home)}
        )
        assert shown.exit_code == 0
        assert "version 3 beside 1, watching" in shown.stdout
