"""Ingestion killed, without PostgreSQL and with a full disk: every row lands exactly once."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import re
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import orjson
import polars as pl
import pytest
from rondo.embedded.postgres.server import Postgres
from rondo.ingestion.app import application

from tests.ingestion.builders import outcome, parquet, predictions, rides, spec
from tests.ingestion.processes import IngestionClient, apply, client, produce, read_all
from tests.support.processes import ServiceProcess
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.ingestion.settings import IngestionSettings

OUTCOMES, BATCHES, KILLS = 8_000, 8, 2


def process_of(settings: IngestionSettings, folder: Path) -> ServiceProcess:
    environment = {
        "RONDO_KAFKA": settings.kafka.servers,
        "RONDO_POSTGRES": settings.postgres.get_secret_value(),
        "RONDO_HTTP_PORT": str(settings.http_port),
        "RONDO_DATA": settings.data,
        "RONDO_ARTIFACTS": settings.artifacts,
        "RONDO_LANDING_SECONDS": "0.2",
    }
    return ServiceProcess("ingestion", environment, folder / "ingestion.log")


async def send_until_answered(http: httpx.AsyncClient, batch_id: str, body: bytes) -> dict[str, Any]:
    """Send a batch with the same id until there is an answer."""
    while True:
        try:
            answer = await http.post(
                f"/v1/datasets/rides/batches/{batch_id}",
                content=body,
                headers={"content-type": "application/vnd.apache.parquet"},
            )
        except httpx.TransportError:
            await asyncio.sleep(0.05)
            continue
        if answer.status_code in {200, 201}:
            return dict(answer.json())
        await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_kill_9_while_outcomes_stream_and_batches_arrive(settings: IngestionSettings, tmp_path: Path) -> None:
    seed = int(os.environ.get("RONDO_TEST_SEED", "0")) or random.randrange(1, 10_000)
    chance = random.Random(seed)
    service = process_of(settings, tmp_path)
    bodies = {f"b{n}": parquet(rides(500, start=500 * n), tmp_path) for n in range(BATCHES)}
    await apply(settings.kafka.servers, spec())

    async def stream() -> None:
        for first in range(0, OUTCOMES, 500):
            await asyncio.to_thread(produce, settings.kafka.servers, "predictions.log", predictions(first, 500))
            for part in range(first, first + 500, 100):
                # Without a key, as over partitions: applications key by entity.
                values = [outcome(n) for n in range(part, part + 100)]
                await asyncio.to_thread(
                    produce, settings.kafka.servers, "outcomes.observed", *values, key=str(part).encode()
                )
            await asyncio.sleep(0.1)

    async def strike() -> None:
        for _ in range(KILLS):
            await service.ready(60)
            await asyncio.sleep(chance.uniform(0.2, 2.0))
            service.kill()
            service.start()

    service.start()
    try:
        async with client(settings) as http, asyncio.TaskGroup() as group:
            group.create_task(stream())
            group.create_task(strike())
            sent = [group.create_task(send_until_answered(http, name, body)) for name, body in bodies.items()]
        landed = Path(settings.data) / "feedback" / "tips"

        async def complete() -> bool:
            return all(_height(landed / each) >= OUTCOMES for each in ("predictions", "outcomes"))

        await until(complete, 60)
        await until(lambda: _announced(settings), 30)
    finally:
        service.kill()
    print("seed", seed)  # noqa: T201 - to replay it
    everything = [f"p{n}" for n in range(OUTCOMES)]
    for each in ("predictions", "outcomes"):
        assert sorted(pl.read_delta(str(landed / each))["id"].to_list()) == sorted(everything), f"seed {seed}"
    published = pl.read_delta(str(Path(settings.data) / "datasets" / "rides"))
    assert published.group_by("batch_id").len().sort("batch_id").rows() == sorted((name, 500) for name in bodies)
    assert published["ride"].is_unique().all()
    accepted = {_id(m): orjson.loads(m.value() or b"") for m in read_all(settings.kafka.servers, "batches.accepted")}
    assert sorted(each["batch_id"] for each in accepted.values()) == sorted(bodies)
    versions = {each["batch_id"]: each["data_version"] for each in accepted.values()}
    assert versions == {task.result()["batch_id"]: task.result()["data_version"] for task in sent}


async def _is_ready(settings: IngestionSettings) -> bool:
    try:
        async with client(settings) as http:
            return (await http.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


def _height(table: Path) -> int:
    return pl.read_delta(str(table)).height if (table / "_delta_log").exists() else 0


def _id(message: Any) -> str:
    return str(dict(message.headers())["ce_id"])


async def _announced(settings: IngestionSettings) -> bool:
    messages = await asyncio.to_thread(read_all, settings.kafka.servers, "outcomes.accepted")
    rows_by_id = {_id(message): orjson.loads(message.value() or b"")["rows"] for message in messages}
    return sum(rows_by_id.values()) == OUTCOMES


async def test_batches_and_outcomes_survive_an_outage_of_postgresql(
    settings: IngestionSettings, tmp_path: Path
) -> None:
    async with Postgres(tmp_path / "postgres") as server:
        own = settings.model_copy(update={"postgres": type(settings.postgres)(server.dsn), "landing_seconds": 0.1})
        connection = await asyncpg.connect(server.dsn)
        await connection.execute("create schema ingestion")
        await connection.close()
        async with application(own), client(own) as http:
            running = IngestionClient(own, http)
            await apply(own.kafka.servers, spec())
            await until(running.knows)
            body = parquet(rides(10), tmp_path)
            assert (await running.upload("january", body)).status_code == 201
            produce(own.kafka.servers, "outcomes.observed", *(outcome(n) for n in range(10)))
            server.kill()
            produce(own.kafka.servers, "outcomes.observed", *(outcome(n) for n in range(10, 20)))
            other = parquet(rides(10, start=10), tmp_path)
            refusal = await running.upload("february", other)
            assert (refusal.status_code, refusal.json()["code"]) == (503, "unavailable")
            assert refusal.json()["detail"].startswith("PostgreSQL is not available (")
            assert refusal.json()["detail"].endswith(
                "Send the same request again, with the same batch id: a batch is never stored twice"
            )
            await server.restart()
            again = await until(lambda: _taken(running, "february", other))
            assert again.json()["quality"]["accepted"] == 10
            landed = Path(own.data) / "feedback" / "tips" / "outcomes"

            async def complete() -> bool:
                return _height(landed) >= 20

            await until(complete)
            assert pl.read_delta(str(landed))["id"].n_unique() == pl.read_delta(str(landed)).height == 20
            assert pl.read_delta(str(Path(own.data) / "datasets" / "rides"))["ride"].n_unique() == 20


async def _taken(running: IngestionClient, batch_id: str, body: bytes) -> httpx.Response | None:
    answer = await running.upload(batch_id, body)
    return answer if answer.status_code in {200, 201} else None


_FULL_DISK = """
import resource, signal, sys
import pyarrow as pa
from pathlib import Path
from rondo.chassis.errors import UnavailableError
from rondo.ingestion.delta.tables import DeltaTables

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
tables = DeltaTables(sys.argv[1])
rows = pa.table({"a": list(range(10_000))})
first = tables.append("t", rows, {"log-0": 1}, {})
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
try:
    tables.append("t", rows, {"log-0": 2}, {})
except UnavailableError as error:
    print(error)
assert tables.transaction_version("t", "log-0") == 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
second = tables.append("t", rows, {"log-0": 2}, {})
assert (second.version, tables.transaction_version("t", "log-0")) == (1, 2)
"""


@pytest.mark.slow
def test_a_write_to_a_full_disk_is_repeated_once_there_is_space(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"the data storage is not available \(.*; free some space on the disk of .*\)", done.stdout), (
        done.stdout
    )
    assert "this will be tried again until it is" in done.stdout
    assert pl.read_delta(str(tmp_path / "t")).height == 20_000


@contextmanager
def no_room(limit_bytes: int) -> Iterator[None]:
    """Limit the size of files of this process, as a quota does. It also applies to root."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_an_upload_to_a_full_disk_gets_the_next_step(ingestion: IngestionClient, tmp_path: Path) -> None:
    body = parquet(rides(5_000), tmp_path)
    with no_room(len(body) // 2):
        refusal = await ingestion.upload("january", body)
    assert (refusal.status_code, refusal.json()["code"]) == (503, "unavailable")
    assert refusal.json()["detail"] == (
        "the data storage is not available (File too large; free some space on the disk of "
        f"{ingestion.settings.spool_folder}). "
        "Send the same request again, with the same batch id: a batch is never stored twice"
    )
    assert list(ingestion.settings.spool_folder.iterdir()) == []
    assert (await ingestion.upload("january", body)).status_code == 201


async def test_logs_wait_while_the_disk_is_full_and_readyz_shows_it(ingestion: IngestionClient) -> None:
    async def landing() -> str:
        return str((await ingestion.client.get("/readyz")).json()["checks"]["landing"])

    async def is_full() -> bool:
        return str(ingestion.settings.data) in await landing()

    with no_room(1_000):
        produce(ingestion.settings.kafka.servers, "predictions.log", predictions(0, 50))
        await until(is_full)
    await until(lambda: _is_ready(ingestion.settings))
    table = Path(ingestion.settings.data) / "feedback" / "tips" / "predictions"

    async def landed() -> bool:
        return _height(table) == 50

    await until(landed)


_SMALL_DISK = """
import random, subprocess, sys
from pathlib import Path
import polars as pl
import pyarrow as pa
from rondo.chassis.errors import UnavailableError
from rondo.ingestion.delta.tables import DeltaTables

disk = Path(sys.argv[1])
tables, rows = DeltaTables(str(disk)), pa.table({"a": [random.random() for _ in range(10_000)]})
written = 0
try:
    for position in range(1, 10):
        tables.append("t", rows, {"log-0": position}, {})
        written = position
except UnavailableError as error:
    print(error)
assert 0 < written < 9
assert tables.transaction_version("t", "log-0") == written
assert pl.read_delta(str(disk / "t")).height == written * 10_000
subprocess.run(["mount", "-o", "remount,size=5m", str(disk)], check=True)
assert tables.append("t", rows, {"log-0": written + 1}, {}).version == written
assert pl.read_delta(str(disk / "t")).height == (written + 1) * 10_000
"""
# A separate disk in a user namespace, which does not need root.
_MOUNT = 'mount -t tmpfs -o size=400k tmpfs "$1" && shift && exec "$@"'


@pytest.mark.slow
def test_a_disk_that_is_full(tmp_path: Path) -> None:
    def on_a_small_disk(*command: str) -> subprocess.CompletedProcess[str]:
        inside = ["unshare", "-rm", "sh", "-c", _MOUNT, "sh", str(tmp_path), *command]
        return subprocess.run(inside, capture_output=True, text=True, check=False)  # noqa: S603

    if shutil.which("unshare") is None or on_a_small_disk("true").returncode:
        pytest.skip("no disk can be mounted here; the tests with a quota show the same for everybody")
    done = on_a_small_disk(sys.executable, "-c", _SMALL_DISK, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert re.search(rf"{os.strerror(errno.ENOSPC)}.*; free ", done.stdout), done.stdout
