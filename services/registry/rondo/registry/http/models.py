"""What people may look at over HTTP of a model: its spec, its champion, its history, its replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from rondo.contracts.events.base import Value
from rondo.contracts.events.deployment import Route
from rondo.contracts.text import Digest
from rondo.contracts.times import Utc
from rondo.registry.http.dependencies import ERRORS, Ask, ModelName
from rondo.registry.model import deployments

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
    """A model: its spec, its champion and what should serve. `revision` counts the deployments."""

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
    """When which version was in production, oldest first."""

    model: str
    periods: tuple[deployments.Period, ...]


class Replica(Value):
    """The last word of a replica on one version: which deployment it was about, and why it refused."""

    replica: str
    model_version: int
    revision: int
    state: str
    detail: str
    at: Utc


class Replicas(Value):
    """What the replicas said last of a model that should be at deployment `revision`, by replica and version."""

    model: str
    revision: int
    replicas: tuple[Replica, ...]


@router.get("/models", summary="All models")
async def models(registry: Ask) -> Models:
    """Return all models, by name."""
    return Models(models=tuple(model_view(model) for model in await registry.archive.models()))


@router.get("/models/{model}", summary="A model")
async def model(model: ModelName, registry: Ask) -> ModelView:
    """Return a model, its champion and what should serve."""
    return model_view(await registry.archive.model(model))


@router.get("/models/{model}/spec", summary="The spec in force")
async def spec(model: ModelName, registry: Ask) -> SpecView:
    """Return the spec in force, every default written out."""
    found = await registry.archive.model(model)
    return SpecView(model=model, revision=found.spec_revision, digest=found.spec.digest, spec=found.spec.as_dict())


@router.get("/models/{model}/history", summary="Which version was in production when")
async def production_history(model: ModelName, registry: Ask) -> History:
    """Return the periods of all versions that served, oldest first."""
    return History(model=model, periods=deployments.periods(await registry.archive.deployments(model)))


@router.get("/models/{model}/replicas", summary="What the serving replicas say of a model")
async def replicas(model: ModelName, registry: Ask) -> Replicas:
    """Return which replica serves, loads or refuses which version, and since when."""
    found = await registry.archive.model(model)
    words = tuple(Replica.model_validate(word.model_dump()) for word in await registry.archive.words(model))
    return Replicas(model=model, revision=found.revision, replicas=words)


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
