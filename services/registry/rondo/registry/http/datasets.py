"""Routes of declared datasets: their specs, their audit log, their removal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query

from rondo.chassis.http.api import Approver, requires
from rondo.contracts.access_tokens import Role
from rondo.contracts.events.base import Value
from rondo.contracts.spec.dataset.source import source_names
from rondo.contracts.text import Digest, Text
from rondo.registry.datasets import commands
from rondo.registry.http.audit import AuditLog, Full, read_chain
from rondo.registry.http.dependencies import CONFLICT, DEFAULT_LIMIT, After, Context, Limit
from rondo.registry.http.schemas import Reason  # noqa: TC001 - FastAPI reads it at run time
from rondo.registry.model.dataset import chain_of
from rondo.registry.model.model import Actor

if TYPE_CHECKING:
    from rondo.registry.model.dataset import Dataset

DatasetName = Annotated[Text, Path()]
_READS = requires(Role.READER, Role.PUBLISHER)
router = APIRouter(prefix="/v1/datasets")


class DatasetSpecView(Value):
    """The spec of a declared dataset that is in force, and the models that use the dataset."""

    dataset: str
    revision: int
    digest: Digest
    spec: dict[str, Any]
    models: tuple[str, ...]


class DatasetList(Value):
    """The declared datasets, by name."""

    datasets: tuple[DatasetSpecView, ...]


class RemovedDataset(Value):
    """The declaration was removed. `revision` is that of the removal, the next one of its spec."""

    dataset: str
    revision: int


@router.get("", summary="The declared datasets", dependencies=[_READS])
async def datasets(context: Context) -> DatasetList:
    """Return the specs in force. A dataset that only model specs name is not declared, and not in the list."""
    users: dict[str, list[str]] = {}
    for spec in await context.queries.specs():
        for name in {spec.data.dataset, *source_names(spec)}:
            users.setdefault(name, []).append(spec.model)
    found = await context.queries.datasets()
    return DatasetList(datasets=tuple(_view(each, users.get(each.name, ())) for each in found))


@router.get("/{dataset}", summary="The spec of a declared dataset", dependencies=[_READS])
async def dataset(dataset: DatasetName, context: Context) -> DatasetSpecView:
    """Return the spec in force."""
    found = await context.queries.dataset(dataset)
    specs = await context.queries.specs()
    return _view(found, tuple(each.model for each in specs if dataset in (each.data.dataset, *source_names(each))))


@router.get("/{dataset}/audit", summary="The audit log of a dataset, verified", dependencies=[requires(Role.READER)])
async def audit_log(
    dataset: DatasetName, context: Context, after: After = 0, limit: Limit = DEFAULT_LIMIT, *, full: Full = False
) -> AuditLog:
    """Return the decisions about the spec of a dataset, including those before a removal. `model` names the chain."""
    return await read_chain(context, chain_of(dataset), after, limit, full=full)


@router.delete("/{dataset}", summary="Remove the declaration of a dataset", responses=CONFLICT)
async def remove(
    dataset: DatasetName, context: Context, principal: Approver, reason: Annotated[Reason, Query()] = ""
) -> RemovedDataset:
    """Withdraw the spec of a dataset that no model names. Its rows, its audit log and its earlier specs stay."""
    async with context.store.work() as work:
        revision = await commands.remove_dataset(work, dataset, Actor(principal.name, reason))
    return RemovedDataset(dataset=dataset, revision=revision)


def _view(found: Dataset, models: tuple[str, ...] | list[str]) -> DatasetSpecView:
    spec = found.history[-1]
    return DatasetSpecView(
        dataset=found.name, revision=found.revision, digest=spec.digest, spec=spec.as_dict(), models=tuple(models)
    )
