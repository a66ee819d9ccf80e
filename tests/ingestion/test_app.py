"""Ingestion as a whole, on real Kafka, PostgreSQL and Delta."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl

from tests.ingestion.conftest import outcome, parquet, predictions, produce, read_all, rides, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ingestion.conftest import Running


def rows(running: Running, table: str) -> pl.DataFrame:
    path = running.settings.data / table
    return pl.read_delta(str(path)) if path.exists() else pl.DataFrame()


async def events(running: Running, topic: str) -> list[dict[str, Any]]:
    return [orjson.loads(m.value() or b"") for m in await asyncio.to_thread(read_all, running.settings.kafka, topic)]


async def test_an_uploaded_batch_becomes_a_data_version(ingestion: Running, tmp_path: Path) -> None:
    body = parquet(rides(10, rain=[float("inf"), *[0.5] * 9]), tmp_path)
    answer = await ingestion.upload("january", body)
    assert answer.status_code == 201, answer.text
    report = answer.json()
    assert report["quality"]["accepted"] == 9
    assert report["quality"]["reasons"] == {"rain: infinite": 1}
    assert report["data_version"]["version"] == 0
    assert rows(ingestion, "datasets/rides")["batch_id"].to_list() == ["january"] * 9
    assert rows(ingestion, "quarantine/rides")["reason"].to_list() == ["rain: infinite"]
    accepted = await until(lambda: events(ingestion, "batches.accepted"))
    assert accepted[0]["data_version"] == report["data_version"]


async def test_outcomes_and_predictions_land(ingestion: Running) -> None:
    kafka = ingestion.settings.kafka
    produce(kafka, "predictions.log", predictions(0, 50), predictions(50, 50, version=2))
    produce(kafka, "outcomes.observed", *(outcome(n) for n in range(80)), b"not json", outcome(1, model="tipz"))

    async def landed() -> bool:
        return (
            rows(ingestion, "feedback/tips/outcomes").height == 80
            and rows(ingestion, "feedback/tips/predictions").height == 100
        )

    await until(landed)
    said = await until(lambda: events(ingestion, "outcomes.accepted"))
    assert sum(each["rows"] for each in said) == 80
    assert sum(each["joined"] for each in said) == 80
    letters = await asyncio.to_thread(read_all, kafka, "ingestion.dead-letters")
    assert sorted(dict(m.headers())["__dlq.errors.message"] for m in letters) == [
        b"it is not JSON (invalid literal, expected 'null': line 1 column 1 (char 0)): send one JSON object in UTF-8",
        b"there is no model 'tipz': did you mean 'tips'?",
    ]
