"""Routes of versions: gates, evidence, artifact, lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Response

from rondo.chassis.http.api import requires
from rondo.chassis.training_evidence import UnusableEvidenceError, load_evidence
from rondo.contracts.access_tokens import Role
from rondo.contracts.events.base import Value
from rondo.contracts.events.models import GateResult
from rondo.contracts.events.training import Adaptation, Trigger
from rondo.contracts.spec.model import Feature
from rondo.contracts.text import Column, Digest
from rondo.contracts.times import Utc
from rondo.contracts.training_evidence import Evidence
from rondo.contracts.vocabularies import VersionState, open_to
from rondo.registry.http.dependencies import DEFAULT_LIMIT, After, Context, Limit, ModelName, VersionNumber
from rondo.registry.model import lineage

if TYPE_CHECKING:
    from rondo.registry.model.model import RegisteredVersion


router = APIRouter(prefix="/v1", dependencies=[requires(Role.READER)])


class VersionView(Value):
    """A version, its metrics on the holdout, the results of its gates, and the trigger of its training.

    `adaptation` has the rows that it was trained on and the reasons, if a comparison chose them.
    """

    model: str
    model_version: int
    state: Annotated[str, open_to(VersionState)]
    passed: bool
    digest: Digest
    run_id: str
    registered_at: Utc
    task: str
    metrics: dict[str, float]
    trigger: Trigger
    gates: tuple[GateResult, ...]
    adaptation: Adaptation | None = None


class VersionDetail(VersionView):
    """A version with all its evidence. `size` is that of the artifact in bytes. `features` is the ordered signature."""

    size: int
    features: dict[Column, Feature]
    evidence_digest: Digest
    evidence: Evidence | None


class Versions(Value):
    """Versions of a model, oldest first. `next` is the `after` of the next page, or null."""

    model: str
    versions: tuple[VersionView, ...]
    next: int | None


@router.get("/models/{model}/versions", summary="The versions of a model")
async def versions(model: ModelName, context: Context, after: After = 0, limit: Limit = DEFAULT_LIMIT) -> Versions:
    """Return the versions, oldest first, with the results of their gates."""
    found = await context.queries.versions(model, after, limit)
    views = tuple(_version_view(each) for each in found)
    return Versions(model=model, versions=views, next=views[-1].model_version if len(views) == limit else None)


@router.get("/models/{model}/versions/{version}", summary="A version with its evidence")
async def version(model: ModelName, version: VersionNumber, context: Context) -> VersionDetail:
    """Return a version with its evidence from the artifact store. The evidence is null if it can't be used."""
    found = await context.queries.version(model, version)
    trained = found.candidate.trained
    try:
        evidence = await load_evidence(context.artifacts, trained.evidence)
    except UnusableEvidenceError:
        evidence = None
    return VersionDetail(
        **dict(_version_view(found)),
        size=trained.size,
        features=found.version.features,
        evidence_digest=trained.evidence,
        evidence=evidence,
    )


@router.get(
    "/models/{model}/versions/{version}/artifact",
    summary="The ONNX bytes of a version",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
async def artifact(model: ModelName, version: VersionNumber, context: Context) -> Response:
    """Return the artifact, checked against its digest before the first byte is sent."""
    found = (await context.queries.version(model, version)).version
    content = await context.artifacts.get(found.digest)
    headers = {
        "etag": f'"{found.digest}"',
        "content-disposition": f'attachment; filename="{model}-{version}.onnx"',
    }
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.get("/models/{model}/versions/{version}/lineage", summary="The lineage of a version")
async def version_lineage(model: ModelName, version: VersionNumber, context: Context) -> lineage.Lineage:
    """Return the lineage of a version, from the trigger of its training to its deployments."""
    found = await context.queries.version(model, version)
    return lineage.lineage_of(found.version, found.candidate, await context.queries.deployments(model))


def _version_view(found: RegisteredVersion) -> VersionView:
    version, trained = found.version, found.candidate.trained
    return VersionView(
        model=trained.model,
        model_version=version.number,
        state=version.state,
        passed=version.passed,
        digest=version.digest,
        run_id=version.run_id,
        registered_at=found.registered_at,
        task=trained.summary.task,
        metrics=trained.summary.metrics,
        trigger=trained.trigger,
        gates=found.candidate.gates,
        adaptation=trained.summary.adaptation,
    )
