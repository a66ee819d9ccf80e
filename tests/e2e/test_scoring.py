"""A dataset is scored once while serving and ingestion are killed, with the scores of live requests."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from deltalake import DeltaTable
from rondo.client import AsyncRondo, Connection, RondoError
from rondo.embedded.stack import Stack

from tests.e2e.small_model import DATASET, MODEL, PARQUET, START, first_model, stored_ids

if TYPE_CHECKING:
    from pathlib import Path

ROWS, BATCHES = 400_000, 4
FIRST = 1_000  # rides of the first model


def many_rides(batch: int) -> bytes:
    draw = np.random.default_rng(batch)
    numbers = np.arange(FIRST + batch * ROWS, FIRST + (batch + 1) * ROWS)
    frame = pl.DataFrame(
        {
            "ride": [f"r{number}" for number in numbers],
            "started": START + pl.Series(numbers * 1_000_000).cast(pl.Duration("us")),
            "zone": draw.choice(["a", "b", "c"], ROWS),
            "distance": draw.uniform(0, 10, ROWS),
            "tipped": draw.integers(0, 2, ROWS),
        }
    )
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()


async def wait_for(rondo: AsyncRondo, job: str, scored: int) -> dict[str, Any]:
    """Wait until this many rows are scored. While ingestion is down, or does not know the job yet, ask again."""
    async with asyncio.timeout(120):
        while True:
            with suppress(RondoError):
                found = await rondo.scoring_job(job)
                assert found["state"] != "failed", found["reason"]
                if found["scored"] >= scored and (scored < found["rows"] or found["state"] == "done"):
                    return found
            await asyncio.sleep(0.01)


@pytest.mark.timeout(300)
@pytest.mark.slow
async def test_a_dataset_is_scored_once_through_kills(tmp_path: Path) -> None:
    total = FIRST + ROWS * BATCHES
    async with Stack(tmp_path / "home") as stack, AsyncRondo(Connection.of_stack(stack.home)) as rondo:
        await first_model(rondo)
        for batch in range(BATCHES):
            await rondo.publish(DATASET, f"many-{batch}", many_rides(batch), PARQUET)
        version = await rondo.data_version(DATASET)
        requested = await rondo.score(MODEL, 1, DATASET, version)
        job = requested["job"]
        killed = []
        for name in ("serving", "ingestion"):
            before = await wait_for(rondo, job, ROWS * len(killed) + 1)
            assert before["scored"] < total, "it was done before the kill"
            os.kill(stack.services[name].process.pid or 0, signal.SIGKILL)
            killed.append(before["scored"])
        done = await wait_for(rondo, job, total)
        assert (done["rows"], done["scored"], done["refused"]) == (total, total, 0)
        assert (await rondo.score(MODEL, 1, DATASET, version))["job"] == job
        assert await rondo.scoring_job(job) == done, "the same request changes nothing"
        table = DeltaTable(f"{stack.addresses.data}/{done['scores']['table']}")
        assert table.version() == 0
        scores = pl.from_arrow(table.to_pyarrow_table())
        assert isinstance(scores, pl.DataFrame)
        assert scores.height == scores["entity"].n_unique() == scores["row"].n_unique() == total
        assert set(scores["model_version"]) == {1}
        # Live requests with the features of some rows have the same score, to the last bit.
        rides = pl.from_arrow(DeltaTable(f"{stack.addresses.data}/datasets/{DATASET}").to_pyarrow_table())
        assert isinstance(rides, pl.DataFrame)
        some = rides.sample(20, seed=1).join(scores, left_on="ride", right_on="entity")
        for row in some.to_dicts():
            assert row["event_time"] == row["started"]
            live = await rondo.predict_http(MODEL, {name: row[name] for name in ("zone", "distance")})
            assert np.float32(live.output["score"]) == np.float32(row["score"])
            assert live.output["label"] == row["label"]
        # The monitor receives the live requests, and no row of the job.
        async with asyncio.timeout(60):
            while (landed := stored_ids(stack, "predictions")).total() < 20:  # noqa: ASYNC110 - files of another process
                await asyncio.sleep(0.2)
        assert landed.total() == 20
