"""Routes of scoring: the columns that a version needs, and the request of a job."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter

from rondo.chassis.http.api import Scorer  # noqa: TC001 - FastAPI reads it at run time
from rondo.contracts.events.base import Value
from rondo.contracts.spec.model import Feature
from rondo.contracts.text import Column, Digest
from rondo.registry import commands
from rondo.registry.commands import Requester
from rondo.registry.errors import UnknownSpecError
from rondo.registry.http.dependencies import CONFLICT, Context, ModelName, VersionNumber
from rondo.registry.http.schemas import Score, ScoringJob

router = APIRouter(prefix="/v1/models/{model}/versions/{version}", responses=CONFLICT)


class Signature(Value):
    """The columns that a version needs. `entity`, `event_time` and `time_zone` are from the spec it was trained on."""

    model: str
    model_version: int
    digest: Digest
    features: dict[Column, Feature]
    entity: Column
    event_time: Column
    time_zone: str | None


@router.get("/signature", summary="The requirements of a version for rows")
async def signature(model: ModelName, version: VersionNumber, context: Context, _: Scorer) -> Signature:
    """Return the features of a version, in their order, and the columns that identify a row."""
    found = await context.queries.version(model, version)
    async with context.store.work() as work:
        spec = await work.spec(model, found.candidate.trained.summary.spec_digest)
    if spec is None:
        raise UnknownSpecError(model, found.candidate.trained.summary.spec_digest)
    return Signature(
        model=model, model_version=version, digest=found.version.digest, features=found.version.features,
        entity=spec.data.entity, event_time=spec.data.event_time, time_zone=spec.data.time_zone,
    )  # fmt: skip


@router.post("/scoring-jobs", status_code=202, summary="Score a version of a dataset")
async def score(
    model: ModelName, version: VersionNumber, body: Score, context: Context, principal: Scorer
) -> ScoringJob:
    """Request that a version, deployed or not, scores a whole version of a dataset.

    Ingestion sends the rows to the serving replicas and makes a table of their answers. A failed job continues.
    """
    by, at = Requester(principal, body.reason), datetime.now(UTC)
    async with context.store.work() as work:
        job = await commands.score(work, model, version, (body.dataset, body.data_version), by, at)
    return ScoringJob(model=model, model_version=version, job=job, at=at)
