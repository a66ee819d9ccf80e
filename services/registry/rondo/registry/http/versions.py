"""What people may look at over HTTP of a version: its gates, its evidence, its artifact, its lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from rondo.contracts.events.base import Value
from rondo.contracts.events.models import GateResult
from rondo.contracts.events.training import Evidence, Trigger
from rondo.contracts.text import Digest
from rondo.contracts.times import Utc
from rondo.registry.http.dependencies import ERRORS, Ask, ModelName, VersionNumber
from rondo.registry.model import lineage
from rondo.registry.model.model import State

if TYPE_CHECKING:
    from rondo.registry.model.model import Registered


router = APIRouter(prefix="/v1", responses=ERRORS)


class VersionView(Value):
    """A version, what its gates saw and what asked for it."""

    model: str
    model_version: int
    state: State
    passed: bool
    digest: Digest
    run_id: str
    registered_at: Utc
    metrics: dict[str, float]
    trigger: Trigger
    gates: tuple[GateResult, ...]


class VersionDetail(VersionView):
    """A version with all its evidence. `size` is the artifact's, in bytes."""

    size: int
    evidence: Evidence


class Versions(Value):
    """The versions of a model, oldest first."""

    model: str
    versions: tuple[VersionView, ...]


@router.get("/models/{model}/versions", summary="The versions of a model")
async def versions(model: ModelName, registry: Ask) -> Versions:
    """Return the versions, oldest first, with what their gates saw."""
    found = await registry.archive.versions(model)
    return Versions(model=model, versions=tuple(_version_view(each) for each in found))


@router.get("/models/{model}/versions/{version}", summary="A version with its evidence")
async def version(model: ModelName, version: VersionNumber, registry: Ask) -> VersionDetail:
    """Return a version with all its evidence."""
    found = await registry.archive.version(model, version)
    trained = found.candidate.trained
    return VersionDetail(**dict(_version_view(found)), size=trained.size, evidence=trained.evidence)


@router.get(
    "/models/{model}/versions/{version}/artifact",
    summary="The ONNX bytes of a version",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
async def artifact(model: ModelName, version: VersionNumber, registry: Ask) -> Response:
    """Return the artifact. Nothing is sent before all of it was checked against its digest."""
    found = (await registry.archive.version(model, version)).version
    content = await registry.artifacts.get(found.digest)
    headers = {
        "etag": f'"{found.digest}"',
        "content-disposition": f'attachment; filename="{model}-{version}.onnx"',
    }
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.get("/models/{model}/versions/{version}/lineage", summary="Where a version comes from and went to")
async def version_lineage(model: ModelName, version: VersionNumber, registry: Ask) -> lineage.Lineage:
    """Return the story of a version, from the finding that asked for it to the deployments that it was in."""
    found = await registry.archive.version(model, version)
    return lineage.trace(found.version, found.candidate, await registry.archive.deployments(model))


def _version_view(found: Registered) -> VersionView:
    version, trained = found.version, found.candidate.trained
    return VersionView(
        model=trained.model,
        model_version=version.number,
        state=version.state,
        passed=version.passed,
        digest=version.digest,
        run_id=version.run_id,
        registered_at=found.registered_at,
        metrics=trained.evidence.candidate.metrics,
        trigger=trained.trigger,
        gates=found.candidate.gates,
    )
