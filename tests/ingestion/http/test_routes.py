"""The HTTP API on real tables. The store of batches is a fake."""

from __future__ import annotations

import gzip
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import httpx
import pytest
from polars.exceptions import PanicException
from rondo.chassis.artifacts import Artifacts
from rondo.chassis.errors import UnavailableError
from rondo.chassis.health import Health
from rondo.chassis.http.server import guarded
from rondo.contracts.access_tokens import Role
from rondo.contracts.batch_files.formats import FORMATS
from rondo.ingestion.batches.publisher import BatchPublisher
from rondo.ingestion.batches.service import BatchService
from rondo.ingestion.batches.spool import Spool
from rondo.ingestion.delta.tables import DeltaTables
from rondo.ingestion.http.context import ApiContext
from rondo.ingestion.http.routes import api
from rondo.ingestion.scoring.jobs import ScoringJob
from rondo.ingestion.scoring.plan import Speed
from rondo.ingestion.spec_cache import SpecCache

from tests.ingestion.builders import NOW, parquet, rides, spec
from tests.ingestion.delta.damages import damaged, log_of
from tests.ingestion.fakes import MemoryBatchStore
from tests.ingestion.scoring.memory_jobs import MemoryJobs
from tests.ingestion.scoring.test_coordinator import requested
from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

RIDES = "/v1/datasets/rides"
JANUARY = f"{RIDES}/batches/january"
PARQUET = {"content-type": "application/vnd.apache.parquet"}


@asynccontextmanager
async def serving(
    folder: Path, batches: Any = None, jobs: Any = None, *, started: bool = True
) -> AsyncIterator[httpx.AsyncClient]:
    app, specs, spool = api(), SpecCache([spec()]), Spool(folder / "spool", 1024 * 1024)
    spool.clear()
    batches, reports = batches or MemoryBatchStore(), Artifacts(str(folder / "artifacts"))
    tables = DeltaTables(str(folder / "data"))
    publisher = BatchPublisher(tables)
    service = BatchService(specs, batches, publisher, reports, clock=lambda: NOW)
    if started:
        app.state.context = ApiContext(service, spool, batches, publisher, tables, reports, specs, jobs or Mock())
    guarded_app: Any = guarded(Health(), await token_cache(), app)
    transport = httpx.ASGITransport(app=guarded_app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingestion", headers=bearer()) as client:
        yield client


@pytest.mark.medium
async def test_a_batch_is_accepted_and_reported(tmp_path: Path) -> None:
    body = parquet(rides(10, distance=[-1.0, *[1.0] * 9]), tmp_path)
    async with serving(tmp_path) as client:
        first = await client.post(JANUARY, content=body, headers=PARQUET)
        again = await client.post(JANUARY, content=body, headers=PARQUET)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.content == again.content
        report = (await client.get(JANUARY)).json()
        assert report == first.json()
        assert report["rows"] == {"total": 10, "accepted": 9, "quarantined": 1}
        [(reason, count)] = report["quality"]["reasons"].items()
        assert (reason.partition(":")[0], count) == ("distance", 1)
        listed = (await client.get(f"{RIDES}/batches")).json()["batches"]
        assert [(each["batch_id"], each["report"]) for each in listed] == [("january", report["report"])]
        [row] = (await client.get(f"{RIDES}/quarantine")).json()["rows"]
        assert (row["batch_id"], row["row"], row["reason"]) == ("january", 0, reason)
        dataset = (await client.get(RIDES)).json()
        assert dataset["data_version"] == report["data_version"]


async def test_a_rejected_batch_is_a_problem_with_its_report(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        answer = await client.post(JANUARY, content=b"a,b\n1,2\n", headers={"content-type": "text/csv"})
        problem = answer.json()
        assert (answer.status_code, problem["status"], problem["code"]) == (422, 422, "batch_rejected")
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(problem["reasons"]) == 7
        assert (await client.get(JANUARY)).json()["reasons"] == problem["reasons"]


@pytest.mark.medium
@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("POST", JANUARY, {"content-type": "application/zip"}, 415, "unknown_content_type"),
        ("POST", JANUARY, {}, 415, "unknown_content_type"),
        ("POST", JANUARY, PARQUET | {"content-encoding": "br"}, 415, "unsupported_encoding"),
        ("POST", JANUARY, PARQUET | {"content-encoding": "gzip"}, 422, "batch_rejected"),
        ("POST", JANUARY, PARQUET | {"content-length": "2000000"}, 413, "batch_too_large"),
        ("POST", f"{RIDES}/batches/-x", PARQUET, 400, "invalid_name"),
        ("GET", JANUARY, {}, 404, "batch_not_found"),
        ("GET", "/v1/datasets/other", {}, 404, "dataset_not_found"),
        ("GET", f"{RIDES}/batches?limit=0", {}, 422, "invalid_request"),
        ("GET", "/v1/nothing", {}, 404, "not_found"),
        ("DELETE", RIDES, {}, 405, "method_not_allowed"),
    ],
)
async def test_every_refusal_is_a_problem(
    tmp_path: Path, method: str, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    async with serving(tmp_path) as client:
        content = b"x" if method == "POST" else None
        answer = await client.request(method, path, content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_panic_of_a_library_is_a_problem_and_the_next_batch_is_accepted(tmp_path: Path) -> None:
    class Panicking(MemoryBatchStore):
        async def find(self, dataset: str, batch_id: str) -> Any:
            if batch_id == "january":
                raise PanicException("not yet implemented")
            return await super().find(dataset, batch_id)

    async with serving(tmp_path, Panicking()) as client:
        answer = await client.post(JANUARY, content=parquet(rides(10), tmp_path), headers=PARQUET)
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        other = await client.post(f"{RIDES}/batches/march", content=parquet(rides(10), tmp_path), headers=PARQUET)
        assert other.status_code == 201


async def test_a_batch_for_a_damaged_table_is_a_problem_that_names_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        await client.post(JANUARY, content=parquet(rides(10), tmp_path), headers=PARQUET)
    with damaged(log_of(tmp_path / "data/datasets/rides")[0], "cut"):
        async with serving(tmp_path) as client:
            march = f"{RIDES}/batches/march"
            answer = await client.post(march, content=parquet(rides(3), tmp_path), headers=PARQUET)
    assert (answer.status_code, answer.json()["code"]) == (500, "table_damaged")
    assert answer.json()["table"] == "datasets/rides"


async def test_an_accepted_batch_id_with_other_content_is_a_conflict(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        await client.post(JANUARY, content=parquet(rides(10), tmp_path), headers=PARQUET)
        answer = await client.post(JANUARY, content=parquet(rides(3), tmp_path), headers=PARQUET)
    assert (answer.status_code, answer.json()["code"]) == (409, "batch_conflict")
    assert answer.json()["batch_id"] == "january"


async def test_while_it_starts_or_postgresql_is_unavailable_the_answer_is_503(tmp_path: Path) -> None:
    class Unavailable(MemoryBatchStore):
        async def find(self, dataset: str, batch_id: str) -> Any:
            raise UnavailableError("PostgreSQL", f"no answer about {dataset}/{batch_id}")

    for arguments in ({"started": False}, {"batches": Unavailable()}):
        async with serving(tmp_path, **arguments) as client:  # type: ignore[arg-type]
            answer = await client.get(JANUARY)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0


@pytest.mark.medium
async def test_a_compressed_upload_is_the_same_batch(tmp_path: Path) -> None:
    body, headers = parquet(rides(10), tmp_path), PARQUET | {"content-encoding": "gzip"}
    async with serving(tmp_path) as client:
        assert (await client.post(JANUARY, content=gzip.compress(body), headers=headers)).status_code == 201
        assert (await client.post(JANUARY, content=body, headers=PARQUET)).status_code == 200
        bomb = gzip.compress(b"0" * (8 * 1024 * 1024))
        assert (await client.post(JANUARY, content=bomb, headers=headers)).status_code == 413
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.medium
async def test_a_report_that_was_removed_from_the_store_leaves_the_headline(tmp_path: Path) -> None:
    body = parquet(rides(10), tmp_path)
    async with serving(tmp_path) as client:
        await client.post(JANUARY, content=body, headers=PARQUET)
        shutil.rmtree(tmp_path / "artifacts" / "sha256")
        for answer in (await client.post(JANUARY, content=body, headers=PARQUET), await client.get(JANUARY)):
            report = answer.json()
            assert (answer.status_code, report["quality"], report["rows"]["accepted"]) == (200, None, 10)


@pytest.mark.medium
async def test_each_route_needs_its_role(tmp_path: Path) -> None:
    body = parquet(rides(10), tmp_path)
    async with serving(tmp_path) as client:
        for role, status in ((Role.READER, 403), (Role.PREDICTOR, 403), (Role.PUBLISHER, 201)):
            answer = await client.post(JANUARY, content=body, headers=bearer(role) | PARQUET)
            assert answer.status_code == status, role
            if status == 403:
                assert answer.json()["required_roles"] == ["publisher"]
        for path, allowed in (
            (RIDES, "reader publisher"),
            (f"{RIDES}/data-version", "predictor"),
            (JANUARY, "reader publisher"),
            (f"{RIDES}/quarantine", "reader"),
        ):
            for role in (Role.READER, Role.PUBLISHER, Role.PREDICTOR):
                answer = await client.get(path, headers=bearer(role))
                assert answer.status_code == (200 if role in allowed.split() else 403), (path, role)
        assert (await client.get(RIDES, headers={"authorization": ""})).status_code == 401


def test_openapi_describes_every_answer() -> None:
    document = api().openapi()
    upload = document["paths"]["/v1/datasets/{dataset}/batches/{batch_id}"]["post"]
    assert set(upload["requestBody"]["content"]) == set(FORMATS)
    assert {"200", "201", "400", "409", "413", "415", "422", "503"} <= set(upload["responses"])
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                if path.startswith("/v1"):
                    [(media, content)] = answer["content"].items()
                    assert media == ("application/json" if status.startswith("2") else "application/problem+json")
                    assert "$ref" in content["schema"], (path, method, status)


async def test_a_scoring_job_shows_how_far_it_is_and_who_has_no_role_sees_none(tmp_path: Path) -> None:
    jobs, request = MemoryJobs(), requested(0)
    jobs.requests[request.job] = ScoringJob(request, "running", rows=130, scored=100, speed=Speed(60, 2.0))
    async with serving(tmp_path, jobs=jobs) as client:
        path = f"/v1/scoring-jobs/{request.job}"
        found = (await client.get(path, headers=bearer(Role.PREDICTOR))).json()
        assert (found["rows"], found["scored"], found["left"]) == (130, 0, 130)
        assert (found["rows_per_second"], found["seconds_left"]) == (30.0, pytest.approx(130 / 30))
        assert (await client.get(path, headers=bearer(Role.PUBLISHER))).status_code == 403
        missing = await client.get("/v1/scoring-jobs/0123456789abcdef")
        assert (missing.status_code, missing.json()["code"]) == (404, "scoring_job_not_found")
