"""In-memory `UnitOfWork` and `RunQueue` on one store. They pass the same contract suites as the PostgreSQL adapters."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.models import ModelRolledBack, SpecApplied
from rondo.contracts.events.training import ModelTrained, TrainingFailed
from rondo.contracts.vocabularies import RouteRole
from rondo.trainer.run import (
    IN_FLIGHT,
    Batch,
    ChampionVersion,
    Ended,
    History,
    Labels,
    LastTraining,
    PastRun,
    Proposal,
    RecordedTrials,
    Run,
    Training,
    Trial,
)
from rondo.trainer.triggers.admission import HARM
from rondo.trainer.triggers.handle_trigger import handle_deferred_triggers
from rondo.trainer.worker.queue import worker_died

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event
    from rondo.contracts.events.data import BatchAccepted
    from rondo.contracts.events.deployment import DeploymentChanged
    from rondo.contracts.events.models import ModelRemoved, ModelRolledBack
    from rondo.contracts.events.training import TrainingProgressed, TrainingStarted, Trigger
    from rondo.contracts.spec.dataset.source import SourceDataset
    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.run import QueueState

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class StoredTrial:
    """A row of the table of trials. `ended` is None while the trial runs."""

    training_set_digest: str
    proposal: Proposal
    starts: int = 0
    ended: Trial | None = None


@dataclass
class StoredRun:
    """A row of the table of runs."""

    id: str
    trigger: Trigger
    spec: ModelSpec
    state: QueueState = "queued"
    attempts: int = 0
    not_before: datetime = EPOCH
    worker: str = ""
    lease_until: datetime = EPOCH
    started_at: datetime | None = None
    finished_at: datetime | None = None
    training_set_digest: str = ""
    function_digest: str | None = None
    spec_revision: int = 0
    sources: tuple[SourceDataset, ...] = ()
    labelled: int = 0
    result: Any = None
    trials: dict[int, StoredTrial] = field(default_factory=dict)


@dataclass
class StoredTraining:
    """A row of the table of trainings, with the scores."""

    known: Training
    labelled: int
    spec_revision: int


@dataclass
class MemoryStore:
    """The tables of the trainer. `runs` are oldest first, `published` are events with their ids (None: generated)."""

    specs: dict[str, SpecApplied | ModelRemoved] = field(default_factory=dict)
    batches: dict[str, Batch] = field(default_factory=dict)
    champions: dict[str, tuple[DeploymentChanged, datetime]] = field(default_factory=dict)
    past_champions: dict[str, list[ChampionVersion]] = field(default_factory=dict)
    deployed_at: dict[tuple[str, int], datetime] = field(default_factory=dict)
    rolled_back_at: dict[tuple[str, int], datetime] = field(default_factory=dict)
    deferred: dict[tuple[str, str], Trigger] = field(default_factory=dict)
    removals: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    skips: dict[str, dict[str, str]] = field(default_factory=dict)
    trainings: dict[str, StoredTraining] = field(default_factory=dict)
    runs: list[StoredRun] = field(default_factory=list)
    published: list[tuple[str | None, Event]] = field(default_factory=list)
    recorded: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def events(self) -> list[Any]:
        """The published events."""
        return [event for _, event in self.published]

    def record_champion(self, changed: DeploymentChanged, at: datetime) -> None:
        """Add the champion to the past ones, as the newest. A withdrawal ends the series."""
        route = next((route for route in changed.routes if route.role == RouteRole.PRIMARY), None)
        past = [each for each in self.past_champions.get(changed.model, []) if route is not None]
        if route is not None:
            past = [each for each in past if each.model_version != route.model_version]
            past.append(ChampionVersion(route.model_version, route.digest))
            self.deployed_at[changed.model, route.model_version] = at
        self.past_champions[changed.model] = past

    def end(self, state: QueueState) -> None:
        self.runs[-1].state = state

    def release(self, worker: str) -> None:
        """Do the same as `queue.release`."""
        for run in self.runs:
            if run.worker == worker and run.state == "running":
                run.lease_until = EPOCH
        self.recorded.set()


@dataclass
class MemoryUnitOfWork:
    """`ports.UnitOfWork` without a rollback, which no test of a handler needs."""

    store: MemoryStore

    async def lock_dataset(self, dataset: str) -> None:
        """Do nothing: one task at a time uses the store."""

    async def lock_model(self, model: str) -> None:
        """Do nothing: one task at a time uses the store."""

    async def save_spec(self, applied: SpecApplied) -> None:
        known = self.store.specs.get(applied.model)
        if known is None or known.revision <= applied.revision:
            self.store.specs[applied.model] = applied

    async def remove_spec(self, removed: ModelRemoved) -> None:
        known = self.store.specs.get(removed.model)
        if known is None or known.revision < removed.revision:
            self.store.specs[removed.model] = removed
        self.store.removals[removed.model] = max(removed.revision, self.store.removals.get(removed.model, 0))
        self.store.skips.pop(removed.model, None)
        training = self.store.trainings.get(removed.model)
        if training is not None and training.spec_revision < removed.revision:
            del self.store.trainings[removed.model]

    async def spec(self, model: str) -> ModelSpec | None:
        found = self.store.specs.get(model)
        return found.spec if isinstance(found, SpecApplied) else None

    async def models_of(self, dataset: str) -> tuple[str, ...]:
        applied = (each for each in self.store.specs.values() if isinstance(each, SpecApplied))
        return tuple(sorted(each.model for each in applied if each.spec.data.dataset == dataset))

    async def save_batch(self, accepted: BatchAccepted) -> None:
        known = self.store.batches.get(accepted.dataset)
        if known is None or known.until <= accepted.event_time_to:
            self.store.batches[accepted.dataset] = Batch(accepted.batch_id, accepted.event_time_to)

    async def latest_batch(self, dataset: str) -> Batch | None:
        return self.store.batches.get(dataset)

    async def save_champion(self, changed: DeploymentChanged, at: datetime) -> None:
        known = self.store.champions.get(changed.model)
        if known is None or known[0].revision <= changed.revision:
            self.store.champions[changed.model] = (changed, now())
            self.store.record_champion(changed, at)
        self.store.recorded.set()

    async def save_rollback(self, rolled_back: ModelRolledBack, at: datetime) -> None:
        self.store.rolled_back_at[rolled_back.model, rolled_back.from_version] = at

    async def history(self, model: str) -> History:
        mine = [run for run in reversed(self.store.runs) if run.spec.model == model]
        removed = self.store.removals.get(model, 0)
        past = (PastRun(run.id, run.trigger, run.spec.digest, run.state, run.spec_revision < removed) for run in mine)
        trained = any(run.state == "trained" and run.spec_revision >= removed and fits(run) for run in mine)
        return History(tuple(past), trained, removed, self._labels(model), self._champion(model))

    def _champion(self, model: str) -> int | None:
        changed = self.store.champions.get(model)
        routes = changed[0].routes if changed else ()
        return next((route.model_version for route in routes if route.role == RouteRole.PRIMARY), None)

    def _labels(self, model: str) -> Labels:
        counted, training = self.store.labels.get(model, 0), self.store.trainings.get(model)
        if training is None:
            return Labels(counted)
        known = training.known
        new = max(counted - training.labelled, 0)
        again = None if known.state.unconfirmed is None else known.state.unconfirmed.rows - known.rows
        return Labels(
            new, known.state.first, known.fitted, known.growth, known.gain, known.basis, known.until, again, known.loss
        )

    async def count_labels(self, model: str, rows: int) -> None:
        self.store.labels[model] = self.store.labels.get(model, 0) + rows

    async def last_skip(self, model: str, kind: str) -> str | None:
        return self.store.skips.get(model, {}).get(kind)

    async def save_skip(self, model: str, kind: str, reason: str) -> None:
        self.store.skips.setdefault(model, {})[kind] = reason

    async def enqueue(self, run_id: str, trigger: Trigger, spec: ModelSpec) -> None:
        known = self.store.specs.get(spec.model)
        sources = known.sources if isinstance(known, SpecApplied) else ()
        queued = StoredRun(run_id, trigger, spec, spec_revision=known.revision if known else 0, sources=sources)
        in_flight = [run for run in self.store.runs if run.spec.model == spec.model and run.state in IN_FLIGHT]
        assert not fits(queued) or not any(map(fits, in_flight)), "the index runs_in_flight"
        self.store.runs.append(queued)
        self.store.skips.pop(spec.model, None)
        self.store.recorded.set()

    async def defer(self, model: str, trigger: Trigger) -> None:
        key = (model, trigger.id if trigger.kind == "registration" else "harm" if trigger.kind in HARM else "")
        known = self.store.deferred.get(key)
        if known is None or known.kind != "manual" or trigger.kind == "manual":
            self.store.deferred[key] = trigger

    async def pop_harm(self, model: str) -> Trigger | None:
        return self.store.deferred.pop((model, "harm"), None)

    async def pop_deferred(self, model: str) -> tuple[Trigger, ...]:
        return tuple(self.store.deferred.pop(key) for key in list(self.store.deferred) if key[0] == model)

    async def publish(self, event: Event, event_id: str | None = None) -> None:
        self.store.published.append((event_id, event))


def fits(run: StoredRun) -> bool:
    return run.trigger.kind != "registration"


@dataclass
class MemoryRunQueue:
    """`ports.RunQueue`."""

    store: MemoryStore
    worker: str = "worker"
    lease: timedelta = timedelta(seconds=30)

    async def listen(self) -> None:
        """Do nothing: the store always sets `recorded`."""

    async def wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.store.recorded.wait()
        except TimeoutError:
            return
        self.store.recorded.clear()

    async def claim(self, max_attempts: int) -> Run | None:
        while run := self._claim_next():
            if run.attempt <= max_attempts:
                return run
            await self.finish(run, Ended(worker_died(run, max_attempts)))
        return None

    def _claim_next(self) -> Run | None:
        busy = {row.spec.model for row in self.store.runs if row.state == "running"}
        for row in self.store.runs:
            queued = row.state == "queued" and row.not_before <= now() and row.spec.model not in busy
            if queued or (row.state == "running" and row.lease_until < now()):
                row.state, row.worker, row.attempts = "running", self.worker, row.attempts + 1
                row.lease_until, row.started_at = now() + self.lease, row.started_at or now()
                row.labelled = self.store.labels.get(row.spec.model, 0)
                return Run(row.id, row.trigger, row.spec, row.attempts, row.worker, row.started_at, sources=row.sources)
        return None

    def _claimed(self, run: Run) -> StoredRun | None:
        rows = (row for row in self.store.runs if row.id == run.id and row.state == "running")
        return next((row for row in rows if (row.worker, row.attempts) == (run.worker, run.attempt)), None)

    async def renew(self, run: Run) -> bool:
        row = self._claimed(run)
        if row is not None:
            row.lease_until = now() + self.lease
        return row is not None

    async def champion(self, model: str) -> ChampionVersion | None:
        deployed = self.store.champions.get(model)
        routes = deployed[0].routes if deployed else ()
        return next((ChampionVersion(r.model_version, r.digest) for r in routes if r.role == RouteRole.PRIMARY), None)

    async def last_champions(self, model: str, count: int) -> tuple[ChampionVersion, ...]:
        store, past = self.store, reversed(self.store.past_champions.get(model, ()))
        keys = ((each, (model, each.model_version)) for each in past)
        kept = (each for each, key in keys if store.rolled_back_at.get(key, EPOCH) < store.deployed_at[key])
        return tuple(kept)[:count]

    async def wait_for_promotion(self, model: str, within: timedelta) -> None:
        while (left := self._seconds_left(model, within)) > 0:
            await self.wait(left)

    def _seconds_left(self, model: str, within: timedelta) -> float:
        times = [run.finished_at for run in self.store.runs if run.spec.model == model and run.state == "trained"]
        newest = max((time for time in times if time), default=None)
        changed_at = self.store.champions[model][1] if model in self.store.champions else EPOCH
        return 0.0 if newest is None or changed_at > newest else (newest + within - now()).total_seconds()

    async def last_training(self, model: str) -> LastTraining | None:
        removed = self.store.removals.get(model, 0)
        mine = [run for run in self.store.runs if run.spec.model == model and run.spec_revision >= removed]
        trained = [run for run in mine if run.state == "trained" and fits(run)]
        last = max(trained, key=lambda run: run.finished_at or EPOCH, default=None)
        return (
            None
            if last is None
            else LastTraining(last.id, last.spec.digest, last.training_set_digest, last.function_digest)
        )

    async def begin(
        self, run: Run, started: TrainingStarted, training_set_digest: str, function_digest: str | None
    ) -> None:
        if (row := self._claimed(run)) is not None:
            row.training_set_digest, row.function_digest = training_set_digest, function_digest
        self.store.published.append((f"{run.id}.started", started))

    async def trials(self, run: Run, training_set_digest: str) -> RecordedTrials:
        row = self._claimed(run)
        if row is None:
            return RecordedTrials()
        row.trials = {n: each for n, each in row.trials.items() if each.training_set_digest == training_set_digest}
        lost = next((each.proposal for each in row.trials.values() if each.ended is None and each.starts > 1), None)
        return RecordedTrials(tuple(each.ended for each in row.trials.values() if each.ended), lost)

    async def begin_trial(self, run: Run, training_set_digest: str, proposal: Proposal) -> bool:
        row = self._claimed(run)
        if row is not None:
            row.trials.setdefault(proposal.number, StoredTrial(training_set_digest, proposal)).starts += 1
        return row is not None

    async def end_trial(self, run: Run, trial: Trial, progressed: TrainingProgressed) -> bool:
        row = self._claimed(run)
        if row is not None:
            row.trials[trial.number].ended = trial
            self.store.published.append((f"{run.id}.trial.{trial.number}", progressed))
        return row is not None

    async def training(self, model: str) -> Training | None:
        found = self.store.trainings.get(model)
        return None if found is None else found.known

    async def finish(self, run: Run, ended: Ended) -> bool:
        row, work, result = self._claimed(run), MemoryUnitOfWork(self.store), ended.result
        if row is None:
            return False
        row.state = _state(result)
        row.result, row.finished_at = result, now()
        self._save(row, ended)
        await work.publish(result, f"{run.id}.{row.state}")
        await handle_deferred_triggers(run.model, work)
        return True

    def _save(self, row: StoredRun, ended: Ended) -> None:
        stored, labelled = self.store.trainings.get(row.spec.model), row.labelled - (ended.unfitted or 0)
        if ended.training is None:
            if stored is not None and ended.unfitted is not None:
                stored.labelled = labelled
        elif row.spec_revision >= self.store.removals.get(row.spec.model, 0):
            self.store.trainings[row.spec.model] = StoredTraining(ended.training, labelled, row.spec_revision)

    async def hand_back(self, run: Run, pause: timedelta) -> None:
        self._hand_back(run, pause, 0)

    async def postpone(self, run: Run, pause: timedelta) -> None:
        self._hand_back(run, pause, 1)

    def _hand_back(self, run: Run, pause: timedelta, uncounted_attempts: int) -> None:
        if (row := self._claimed(run)) is not None:
            row.state, row.not_before, row.attempts = "queued", now() + pause, row.attempts - uncounted_attempts


def _state(result: Any) -> QueueState:
    if isinstance(result, ModelTrained):
        return "trained"
    return "failed" if isinstance(result, TrainingFailed) else "skipped"
