"""Routes of models: spec, champion, history, replicas, trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query

from rondo.contracts.events.base import Value
from rondo.contracts.events.deployment import Route
from rondo.contracts.text import Digest
from rondo.contracts.times import Utc
from rondo.registry.http.dependencies import ERRORS, Context, ModelName
from rondo.registry.http.schemas import NO_NUL
from rondo.registry.model import deployments
from rondo.registry.model.runs import Run

if TYPE_CHECKING:
    from rondo.registry.model.model import Model


router = APIRouter(prefix="/v1", responses=ERRORS)


class SpecView(Value):
    """The spec in force."""

    model: str
    revision: int
    digest: Digest
    spec: dict[str, Any]


class ModelView(Value):
    """A model: its spec, its champion and its routes. `revision` counts the deployments."""

    model: str
    spec_revision: int
    spec_digest: Digest
    revision: int
    champion: int | None
    last_version: int
    routes: tuple[Route, ...]


class Models(Value):
    """All models, by name."""

    models: tuple[ModelView, ...]


class History(Value):
    """Which version was in production when, oldest first."""

    model: str
    periods: tuple[deployments.Period, ...]


class Replica(Value):
    """The latest report of a replica on one version: the deployment that it is about, and why it refused."""

    replica: str
    model_version: int
    revision: int
    state: str
    detail: str
    at: Utc


class Replicas(Value):
    """The latest reports of the replicas on a model whose deployment is at `revision`, by replica and version."""

    model: str
    revision: int
    replicas: tuple[Replica, ...]


class Runs(Value):
    """Training runs, newest first."""

    runs: tuple[Run, ...]


@router.get("/models", summary="All models")
async def models(context: Context) -> Models:
    """Return all models, by name."""
    return Models(models=tuple(model_view(model) for model in await context.queries.models()))


@router.get("/models/{model}", summary="A model")
async def model(model: ModelName, context: Context) -> ModelView:
    """Return a model, its champion and its routes."""
    return model_view(await context.queries.model(model))


@router.get("/models/{model}/spec", summary="The spec in force")
async def spec(model: ModelName, context: Context) -> SpecView:
    """Return the spec in force, with every default written out."""
    found = await context.queries.model(model)
    return SpecView(model=model, revision=found.spec_revision, digest=found.spec.digest, spec=found.spec.as_dict())


@router.get("/models/{model}/history", summary="Which version was in production when")
async def production_history(model: ModelName, context: Context) -> History:
    """Return the periods of all versions that served, oldest first."""
    return History(model=model, periods=deployments.periods(await context.queries.deployments(model)))


@router.get("/models/{model}/replicas", summary="The latest reports of the serving replicas")
async def replicas(model: ModelName, context: Context) -> Replicas:
    """Return which replica serves, loads or refuses which version, and since when."""
    found = await context.queries.model(model)
    reports = await context.queries.replica_reports(model)
    views = tuple(Replica.model_validate(report.model_dump()) for report in reports)
    return Replicas(model=model, revision=found.revision, replicas=views)


@router.get("/runs", summary="Training runs")
async def runs(
    context: Context,
    model: Annotated[str | None, Query(pattern=NO_NUL)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Runs:
    """Return the latest runs, newest first."""
    return Runs(runs=tuple(await context.queries.runs(model, limit)))


def model_view(model: Model) -> ModelView:
    return ModelView(
        model=model.name,
        spec_revision=model.spec_revision,
        spec_digest=model.spec.digest,
        revision=model.revision,
        champion=model.champion.number if model.champion else None,
        last_version=model.last_version,
        routes=model.routes,
    )
