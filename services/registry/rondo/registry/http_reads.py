"""What people may look at over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Response

from rondo.registry import audit, history, lineage
from rondo.registry.http_access import ERRORS, Ask
from rondo.registry.http_bodies import (
    AuditEntry,
    AuditLog,
    History,
    Models,
    ModelView,
    Replica,
    Replicas,
    Runs,
    SpecView,
    VersionDetail,
    Versions,
    VersionView,
)
from rondo.registry.lineage import Lineage  # noqa: TC001 - FastAPI reads the annotation

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.registry.versions import Candidate, Model, Version

router = APIRouter(prefix="/v1", responses=ERRORS)


@router.get("/models", summary="All models")
async def models(registry: Ask) -> Models:
    """Return all models, by name."""
    return Models(models=tuple(model_view(model) for model in await registry.archive.models()))


@router.get("/models/{model}", summary="A model")
async def model(model: str, registry: Ask) -> ModelView:
    """Return a model, its champion and what should serve."""
    return model_view(await registry.archive.model(model))


@router.get("/models/{model}/spec", summary="The spec in force")
async def spec(model: str, registry: Ask) -> SpecView:
    """Return the spec in force, every default written out."""
    found = await registry.archive.model(model)
    return SpecView(model=model, revision=found.spec_revision, digest=found.spec.digest, spec=found.spec.as_dict())


@router.get("/models/{model}/versions", summary="The versions of a model")
async def versions(model: str, registry: Ask) -> Versions:
    """Return the versions, oldest first, with what their gates saw."""
    found = await registry.archive.model(model)
    known = await registry.archive.candidates(model)
    views = (_version_view(version, *known[number]) for number, version in found.versions.items())
    return Versions(model=model, versions=tuple(views))


@router.get("/models/{model}/versions/{version}", summary="A version with its evidence")
async def version(model: str, version: int, registry: Ask) -> VersionDetail:
    """Return a version with all its evidence."""
    found = (await registry.archive.model(model)).version(version)
    candidate, registered_at = (await registry.archive.candidates(model))[version]
    view = _version_view(found, candidate, registered_at)
    return VersionDetail(**dict(view), size=candidate.trained.size, evidence=candidate.trained.evidence)


@router.get(
    "/models/{model}/versions/{version}/artifact",
    summary="The ONNX bytes of a version",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
async def artifact(model: str, version: int, registry: Ask) -> Response:
    """Return the artifact. Nothing is sent before all of it was checked against its digest."""
    found = (await registry.archive.model(model)).version(version)
    content = await registry.artifacts.get(found.digest)
    headers = {
        "etag": f'"{found.digest}"',
        "content-disposition": f'attachment; filename="{model}-{version}.onnx"',
    }
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.get("/models/{model}/versions/{version}/lineage", summary="Where a version comes from and went to")
async def version_lineage(model: str, version: int, registry: Ask) -> Lineage:
    """Return the story of a version, from the finding that asked for it to the deployments that it was in."""
    found = (await registry.archive.model(model)).version(version)
    candidate, _ = (await registry.archive.candidates(model))[version]
    return lineage.trace(found, candidate, await registry.archive.deployments(model))


@router.get("/models/{model}/history", summary="Which version was in production when")
async def production_history(model: str, registry: Ask) -> History:
    """Return the periods of all versions that served, oldest first."""
    await registry.archive.model(model)
    return History(model=model, periods=history.periods(await registry.archive.deployments(model)))


@router.get("/models/{model}/replicas", summary="What the serving replicas say of a model")
async def replicas(model: str, registry: Ask) -> Replicas:
    """Return which replica serves, loads or refuses which version, and since when."""
    found = await registry.archive.model(model)
    words = tuple(Replica.model_validate(word.model_dump()) for word in await registry.archive.words(model))
    return Replicas(model=model, revision=found.revision, replicas=words)


@router.get("/models/{model}/audit", summary="The audit log, verified")
async def audit_log(model: str, registry: Ask) -> AuditLog:
    """Return every decision with its evidence, and whether the chain of hashes is whole."""
    records, head, length = await registry.archive.audit(model)
    verdict = audit.verify(model, records, head, length)
    entries = tuple(
        AuditEntry.model_validate({**record.__dict__, "evidence": json.loads(record.evidence)}) for record in records
    )
    return AuditLog(
        model=model,
        verified=verdict.verified,
        message=verdict.message,
        broken_at=verdict.broken_at,
        entries=entries,
    )


@router.get("/runs", summary="Training runs")
async def runs(registry: Ask, model: str | None = None, limit: Annotated[int, Query(ge=1, le=1_000)] = 100) -> Runs:
    """Return the latest runs, newest first."""
    return Runs(runs=tuple(await registry.archive.runs(model, limit)))


def model_view(model: Model) -> ModelView:
    """Return what the API says of a model."""
    return ModelView(
        model=model.name,
        spec_revision=model.spec_revision,
        spec_digest=model.spec.digest,
        revision=model.revision,
        champion=model.champion.number if model.champion else None,
        last_version=model.last_version,
        routes=model.routes,
    )


def _version_view(version: Version, candidate: Candidate, registered_at: datetime) -> VersionView:
    trained = candidate.trained
    return VersionView(
        model=trained.model,
        model_version=version.number,
        state=version.state,
        passed=version.passed,
        digest=version.digest,
        run_id=version.run_id,
        registered_at=registered_at,
        metrics=trained.evidence.candidate.metrics,
        trigger=trained.trigger,
        gates=candidate.gates,
    )
