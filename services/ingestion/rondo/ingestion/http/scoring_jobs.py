"""Routes of scoring jobs and their progress."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Query

from rondo.chassis.http import api as http_api
from rondo.contracts.access_tokens import Role
from rondo.contracts.events.base import Value
from rondo.contracts.events.data import DataVersion
from rondo.contracts.times import Utc
from rondo.ingestion.errors import ScoringJobNotFoundError
from rondo.ingestion.http.context import Ingestion  # noqa: TC001 - FastAPI reads it at run time

if TYPE_CHECKING:
    from rondo.ingestion.scoring.jobs import ScoringJob

router = APIRouter(
    prefix="/v1/scoring-jobs", dependencies=[http_api.requires(Role.PREDICTOR, Role.ENGINEER, Role.READER)]
)


_JOB = re.compile("[0-9a-f]{16}")
JobId = Annotated[str, Path(json_schema_extra={"pattern": f"^{_JOB.pattern}$"})]


class ScoringJobView(Value):
    """A scoring job. `rows` is null until it is planned. `scored` counts rows with an answer, including `refused` ones.

    `rows_per_second` is the speed of the last minute, and `seconds_left` follows from it. `scores` is the table of a
    finished job. `code` and `reason` describe the error of a failed one.
    """

    job: str
    model: str
    model_version: int
    digest: str
    dataset: str
    data_version: int
    requested_by: str
    requested_at: Utc
    state: str
    rows: int | None
    scored: int
    refused: int
    left: int | None
    rows_per_second: float | None
    seconds_left: float | None
    started_at: Utc | None
    ended_at: Utc | None
    scores: DataVersion | None
    code: str
    reason: str


class ScoringJobList(Value):
    """Scoring jobs, newest request first."""

    jobs: tuple[ScoringJobView, ...]


@router.get("", summary="The newest scoring jobs")
async def jobs(ingestion: Ingestion, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> ScoringJobList:
    """Return the most recently requested jobs, newest first."""
    return ScoringJobList(jobs=tuple(map(_view, await ingestion.jobs.latest(limit))))


@router.get("/{job}", summary="A scoring job")
async def job(job: JobId, ingestion: Ingestion) -> ScoringJobView:
    """Return a job with its progress."""
    found = await ingestion.jobs.job(job) if _JOB.fullmatch(job) else None
    if found is None:
        raise ScoringJobNotFoundError(job)
    return _view(found)


def _view(job: ScoringJob) -> ScoringJobView:
    request, runs = job.request, job.ended_at is None
    left = None if job.rows is None else job.rows - job.scored
    return ScoringJobView(
        job=request.job, model=request.model, model_version=request.model_version, digest=request.digest,
        dataset=request.dataset, data_version=request.data_version, requested_by=request.requested_by,
        requested_at=request.at, state=job.state,
        rows=job.rows, scored=job.scored, refused=job.refused, left=left,
        rows_per_second=job.speed.per_second if job.speed and runs else None,
        seconds_left=job.speed.seconds_for(left) if job.speed and runs and left is not None else None,
        started_at=job.started_at, ended_at=job.ended_at, scores=job.scores, code=job.code, reason=job.reason,
    )  # fmt: skip
