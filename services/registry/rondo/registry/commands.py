"""The commands of people: apply a spec, register a model, promote, roll back, train, score, remove."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from rondo.contracts.events.scoring import ScoringRequested, job_id
from rondo.contracts.events.training import Trigger
from rondo.contracts.spec.dataset.source import source_names, source_of
from rondo.contracts.vocabularies import TriggerKind
from rondo.registry.audit.hash_chain import AuditEntry
from rondo.registry.datasets.review import review_sources, review_use
from rondo.registry.errors import AlreadyServingError, RefusedSpecError, UnknownModelError, UnknownSpecError
from rondo.registry.model import runs
from rondo.registry.model.model import Actor
from rondo.registry.registration import removal
from rondo.registry.registration.spec_review import review_spec
from rondo.registry.rollout import promotion, rollback

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.chassis.security.principal import Principal
    from rondo.contracts.spec.model import ModelSpec
    from rondo.registry.model.model import Model
    from rondo.registry.ports import ModelTables, Registrations, SpecTables


@dataclass(frozen=True)
class Applied:
    """The result of applying a spec. `changed` is False if it was in force already."""

    revision: int
    changed: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Requester:
    """The person who requests a command, and the reason that they give."""

    principal: Principal
    reason: str = ""

    @property
    def actor(self) -> Actor:
        return Actor(self.principal.name, self.reason)


async def apply_spec(work: SpecTables, spec: ModelSpec, by: Requester) -> Applied:
    """Bring a spec into force. Applying the spec that is in force changes nothing.

    Raises:
        RefusedSpecError: it asks for something unsupported, would break the served model, or does not fit its declared
            dataset or those that it takes features from.

    """
    model = await work.load_for_update(spec.model)
    if model is not None and model.spec.digest == spec.digest:
        return Applied(model.spec_revision, changed=False)
    champion = model.champion if model else None
    review = review_spec(
        spec,
        model.spec if model else None,
        champion.number if champion else None,
        champion.route().features if champion else {},
    )
    names = source_names(spec)
    # One order of the locks for all writers, so that none waits for the other.
    datasets = {name: await work.load_dataset_for_update(name) for name in sorted({spec.data.dataset, *names})}
    dataset = datasets[spec.data.dataset]
    of_dataset = review_use(spec, dataset.spec, await work.undeclared_users(dataset.name))
    sources = {name: found for name in names if (found := datasets[name].spec) is not None}
    of_sources = review_sources(spec, sources)
    if refusals := (*review.refusals, *of_dataset.refusals, *of_sources.refusals):
        raise RefusedSpecError(spec.model, refusals)
    revision = await work.spec_revision(spec.model) + 1
    await work.apply(spec, revision, by.actor, dataset.revision, tuple(map(source_of, sources.values())))
    return Applied(revision, changed=True, warnings=(*review.warnings, *of_dataset.warnings))


async def promote(
    work: ModelTables, name: str, number: int, by: Requester, expected: int | None, *, override: bool
) -> Model:
    """Make a version the champion, and return the changed model.

    Raises:
        RegistryError: the version is unknown, did not pass, or serves already, or the deployment is not at revision
            `expected`.

    """
    model = await _existing(work, name)
    model.require_revision(expected)
    version = model.version(number)
    candidate = await work.candidate(name, number)
    decision = promotion.promote_by_hand(model, version, candidate, by.actor, override=override)
    await work.save(decision)
    return decision.after


async def roll_back(work: ModelTables, name: str, number: int | None, by: Requester, expected: int | None) -> Model:
    """Go back to an earlier version, and return the changed model.

    Raises:
        RegistryError: there is no such version, it never served, or the deployment is not at revision `expected`.

    """
    model = await _existing(work, name)
    model.require_revision(expected)
    decision = rollback.roll_back(model, number, by.actor)
    await work.save(decision)
    return decision.after


async def train(work: ModelTables, name: str, by: Requester, at: datetime) -> Trigger:
    """Request a training with the data that was known at event time `at`.

    Raises:
        UnknownModelError: the model has no spec.

    """
    await _existing(work, name)
    trigger = Trigger(id=f"manual/{uuid4()}", kind="manual", at=at, detail=by.reason)
    event, entry = runs.request(name, trigger, by.actor)
    await work.publish(event, trigger.id)
    await work.append_audit(name, by.actor, entry)
    return trigger


async def register(work: Registrations, name: str, artifact: str, by: Requester, at: datetime) -> Trigger:
    """Request that the trainer evaluates the model `artifact`, which is in the artifact store, as a candidate.

    Raises:
        UnknownModelError: the model has no spec.
        AlreadyServingError: a serving version has this artifact, or was registered from it by the spec in force.

    """
    model = await _existing(work, name)
    for version in model.serving:
        trained = (await work.candidate(name, version.number)).trained
        registered = trained.trigger.artifact == artifact and trained.summary.spec_digest == model.spec.digest
        if registered or version.digest == artifact:
            raise AlreadyServingError(name, version.number)
    trigger = Trigger(
        id=f"registration/{uuid4()}", kind=TriggerKind.REGISTRATION, at=at, detail=by.reason, artifact=artifact
    )
    await work.save_upload(artifact, trigger.id)
    event, entry = runs.request(name, trigger, by.actor)
    await work.publish(event, trigger.id)
    await work.append_audit(name, by.actor, entry)
    return trigger


async def score(work: ModelTables, name: str, number: int, data: tuple[str, int], by: Requester, at: datetime) -> str:
    """Request that a version scores a version of a dataset, and return the id of the job.

    Raises:
        UnknownModelError: the model has no spec.
        UnknownVersionError: it has no such version.
        UnknownSpecError: the spec that the version was trained on is not known.

    """
    version = (await _existing(work, name)).version(number)
    trained = (await work.candidate(name, number)).trained
    spec = await work.spec(name, trained.summary.spec_digest)
    if spec is None:
        raise UnknownSpecError(name, trained.summary.spec_digest)
    dataset, data_version = data
    job = job_id(name, number, version.digest, dataset, data_version)
    event = ScoringRequested(
        model=name, job=job, model_version=number, digest=version.digest, features=version.features,
        entity=spec.data.entity, event_time=spec.data.event_time, dataset=dataset, data_version=data_version,
        task=trained.summary.task, requested_by=by.actor.name, at=at,
    )  # fmt: skip
    await work.publish(event)
    evidence = {"job": job, "version": number, "dataset": dataset, "data_version": data_version}
    await work.append_audit(name, by.actor, AuditEntry("scoring_requested", evidence | {"reason": by.reason}))
    return job


async def remove(work: ModelTables, name: str, by: Requester, expected: int | None) -> int:
    """Remove a model, and return the revision of the removal. See `registration.removal`.

    Raises:
        UnknownModelError: the model has no spec.
        StaleRevisionError: the deployment is not at revision `expected`.

    """
    model = await _existing(work, name)
    model.require_revision(expected)
    decision = removal.remove(model, by.actor)
    await work.save(decision)
    return decision.after.spec_revision


async def _existing(work: ModelTables, name: str) -> Model:
    model = await work.load_for_update(name)
    if model is None:
        raise UnknownModelError(name, await work.names())
    return model
