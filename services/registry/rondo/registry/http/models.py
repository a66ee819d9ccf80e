"""Routes of models: spec, champion, history, replicas, trainings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query

from rondo.chassis.http.api import requires
from rondo.contracts.access_tokens import Role
from rondo.contracts.events.base import Value
from rondo.contracts.events.deployment import Route
from rondo.contracts.text import Digest, Text
from rondo.contracts.times import Utc
from rondo.registry.errors import InvalidCursorError
from rondo.registry.http.dependencies import DEFAULT_LIMIT, Context, Limit, ModelName
from rondo.registry.model import deployments
from rondo.registry.model.runs import Run, RunPosition

if TYPE_CHECKING:
    from rondo.registry.model.model import Model


router = APIRouter(prefix="/v1", dependencies=[requires(Role.READER)])


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
    """The periods in which versions were in production, oldest first."""

    model: str
    periods: tuple[deployments.Period, ...]


class Replica(Value):
    """The latest report of a replica on one version: its state, its deployment, and the reason of a refusal."""

    replica: str
    model_version: int
    revision: int
    state: str
    detail: str
    at: Utc


class Replicas(Value):
    """The latest reports of the replicas on a model by replica and version. `revision` is that of its deployment."""

    model: str
    revision: int
    replicas: tuple[Replica, ...]


Before = Annotated[Text | None, Query(description="`next` of the page before")]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Runs(Value):
    """Trainings and decisions not to train, latest change first. `next` is `before` of the next page, or null."""

    runs: tuple[Run, ...]
    next: str | None


def _position(before: Before = None) -> RunPosition | None:
    """Read a cursor.

    Raises:
        InvalidCursorError: this API did not return it.

    """
    if before is None:
        return None
    microseconds, _, run_id = before.partition("~")
    try:
        return RunPosition(_EPOCH + int(microseconds) * _MICROSECOND, run_id)
    except (ValueError, OverflowError):
        raise InvalidCursorError(before) from None


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


@router.get("/models/{model}/history", summary="The versions in production, and their periods")
async def production_history(model: ModelName, context: Context) -> History:
    """Return the periods of all versions that served, oldest first."""
    return History(model=model, periods=deployments.periods(await context.queries.deployments(model)))


@router.get("/models/{model}/replicas", summary="The latest reports of the serving replicas")
async def replicas(model: ModelName, context: Context) -> Replicas:
    """Return the versions that each replica serves, loads or refuses, and since when."""
    found = await context.queries.model(model)
    reports = await context.queries.replica_reports(model)
    views = tuple(Replica.model_validate(report.model_dump()) for report in reports)
    return Replicas(model=model, revision=found.revision, replicas=views)


@router.get("/runs", summary="Trainings and decisions not to train")
async def runs(
    context: Context,
    model: Annotated[Text | None, Query()] = None,
    before: Annotated[RunPosition | None, Depends(_position)] = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Runs:
    """Return runs, latest change first."""
    found = await context.queries.runs(model, before, limit)
    following = _cursor(found[-1].position) if len(found) == limit else None
    return Runs(runs=tuple(each.run for each in found), next=following)


def _cursor(position: RunPosition) -> str:
    return f"{(position.updated_at - _EPOCH) // _MICROSECOND}~{position.run_id}"


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
