"""The commands about datasets: apply a spec, remove the declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.events.datasets import ContractChange, DatasetApplied, DatasetRemoved
from rondo.contracts.spec.dataset.evolution import changes
from rondo.registry.audit.hash_chain import AuditEntry
from rondo.registry.datasets.review import review_dataset
from rondo.registry.errors import DatasetInUseError, RefusedDatasetError, UnknownDatasetError
from rondo.registry.model.dataset import chain_of

if TYPE_CHECKING:
    from rondo.contracts.spec.dataset.section import DatasetSpec
    from rondo.registry.model.model import Actor
    from rondo.registry.ports import DatasetTable


@dataclass(frozen=True)
class AppliedContract:
    """The result of applying a dataset spec. `changed` is False if it was in force already."""

    revision: int
    changed: bool
    changes: tuple[ContractChange, ...] = ()
    warnings: tuple[str, ...] = ()


async def apply_dataset(work: DatasetTable, spec: DatasetSpec, actor: Actor) -> AppliedContract:
    """Bring a dataset spec into force. Applying the spec that is in force changes nothing.

    Raises:
        RefusedDatasetError: stored rows, or models that use the dataset, would not fit it.

    """
    before = await work.load_dataset_for_update(spec.dataset)
    if before.spec is not None and before.spec.digest == spec.digest:
        return AppliedContract(before.revision, changed=False)
    users, undeclared = await work.dataset_users(spec.dataset), await work.undeclared_users(spec.dataset)
    review = review_dataset(spec, before, users, undeclared)
    if review.refusals:
        raise RefusedDatasetError(spec.dataset, review.refusals)
    revision = before.revision + 1
    found = tuple(
        ContractChange(column=each.column, change=each.kind, message=each.sentence, is_stricter=each.is_stricter)
        for each in changes(before.history, spec)
    )
    await work.save_dataset_spec(spec, revision, actor)
    await work.publish(
        DatasetApplied(dataset=spec.dataset, revision=revision, digest=spec.digest, spec=spec, changes=found)
    )
    evidence = {
        "revision": revision,
        "digest": spec.digest,
        "changes": [each.message for each in found],
        "reason": actor.reason,
    }
    await work.append_audit(chain_of(spec.dataset), actor, AuditEntry("dataset_applied", evidence))
    return AppliedContract(revision, changed=True, changes=found, warnings=review.warnings)


async def remove_dataset(work: DatasetTable, name: str, actor: Actor) -> int:
    """Remove the declaration of a dataset, and return the revision of the removal. Its rows stay.

    Raises:
        UnknownDatasetError: it is not declared.
        DatasetInUseError: a model names it.

    """
    before = await work.load_dataset_for_update(name)
    if before.spec is None:
        raise UnknownDatasetError(name, await work.dataset_names())
    if users := await work.dataset_users(name):
        raise DatasetInUseError(name, tuple(sorted({model.model for model in users})))
    revision = before.revision + 1
    await work.save_dataset_removal(name, revision)
    await work.publish(DatasetRemoved(dataset=name, revision=revision, decided_by=actor.name))
    evidence = {"revision": revision, "reason": actor.reason}
    await work.append_audit(chain_of(name), actor, AuditEntry("dataset_removed", evidence))
    return revision
