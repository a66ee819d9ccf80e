"""A declared dataset: batches before any model, labels that arrive later, and two models with different limits."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import polars as pl
import pytest
from rondo.client import AsyncRondo, Connection
from rondo.client.cli import app
from rondo.embedded.stack import Stack
from typer.testing import CliRunner

from tests.e2e import small_model

if TYPE_CHECKING:
    from pathlib import Path

DATASET = """\
kind: dataset
dataset: trips
entity: [trip]
event_time: at
columns:
  distance: {type: float, min: 0}
  zone: {type: category}
  rating: {type: category, optional: true}
  fare: {type: int, optional: true}
"""
RATED = """\
model: rated
data: {dataset: trips, entity: trip, event_time: at, label: rating, positive: GOOD, negative: BAD}
features: {distance: {type: float, max: 80}, zone: {type: category}}
gates: {roc_auc: {min: 0.6}}
"""
FARES = """\
model: fares
task: regression
data: {dataset: trips, entity: trip, event_time: at, label: fare}
features: {distance: {type: float}}
gates: {mae: {max: 5}}
"""
ROWS = 4_000


def trips() -> pl.DataFrame:
    random = np.random.default_rng(5)
    distance = random.uniform(0, 100, ROWS)
    good = random.uniform(0, 100, ROWS) < distance
    start = datetime(2024, 1, 1, tzinfo=UTC)
    return pl.DataFrame(
        {
            "trip": [f"t{n}" for n in range(ROWS)],
            "at": [start + timedelta(minutes=n) for n in range(ROWS)],
            "distance": distance,
            "zone": random.choice(["a", "b"], ROWS),
            "rating": np.where(good, "GOOD", "BAD"),
            "fare": (2 * distance).astype(np.int64),
        }
    )


@pytest.mark.timeout(600)
@pytest.mark.slow
async def test_labels_that_come_after_the_declaration_train_two_models(tmp_path: Path) -> None:
    for name, text in (("trips", DATASET), ("rated", RATED), ("fares", FARES)):
        (tmp_path / f"{name}.yaml").write_text(text)
    rows = trips()
    rows.drop("rating", "fare").write_parquet(tmp_path / "early.parquet")
    rows.write_parquet(tmp_path / "labelled.parquet")
    async with Stack(tmp_path / "home") as stack, AsyncRondo(Connection.of_stack(stack.home)) as rondo:
        await command(stack, "apply", str(tmp_path / "trips.yaml"))
        early = await command(stack, "publish", "trips", str(tmp_path / "early.parquet"), "--json")
        assert (early["quality"]["accepted"], early["models"]) == (ROWS, [])
        await command(stack, "apply", str(tmp_path / "rated.yaml"), str(tmp_path / "fares.yaml"))
        assert (await rondo.declared_datasets())[0]["models"] == ["fares", "rated"]
        labelled = await command(stack, "publish", "trips", str(tmp_path / "labelled.parquet"), "--json")
        assert (labelled["quality"]["accepted"], labelled["models"]) == (ROWS, ["fares", "rated"])
        for model in ("rated", "fares"):
            await small_model.until_served(rondo, model)
        lineage = {model: await rondo.lineage(model, 1) for model in ("rated", "fares")}
        near = int((rows["distance"] <= 80).sum())
        trained = {name: each["training"]["rows_trained"] for name, each in lineage.items()}
        held_out = {name: each["training"]["rows_holdout"] for name, each in lineage.items()}
        assert (trained["rated"] + held_out["rated"], trained["fares"] + held_out["fares"]) == (near, ROWS)
        assert [note["code"] for note in lineage["rated"]["notes"] if note["code"] == "rows_outside_limits"]
        refused = await asyncio.to_thread(invoke, stack, "remove", "trips", "--dataset", "--yes", "--json")
        assert orjson.loads(refused.stdout)["error"] == "dataset_in_use"


def invoke(stack: Stack, *arguments: str) -> Any:
    return CliRunner().invoke(app, arguments, env={"RONDO_HOME": str(stack.home)})


async def command(stack: Stack, *arguments: str) -> Any:
    done = await asyncio.to_thread(invoke, stack, *arguments)
    assert done.exit_code == 0, done.output
    return orjson.loads(done.stdout) if "--json" in arguments else None
