"""The registry's ports in memory."""

from __future__ import annotations

import asyncio
import copy
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rondo.chassis.errors import AlreadyHandledError
from rondo.contracts.events.models import SpecApplied
from rondo.contracts.spec.dataset.source import source_names
from rondo.registry.audit import hash_chain as audit
from rondo.registry.audit.hash_chain import AuditEntry, AuditRecord, ChainHead
from rondo.registry.errors import StaleRevisionError, UnknownDatasetError, UnknownModelError
from rondo.registry.model import runs
from rondo.registry.model.dataset import DATASET_CHAINS, Dataset
from rondo.registry.model.deployments import Deployment
from rondo.registry.model.model import IN_SERVICE, Actor, Candidate, Decision, Model, RegisteredVersion
from rondo.registry.model.runs import ListedRun, RunPosition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from rondo.contracts.events.access import TokenChanged
    from rondo.contracts.events.base import Event
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.spec.dataset.section import DatasetSpec
    from rondo.contracts.spec.dataset.source import SourceDataset
    from rondo.contracts.spec.model import ModelSpec
    from rondo.registry.model.rollouts import Rollout
    from rondo.registry.model.runs import Run
    from rondo.registry.rollout.rollback_decision import ReplicaReports


@dataclass
class State:
    models: dict[str, Model] = field(default_factory=dict)
    specs: dict[tuple[str, str], ModelSpec] = field(default_factory=dict)
    applied_at: dict[str, datetime] = field(default_factory=dict)
    candidates: dict[str, dict[int, tuple[Candidate, datetime]]] = field(default_factory=dict)
    deployments: dict[str, list[Deployment]] = field(default_factory=dict)
    audit: dict[str, list[AuditRecord]] = field(default_factory=dict)
    runs: dict[str, ListedRun] = field(default_factory=dict)
    schedules: dict[tuple[str, str], datetime] = field(default_factory=dict)
    replica_reports: dict[str, ReplicaReports] = field(default_factory=dict)
    rollouts: dict[str, Rollout] = field(default_factory=dict)
    inbox: set[str] = field(default_factory=set)
    published: list[tuple[str, Event]] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    tokens: dict[str, TokenChanged] = field(default_factory=dict)
    uploads: dict[str, str] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    undeclared: dict[tuple[str, str], ModelSpec] = field(default_factory=dict)

    def active(self) -> tuple[str, ...]:
        """Return the names of the models that have a spec."""
        return tuple(sorted(self.models.keys() - self.removed))

    def declared(self) -> list[Dataset]:
        return [each for _, each in sorted(self.datasets.items()) if each.is_declared]

    def audit_head(self, chain: str) -> ChainHead:
        records = self.audit.get(chain)
        return ChainHead(chain, len(records), records[-1].hash) if records else ChainHead(chain)


class FakeStore:
    """Implements Store and Queries. It has one unit of work at a time, and undoes it if it raises."""

    def __init__(self) -> None:
        self.state = State()
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def work(self) -> AsyncIterator[FakeWork]:
        async with self._lock:
            copied = copy.deepcopy(self.state)
            yield FakeWork(copied)
            self.state = copied

    @asynccontextmanager
    async def handling(self, envelope: Envelope[Any]) -> AsyncIterator[FakeWork]:
        async with self.work() as work:
            if envelope.id in work.state_.inbox:
                raise AlreadyHandledError(envelope.id)
            work.state_.inbox.add(envelope.id)
            yield work

    async def models(self) -> Sequence[Model]:
        return [self.state.models[name] for name in self.state.active()]

    async def model(self, name: str) -> Model:
        if name not in self.state.active():
            raise UnknownModelError(name, self.state.active())
        return self.state.models[name]

    def _known(self, name: str) -> Model:
        """Return a model that may be removed."""
        if name not in self.state.models:
            raise UnknownModelError(name, self.state.active())
        return self.state.models[name]

    async def specs(self) -> Sequence[ModelSpec]:
        return [model.spec for model in await self.models()]

    async def datasets(self) -> Sequence[Dataset]:
        return self.state.declared()

    async def dataset(self, name: str) -> Dataset:
        found = self.state.datasets.get(name)
        if found is None or not found.is_declared:
            raise UnknownDatasetError(name, tuple(each.name for each in self.state.declared()))
        return found

    async def versions(self, model: str, after: int, limit: int) -> Sequence[RegisteredVersion]:
        versions, known = self._known(model).versions, self.state.candidates.get(model, {})
        return [RegisteredVersion(versions[n], *known[n]) for n in sorted(known) if n > after][:limit]

    async def version(self, model: str, number: int) -> RegisteredVersion:
        found = self._known(model).version(number)
        return RegisteredVersion(found, *self.state.candidates[model][number])

    async def deployments(self, model: str) -> Sequence[Deployment]:
        return self.state.deployments.get(self._known(model).name, [])

    async def audit_chains(self) -> Sequence[str]:
        return sorted(self.state.audit)

    async def audit_records(self, chain: str, after: int, limit: int) -> tuple[Sequence[AuditRecord], ChainHead]:
        head = await self.audit_head(chain)
        return self.state.audit.get(chain, [])[after : after + limit], head

    async def audit_head(self, chain: str) -> ChainHead:
        if chain.startswith(DATASET_CHAINS):
            if chain not in self.state.audit:
                raise UnknownDatasetError(chain.removeprefix(DATASET_CHAINS))
        elif chain != audit.TOKENS_CHAIN:
            self._known(chain)
        return self.state.audit_head(chain)

    async def replica_reports(self, model: str) -> ReplicaReports:
        return self.state.replica_reports.get(self._known(model).name, ())

    async def refused_deployments(self) -> Sequence[tuple[str, int]]:
        current = {
            name: {each.state for each in self.state.replica_reports.get(name, ()) if each.revision == model.revision}
            for name, model in self.state.models.items()
        }
        return [
            (name, self.state.models[name].revision)
            for name, states in current.items()
            if "refused" in states and "available" not in states
        ]

    async def rollout(self, model: str) -> Rollout | None:
        return self.state.rollouts.get(model)

    async def rollouts(self) -> Sequence[Rollout]:
        return [each for _, each in sorted(self.state.rollouts.items()) if each.is_active]

    async def rollout_decisions(self, model: str) -> Sequence[AuditRecord]:
        return [each for each in self.state.audit.get(model, []) if each.action in audit.ROLLOUT_ACTIONS]

    async def models_in_rollout(self) -> Sequence[str]:
        active = {name for name, each in self.state.rollouts.items() if each.is_active}
        return sorted(active | {name for name, model in self.state.models.items() if model.waiting})

    async def runs(self, model: str | None, before: RunPosition | None, limit: int) -> Sequence[ListedRun]:
        newest_first = sorted(self.state.runs.values(), key=lambda each: each.position, reverse=True)
        earlier = [each for each in newest_first if before is None or each.position < before]
        return [each for each in earlier if model in (None, each.run.model)][:limit]

    async def tokens(self) -> Sequence[TokenChanged]:
        return list(self.state.tokens.values())

    async def published(self) -> list[tuple[str, str]]:
        """Return id and type of everything published, in order."""
        return [(identity, event.event_type()) for identity, event in self.state.published]


class FakeWork:
    """Implements Work on a state."""

    def __init__(self, state: State) -> None:
        self.state_ = state

    async def load_for_update(self, model: str) -> Model | None:
        return None if model in self.state_.removed else self.state_.models.get(model)

    async def names(self) -> tuple[str, ...]:
        return self.state_.active()

    async def spec(self, model: str, digest: str) -> ModelSpec | None:
        return self.state_.specs.get((model, digest))

    async def spec_revision(self, model: str) -> int:
        return self.state_.models[model].spec_revision if model in self.state_.models else 0

    async def candidate(self, model: str, version: int) -> Candidate:
        return self.state_.candidates[model][version][0]

    async def apply(
        self,
        spec: ModelSpec,
        revision: int,
        actor: Actor,
        dataset_revision: int,
        sources: tuple[SourceDataset, ...] = (),
    ) -> None:
        known = self.state_.models.get(spec.model) or Model(spec.model, spec, revision)
        self.state_.models[spec.model] = Model(**{**known.__dict__, "spec": spec, "spec_revision": revision})
        self.state_.specs[spec.model, spec.digest] = spec
        if (await self.load_dataset_for_update(spec.data.dataset)).spec is None:
            self.state_.undeclared[spec.data.dataset, spec.model] = spec
        self.state_.removed.discard(spec.model)
        self.state_.applied_at[spec.model] = datetime.now(UTC)
        await self.publish(
            SpecApplied(
                model=spec.model,
                revision=revision,
                digest=spec.digest,
                spec=spec,
                dataset_revision=dataset_revision,
                sources=sources,
            )
        )
        evidence = {"revision": revision, "digest": spec.digest, "reason": actor.reason}
        await self.append_audit(spec.model, actor, AuditEntry("spec_applied", evidence))

    async def load_dataset_for_update(self, name: str) -> Dataset:
        return self.state_.datasets.get(name, Dataset(name))

    async def dataset_names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.state_.declared())

    async def dataset_users(self, name: str) -> tuple[ModelSpec, ...]:
        models = [self.state_.models[model] for model in self.state_.active()]
        specs = [model.spec for model in models if name in (model.spec.data.dataset, *source_names(model.spec))]
        for model in models:
            for number, version in model.versions.items():
                digest = self.state_.candidates[model.name][number][0].trained.summary.spec_digest
                earlier = self.state_.specs.get((model.name, digest))
                if version.state in IN_SERVICE and earlier is not None and name in source_names(earlier):
                    specs.append(earlier)
        return tuple({spec.canonical_json(): spec for spec in specs}.values())

    async def undeclared_users(self, name: str) -> tuple[ModelSpec, ...]:
        return tuple(spec for (dataset, _), spec in sorted(self.state_.undeclared.items()) if dataset == name)

    async def save_dataset_spec(self, spec: DatasetSpec, revision: int, actor: Actor) -> None:  # noqa: ARG002 - the port
        history = self.state_.datasets.get(spec.dataset, Dataset(spec.dataset)).history
        self.state_.datasets[spec.dataset] = Dataset(spec.dataset, revision, (*history, spec), is_declared=True)

    async def save_dataset_removal(self, name: str, revision: int) -> None:
        self.state_.datasets[name] = Dataset(name, revision, self.state_.datasets[name].history)

    async def save(self, decision: Decision) -> None:
        name, after, now = decision.after.name, decision.after, datetime.now(UTC)
        found = self.state_.models[name]
        if (found.revision, found.last_version) != (decision.before.revision, decision.before.last_version):
            raise StaleRevisionError(name, decision.before.revision, found.revision)
        self.state_.models[name] = after
        if after.spec_revision != decision.before.spec_revision:
            self.state_.removed.add(name)
        if decision.candidate:
            self.state_.candidates.setdefault(name, {})[after.last_version] = (decision.candidate, now)
        if after.revision != decision.before.revision:
            actor = decision.actor
            deployment = Deployment(
                revision=after.revision, routes=after.routes, decided_by=actor.name, reason=actor.reason, at=now
            )
            self.state_.deployments.setdefault(name, []).append(deployment)
        for entry in decision.audit_entries:
            await self.append_audit(name, decision.actor, entry)
        for event in decision.events:
            await self.publish(event)

    async def append_audit(self, chain: str, actor: Actor, entry: AuditEntry) -> None:
        record = audit.append(self.state_.audit_head(chain), datetime.now(UTC), actor.name, entry)
        self.state_.audit.setdefault(chain, []).append(record)

    async def replica_reports(self, model: str) -> ReplicaReports:
        return self.state_.replica_reports.get(model, ())

    async def save_replica_reports(self, model: str, replica_reports: ReplicaReports) -> None:
        self.state_.replica_reports[model] = replica_reports

    async def rollout(self, model: str) -> Rollout | None:
        return self.state_.rollouts.get(model)

    async def save_rollout(self, rollout: Rollout) -> None:
        self.state_.rollouts[rollout.model] = rollout

    async def save_run(self, run: Run) -> None:
        known = self.state_.runs.get(run.run_id)
        merged = runs.merge(known.run if known else None, run)
        if known is None or known.run != merged:
            self.state_.runs[run.run_id] = ListedRun(merged, RunPosition(datetime.now(UTC), run.run_id))

    async def save_upload(self, artifact: str, trigger: str) -> None:
        self.state_.uploads[trigger] = artifact

    async def release_upload(self, artifact: str, trigger: str | None) -> bool:
        self.state_.uploads.pop(trigger or "", None)
        known = [candidate.trained for each in self.state_.candidates.values() for candidate, _ in each.values()]
        needed = {*self.state_.uploads.values(), *(each.digest for each in known), *(t.trigger.artifact for t in known)}
        return artifact not in needed

    async def load_tokens_for_update(self) -> Sequence[TokenChanged]:
        return list(self.state_.tokens.values())

    async def save_token(self, token: TokenChanged) -> None:
        self.state_.tokens[token.token_id] = token

    async def publish(self, event: Event, event_id: str | None = None) -> str:
        identity = event_id or f"event-{len(self.state_.published)}"
        self.state_.published.append((identity, event))
        return identity

    async def schedule_base(self, model: str, expression: str) -> datetime:
        applied = self.state_.applied_at[model]
        return max(applied, self.state_.schedules.get((model, expression), applied))

    async def complete_schedule(self, model: str, expression: str, due: datetime) -> None:
        self.state_.schedules[model, expression] = due
