"""Ingestion as a whole, on real Kafka, PostgreSQL and Delta: uploads, outcomes and predictions, restarts."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import TYPE_CHECKING
from unittest.mock import AsyncMock, Mock

import asyncpg
import pytest
from rondo.ingestion.app import application, send_rows

from tests.ingestion.builders import START, outcome, parquet, predictions, rides, spec
from tests.ingestion.processes import IngestionClient, apply, client, dead_letters, events, produce, read_all, rows
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx
    from rondo.ingestion.settings import IngestionSettings


async def test_an_uploaded_batch_becomes_a_data_version(ingestion: IngestionClient, tmp_path: Path) -> None:
    body = parquet(rides(10, rain=[float("inf"), *[0.5] * 9]), tmp_path)
    answer = await ingestion.upload("january", body)
    assert answer.status_code == 201, answer.text
    report = answer.json()
    assert report["quality"]["accepted"] == 9
    [(reason, count)] = report["quality"]["reasons"].items()
    assert (reason.partition(",")[0], count) == ("rain: infinite", 1)
    assert report["data_version"]["version"] == 0
    assert rows(ingestion, "datasets/rides")["batch_id"].to_list() == ["january"] * 9
    assert rows(ingestion, "quarantine/rides")["reason"].to_list() == [reason]
    accepted = await until(lambda: events(ingestion, "batches.accepted"))
    assert accepted[0]["data_version"] == report["data_version"]


async def test_the_follower_of_scores_is_a_part_of_readiness(ingestion: IngestionClient) -> None:
    async def ready() -> bool:
        return bool((await ingestion.client.get("/readyz")).json()["checks"]["scores"] == "ok")

    await until(ready)


async def test_the_producer_selects_the_partition_of_rows_to_score() -> None:
    """A topic may have more or fewer partitions than a new topic."""
    broker = Mock(publish=AsyncMock())
    await send_rows(broker, b"rows", "job/7")
    broker.publish.assert_awaited_once_with(b"rows", "scores.requested", key=b"job/7")


async def test_outcomes_and_predictions_land(ingestion: IngestionClient) -> None:
    kafka = ingestion.settings.kafka.servers
    produce(kafka, "predictions.log", predictions(0, 50), predictions(50, 50, version=2))
    produce(kafka, "outcomes.observed", *(outcome(n) for n in range(80)), b"not json", outcome(1, model="tipz"))

    async def landed() -> bool:
        return (
            rows(ingestion, "feedback/tips/outcomes").height == 80
            and rows(ingestion, "feedback/tips/predictions").height == 100
        )

    await until(landed)
    published = await until(lambda: events(ingestion, "outcomes.accepted"))
    assert sum(each["rows"] for each in published) == 80
    assert sum(each["joined"] for each in published) == 80
    dead_letter_messages = await asyncio.to_thread(read_all, kafka, "ingestion.dead-letters")
    described = sorted(dict(m.headers())["__dlq.errors.message"].decode() for m in dead_letter_messages)
    assert [re.findall(r"JSON \(|'tip[a-z]'", message) for message in described] == [["JSON ("], ["'tipz'", "'tips'"]]


@pytest.mark.slow
async def test_a_batch_is_compared_with_what_was_served(ingestion: IngestionClient, tmp_path: Path) -> None:
    produce(ingestion.settings.kafka.servers, "predictions.log", predictions(0, 10))

    async def landed() -> bool:
        return rows(ingestion, "feedback/tips/predictions").height == 10

    await until(landed)
    started = [START + timedelta(seconds=n) for n in range(10)]
    body = parquet(rides(10, started=started, distance=[float(n or 99) for n in range(10)]), tmp_path)
    assert (await ingestion.upload("january", body)).status_code == 201
    (measured,) = await until(lambda: events(ingestion, "skew.measured"))
    assert (measured["model"], measured["batch_id"], measured["joined"]) == ("tips", "january", 10)
    (distance,) = measured["features"]
    assert (distance["feature"], distance["differing"]) == ("distance", 1)
    assert [(each["entity"], each["served"], each["published"]) for each in distance["largest"]] == [
        ("r0", "0.0", "99.0")
    ]


async def test_labels_of_every_task_are_published_and_landed(ingestion: IngestionClient) -> None:
    kafka = ingestion.settings.kafka.servers
    for task, dataset in (("multiclass", "trees"), ("regression", "fares"), ("ranking", "future")):
        await apply(kafka, spec(dataset, dataset, task=task))
    await until(lambda: ingestion.knows("trees"))
    await until(lambda: ingestion.knows("fares"))
    classes = rides(4, tipped=["oak", " elm", "3", ""]).write_csv().encode()
    numbers = rides(3, tipped=["12.5", "1e2", "-3"]).write_csv().encode()
    answers = [await ingestion.upload("a", body, "text/csv", dataset)
               for dataset, body in (("trees", classes), ("fares", numbers), ("future", numbers))]  # fmt: skip
    assert [answer.status_code for answer in answers] == [422, 201, 422]
    assert "(data.max_bad_share)" in answers[0].json()["reasons"][0]
    assert ": upgrade ingestion," in answers[2].json()["reasons"][0]
    classes = rides(5, tipped=["oak", " elm", "3", "oak", ""]).write_csv().encode()
    assert (await ingestion.upload("a", classes, "text/csv", "trees")).status_code == 201
    assert rows(ingestion, "datasets/trees")["tipped"].to_list() == ["oak", "elm", "3", "oak"]
    assert rows(ingestion, "datasets/fares")["tipped"].to_list() == [12.5, 100.0, -3.0]
    produce(
        kafka, "outcomes.observed",
        outcome(1, "trees", outcome="oak"), outcome(2, "trees", outcome=3), outcome(3, "trees", outcome=2.5),
        outcome(1, "fares", outcome=0.1), outcome(2, "fares", outcome="oak"),
        outcome(1, "future", outcome=1), outcome(1),
    )  # fmt: skip

    async def landed() -> bool:
        return [rows(ingestion, f"feedback/{model}/outcomes").height for model in ("trees", "fares", "tips")] == [
            2,
            1,
            1,
        ]

    await until(landed)
    columns = ("outcome", "outcome_label")
    assert sorted(rows(ingestion, "feedback/trees/outcomes").select(columns).rows()) == [(None, "3"), (None, "oak")]
    assert rows(ingestion, "feedback/fares/outcomes").select(columns).rows() == [(0.1, None)]
    assert rows(ingestion, "feedback/tips/outcomes").select(columns).rows() == [(1.0, None)]
    refused = sorted(dict(m.headers())["__dlq.errors.message"].decode() for m in await dead_letters(kafka))
    named = [re.findall("'.*?'", message.partition(":")[0]) for message in refused]
    assert named == [["'2.5'"], ["'oak'"], ["'future'", "'ranking'"]]


@pytest.mark.slow
async def test_a_new_database_and_a_backlog_meet_the_specs_that_were_applied(settings: IngestionSettings) -> None:
    await apply(settings.kafka.servers, *(spec(f"other-{number}") for number in range(200)), spec())
    produce(settings.kafka.servers, "outcomes.observed", *(outcome(n) for n in range(80)))
    async with application(settings), client(settings) as http:
        running = IngestionClient(settings, http)

        async def through() -> int:
            published, dead_letter_messages = (
                await events(running, "outcomes.accepted"),
                await dead_letters(settings.kafka.servers),
            )
            return int(sum(each["rows"] for each in published) + len(dead_letter_messages) == 80)

        await until(through)
        assert await dead_letters(settings.kafka.servers) == []


async def test_the_same_batch_twice_is_answered_alike(ingestion: IngestionClient, tmp_path: Path) -> None:
    body = parquet(rides(20), tmp_path)
    answers = await asyncio.gather(*(ingestion.upload("january", body) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    assert len({answer.content for answer in answers}) == 1
    again = await ingestion.upload("january", body)
    assert (again.status_code, again.json()) == (200, answers[0].json())
    assert (await ingestion.client.get("/v1/datasets/rides/batches/january")).json() == again.json()
    assert rows(ingestion, "datasets/rides").height == 20
    other = await ingestion.upload("january", parquet(rides(3), tmp_path))
    assert other.status_code == 409
    assert other.json()["code"] == "batch_conflict"
    accepted = await until(lambda: events(ingestion, "batches.accepted"))
    assert len(accepted) == 1


async def test_invalid_uploads_get_a_clear_answer(ingestion: IngestionClient, tmp_path: Path) -> None:
    whole = parquet(rides(50), tmp_path)
    half = await ingestion.upload("half", whole[:-100])
    assert half.status_code == 422
    assert half.json()["code"] == "batch_rejected"
    assert "it is half-written" in half.json()["reasons"][0]
    assert (await ingestion.upload("half", whole[:-100])).json() == half.json()
    assert (await ingestion.upload("half", whole)).status_code == 201, "what was rejected left nothing in the way"
    large = await ingestion.upload("large", b"x" * (5 * 1024 * 1024))
    assert (large.status_code, large.json()["detail"]) == (
        413,
        (
            "the batch is larger than 4 MiB: split it into several batches, or raise RONDO_MAX_BATCH_BYTES of the "
            "ingestion service"
        ),
    )

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b"x" * 65536

    url = "/v1/datasets/rides/batches/large"
    streamed = await ingestion.client.post(url, content=endless(), headers={"content-type": "text/csv"})
    assert streamed.status_code == 413
    assert (await ingestion.upload("x", whole, "application/zip")).status_code == 415
    assert (await ingestion.upload("..%2Fx", whole)).status_code in {400, 404}
    named = await ingestion.upload("-x", whole)
    assert (named.status_code, named.json()["code"]) == (400, "invalid_name")
    unknown = await ingestion.upload("x", whole, dataset="ride")
    assert unknown.status_code == 422
    assert unknown.json()["reasons"] == [
        "no model has the dataset 'ride'; did you mean 'rides'? Apply a spec with `data: {dataset: ride}` first"
    ]
    assert not list(ingestion.settings.spool_folder.iterdir())

    async def published() -> list[tuple[str, str]]:
        rejected = [(each["batch_id"], each["dataset"]) for each in await events(ingestion, "batches.rejected")]
        return rejected if ("x", "ride") in rejected else []

    assert sorted(await until(published)) == [("half", "rides"), ("x", "ride")], "the same refusal is published once"


async def test_a_dataset_shows_its_contract_version_and_batches(ingestion: IngestionClient, tmp_path: Path) -> None:
    await ingestion.upload("january", parquet(rides(10, rain=[float("inf"), *[0.5] * 9]), tmp_path))
    dataset = (await ingestion.client.get("/v1/datasets/rides")).json()
    assert dataset["data_version"]["version"] == 0
    assert [column["name"] for column in dataset["columns"]][:3] == ["ride", "started", "zone"]
    listed = (await ingestion.client.get("/v1/datasets/rides/batches")).json()
    assert [batch["batch_id"] for batch in listed["batches"]] == ["january"]
    bad = (await ingestion.client.get("/v1/datasets/rides/quarantine")).json()
    assert [row["reason"].partition(",")[0] for row in bad["rows"]] == ["rain: infinite"]
    for path in ("/v1/datasets/ride", "/v1/datasets/rides/batches/x"):
        missing = await ingestion.client.get(path)
        assert (missing.status_code, missing.json()["code"].removeprefix("batch_").removeprefix("dataset_")) == (
            404,
            "not_found",
        )


async def test_what_was_committed_and_not_announced_is_announced_at_the_next_start(
    settings: IngestionSettings, tmp_path: Path
) -> None:
    async with application(settings), client(settings) as http:
        running = IngestionClient(settings, http)
        await apply(settings.kafka.servers, spec())
        await until(running.knows)
        first = await running.upload("january", parquet(rides(10), tmp_path))
        produce(settings.kafka.servers, "outcomes.observed", *(outcome(n) for n in range(50)))
        await until(lambda: events(running, "outcomes.accepted"))
        await until(lambda: events(running, "batches.accepted"))
    # As after a crash between the commit to Delta and the one to PostgreSQL.
    connection = await asyncpg.connect(
        settings.postgres.get_secret_value(), server_settings={"search_path": "ingestion"}
    )
    await connection.execute("truncate batches, landed, announced")
    await connection.close()
    async with application(settings), client(settings) as http:
        running = IngestionClient(settings, http)
        again = await until(lambda: _ready(running, tmp_path))
        assert (again.status_code, again.json()) == (200, first.json())
        await until(lambda: _times(running, "outcomes.accepted", 2))
    published = await events(running, "outcomes.accepted")
    assert published[0] == published[1]
    messages = await asyncio.to_thread(read_all, settings.kafka.servers, "outcomes.accepted")
    assert len({dict(m.headers())["ce_id"] for m in messages}) == 1, "a consumer's inbox deduplicates it"
    assert rows(running, "feedback/tips/outcomes").height == 50
    assert rows(running, "datasets/rides").height == 10


async def _ready(running: IngestionClient, folder: Path) -> httpx.Response | None:
    answer = await running.upload("january", parquet(rides(10), folder))
    return None if answer.status_code == 503 else answer


async def _times(running: IngestionClient, topic: str, count: int) -> bool:
    return len(await events(running, topic)) >= count
