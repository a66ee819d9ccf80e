"""The ports of the storage that handlers, commands and the HTTP API use, by table.

`Work` is the unit of work, and `Queries` the read model. A function's parameter has the part that it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rondo.registry.audit.verifier import AuditReader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from rondo.contracts.events.access import TokenChanged
    from rondo.contracts.events.base import Event
    from rondo.contracts.events.deployment import ReplicaChanged
    from rondo.contracts.spec.dataset.section import DatasetSpec
    from rondo.contracts.spec.dataset.source import SourceDataset
    from rondo.contracts.spec.model import ModelSpec
    from rondo.registry.audit.hash_chain import AuditEntry, AuditRecord, ChainHead
    from rondo.registry.model.dataset import Dataset
    from rondo.registry.model.deployments import Deployment
    from rondo.registry.model.model import Actor, Candidate, Decision, Model, RegisteredVersion
    from rondo.registry.model.rollouts import Rollout
    from rondo.registry.model.runs import ListedRun, Run, RunPosition


class Journal(Protocol):
    """Publishes events and appends to the audit log."""

    async def publish(self, event: Event, event_id: str | None = None) -> str:
        """Publish an event when the work is committed. Returns its id."""
        ...

    async def append_audit(self, chain: str, actor: Actor, entry: AuditEntry) -> None:
        """Append to an audit chain: that of a model or of a dataset, or `TOKENS_CHAIN`."""
        ...


class ModelTables(Journal, Protocol):
    """Models, specs, versions and deployments."""

    async def load_for_update(self, model: str) -> Model | None:
        """Load a model and lock it against every other writer until the work ends. None if it has no spec.

        A name without a spec is locked as well.
        """
        ...

    async def names(self) -> tuple[str, ...]:
        """Return the names of all models, sorted."""
        ...

    async def spec(self, model: str, digest: str) -> ModelSpec | None:
        """Return a spec that is or was in force, by its digest."""
        ...

    async def spec_revision(self, model: str) -> int:
        """Return the latest revision of a model's spec or removal. 0 if it never had a spec."""
        ...

    async def candidate(self, model: str, version: int) -> Candidate:
        """Return the permanent facts about an existing version."""
        ...

    async def apply(
        self,
        spec: ModelSpec,
        revision: int,
        actor: Actor,
        dataset_revision: int,
        sources: tuple[SourceDataset, ...] = (),
    ) -> None:
        """Bring a spec into force as `revision`. Publishes SpecApplied and appends to the audit log.

        The spec was reviewed against its dataset at `dataset_revision`, and against `sources`.
        """
        ...

    async def save(self, decision: Decision) -> None:
        """Save the changes of a decision, publish its events, and append its entries to the audit log.

        Raises:
            StaleRevisionError: the deployment is not at the revision of `decision.before`.

        """
        ...


class DatasetTable(Journal, Protocol):
    """Declared datasets, and the specs of the models that use them."""

    async def load_dataset_for_update(self, name: str) -> Dataset:
        """Load a dataset, declared or not, and lock it against every other writer until the work ends.

        Writers of a model spec that uses the dataset hold this lock, too.
        """
        ...

    async def dataset_names(self) -> tuple[str, ...]:
        """Return the names of the declared datasets, sorted."""
        ...

    async def dataset_users(self, name: str) -> tuple[ModelSpec, ...]:
        """Return the specs in force that name a dataset or take features from it.

        An earlier spec that takes features from it counts while a version that was trained on it serves, or may serve.
        """
        ...

    async def undeclared_users(self, name: str) -> tuple[ModelSpec, ...]:
        """Return the last spec of each model that named the dataset while it was not declared. Removed models count."""
        ...

    async def save_dataset_spec(self, spec: DatasetSpec, revision: int, actor: Actor) -> None: ...

    async def save_dataset_removal(self, name: str, revision: int) -> None: ...


class SpecTables(ModelTables, DatasetTable, Protocol):
    """The tables that the command to apply a model spec uses."""


class ReplicaTable(ModelTables, Protocol):
    """Reports of serving replicas, and their models."""

    async def replica_reports(self, model: str) -> tuple[ReplicaChanged, ...]:
        """Return the latest report of each replica on each version of a model."""
        ...

    async def save_replica_reports(self, model: str, reports: tuple[ReplicaChanged, ...]) -> None:
        """Replace the reports of the replicas on a model."""
        ...


class RolloutTable(ModelTables, Protocol):
    """Rollouts, and their models."""

    async def rollout(self, model: str) -> Rollout | None:
        """Return the latest rollout of a model, active or ended."""
        ...

    async def save_rollout(self, rollout: Rollout) -> None: ...


class RunTable(Protocol):
    """Trainings, and decisions not to train."""

    async def save_run(self, run: Run) -> None:
        """Merge an update into the stored run. A run that ended stays ended."""
        ...


class UploadTable(Protocol):
    """The registrations that need a file in the artifact store."""

    async def save_upload(self, artifact: str, trigger: str) -> None:
        """Record that a registration needs its file, and lock the file until the work ends."""
        ...

    async def release_upload(self, artifact: str, trigger: str | None) -> bool:
        """Delete the entry of a registration, if there is one, and lock the file until the work ends.

        Return whether nothing needs the file any more: no other registration, and no version of any model.
        """
        ...


class Registrations(ModelTables, UploadTable, Protocol):
    """The tables that a registration uses."""


class ScheduleTable(ModelTables, Protocol):
    """Cron schedules, and their models."""

    async def schedule_base(self, model: str, expression: str) -> datetime:
        """Return the time up to which a schedule is complete: its last due time, or the time its spec was applied."""
        ...

    async def complete_schedule(self, model: str, expression: str, due: datetime) -> None:
        """Record that the training of a due time was requested."""
        ...


class TokenTable(Journal, Protocol):
    async def load_tokens_for_update(self) -> Sequence[TokenChanged]:
        """Load all access tokens, oldest first, and lock them against every other writer until the work ends."""
        ...

    async def save_token(self, token: TokenChanged) -> None: ...


class Work(ReplicaTable, RolloutTable, RunTable, UploadTable, ScheduleTable, TokenTable, DatasetTable, Protocol):
    """A unit of work. All its changes and events become visible at once, or none does."""


class Store(Protocol):
    """Opens units of work that belong to no event."""

    def work(self) -> AbstractAsyncContextManager[Work]:
        """Open a unit of work. It is committed at the end of the body, and rolled back if the body raises."""
        ...


class ModelQueries(Protocol):
    """Models, and their specs in force."""

    async def models(self) -> Sequence[Model]:
        """Return all models, by name."""
        ...

    async def model(self, name: str) -> Model: ...

    async def specs(self) -> Sequence[ModelSpec]:
        """Return the spec in force of each model, by name."""
        ...


class DatasetQueries(Protocol):
    """Declared datasets."""

    async def datasets(self) -> Sequence[Dataset]:
        """Return the declared datasets, by name."""
        ...

    async def dataset(self, name: str) -> Dataset:
        """Return a declared dataset.

        Raises:
            UnknownDatasetError: it is not declared.

        """
        ...


class VersionQueries(Protocol):
    """Versions and deployments, including those of removed models."""

    async def versions(self, model: str, after: int, limit: int) -> Sequence[RegisteredVersion]:
        """Return up to `limit` versions with a number above `after`, oldest first."""
        ...

    async def version(self, model: str, number: int) -> RegisteredVersion:
        """Return a version in any state, including rejected ones.

        Raises:
            UnknownVersionError: the model has no such version.

        """
        ...

    async def deployments(self, model: str) -> Sequence[Deployment]:
        """Return every deployment, oldest first."""
        ...


class AuditQueries(AuditReader, Protocol):
    async def audit_head(self, chain: str) -> ChainHead: ...


class ReplicaQueries(Protocol):
    """Reports of serving replicas."""

    async def replica_reports(self, model: str) -> tuple[ReplicaChanged, ...]:
        """Return the latest report of each replica on each version of a model."""
        ...

    async def refused_deployments(self) -> Sequence[tuple[str, int]]:
        """Return model and revision of the current deployments that at least one replica refuses and none serves."""
        ...


class RolloutQueries(Protocol):
    async def rollout(self, model: str) -> Rollout | None:
        """Return the latest rollout of a model."""
        ...

    async def rollouts(self) -> Sequence[Rollout]:
        """Return the active rollouts, by model, without those that this release can't read."""
        ...

    async def rollout_decisions(self, model: str) -> Sequence[AuditRecord]:
        """Return the newest records of a model's audit log with one of `ROLLOUT_ACTIONS`, oldest first."""
        ...

    async def models_in_rollout(self) -> Sequence[str]:
        """Return the names of the models with an active rollout, or with a version that waits for its rollout."""
        ...


class RunQueries(Protocol):
    """Trainings, and decisions not to train."""

    async def runs(self, model: str | None, before: RunPosition | None, limit: int) -> Sequence[ListedRun]:
        """Return up to `limit` runs that changed before a position, of one model or of all, latest change first."""
        ...


class TokenQueries(Protocol):
    async def tokens(self) -> Sequence[TokenChanged]:
        """Return all access tokens, oldest first."""
        ...


class Queries(
    ModelQueries,
    DatasetQueries,
    VersionQueries,
    AuditQueries,
    ReplicaQueries,
    RolloutQueries,
    RunQueries,
    TokenQueries,
    Protocol,
):
    """The read model. Reads see one consistent state, and do not wait for writers.

    A query about a model that never had a spec raises UnknownModelError. A removed model has no spec and is not in the
    list of models. Its versions, deployments and audit log can still be queried.
    """
