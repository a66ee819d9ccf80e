"""Promotion at once: the new champion gets all traffic, and the previous one stays on standby for a rollback.

This is the strategy `replace`, a promotion on request, and the promotion of a first version in any strategy. The other
strategies are rollouts, see `advance.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.models import ModelPromoted, ModelRetired
from rondo.contracts.vocabularies import VersionState
from rondo.registry.audit.hash_chain import AuditEntry
from rondo.registry.errors import AlreadyChampionError, NotPassedError, SameArtifactError
from rondo.registry.model.model import Actor, Candidate, Decision, Model, Version

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event
    from rondo.contracts.events.training import Trigger


def promote_by_hand(model: Model, version: Version, candidate: Candidate, actor: Actor, *, override: bool) -> Decision:
    """Promote a version on request. A version that did not pass its gates needs `override`.

    Raises:
        NotPassedError: it did not pass, and there is no `override`.
        AlreadyChampionError: it serves already.
        SameArtifactError: its artifact serves already.

    """
    if not version.passed and not override:
        failures = tuple(gate.message for gate in candidate.gates if not gate.passed)
        raise NotPassedError(model.name, version.number, failures)
    return promote(model, version, candidate, actor, None)


def promote(model: Model, version: Version, candidate: Candidate, actor: Actor, trigger: Trigger | None) -> Decision:
    """Make a version the champion.

    Raises:
        AlreadyChampionError: it serves already.
        SameArtifactError: its artifact serves already.

    """
    champion = model.champion
    if champion and champion.number == version.number:
        raise AlreadyChampionError(model.name, version.number)
    if champion and champion.digest == version.digest:
        raise SameArtifactError(model.name, version.number, champion.number)
    previous = champion.number if champion else None
    after = replace_champion(model, version)
    evidence = evidence_of(version, candidate) | {
        "previous_version": previous,
        "revision": after.revision,
        "reason": actor.reason,
        "passed": version.passed,
    }
    promoted = promoted_event(previous, version, candidate, actor, trigger)
    events = (promoted, deployment_of(after), *retirements(model, after))
    return Decision(model, after, actor, events, (AuditEntry("promoted", evidence),))


def replace_champion(model: Model, version: Version) -> Model:
    """Apply the strategy `replace`. An older version that waits for its rollout is retired."""
    states: dict[int, VersionState] = {
        number: VersionState.RETIRED
        for number, v in model.versions.items()
        if v.state == VersionState.STANDBY or (v.state == VersionState.WAITING and number < version.number)
    }
    if model.champion is not None:
        states[model.champion.number] = VersionState.STANDBY
    states[version.number] = VersionState.CHAMPION
    return model.with_states(states).with_routes(version.route())


def deployment_of(model: Model) -> DeploymentChanged:
    return DeploymentChanged(model=model.name, revision=model.revision, routes=model.routes)


def promoted_event(
    previous: int | None, version: Version, candidate: Candidate, actor: Actor, trigger: Trigger | None
) -> ModelPromoted:
    return ModelPromoted(
        model=candidate.trained.model,
        model_version=version.number,
        digest=version.digest,
        previous_version=previous,
        decided_by=actor.name,
        gates=candidate.gates,
        trigger=trigger,
        metrics=candidate.trained.summary.metrics,
    )


def retirements(before: Model, after: Model) -> tuple[Event, ...]:
    return tuple(
        ModelRetired(model=after.name, model_version=number, digest=version.digest)
        for number, version in after.versions.items()
        if version.state == VersionState.RETIRED and before.versions[number].state != VersionState.RETIRED
    )


def evidence_of(version: Version, candidate: Candidate) -> dict[str, Any]:
    """Return the entry of a version in the audit log."""
    trained = candidate.trained
    return {
        "version": version.number,
        "digest": version.digest,
        "evidence": trained.evidence,
        "run_id": version.run_id,
        "trigger": trained.trigger.model_dump(mode="json"),
        "spec_digest": trained.summary.spec_digest,
        "training_set_digest": trained.summary.training_set_digest,
        "metrics": trained.summary.model_dump(mode="json")["metrics"],
        "gates": [gate.model_dump(mode="json") for gate in candidate.gates],
    }
