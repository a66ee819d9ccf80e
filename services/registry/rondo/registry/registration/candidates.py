"""Registers a candidate: it becomes a version, and is promoted or rejected by the results of its gates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rondo.contracts.events.models import ModelRegistered, ModelRejected
from rondo.contracts.vocabularies import GateName, VersionState
from rondo.registry.audit.hash_chain import AuditEntry
from rondo.registry.gates.champion_comparison import compared_with_stale_champion, retry_trigger
from rondo.registry.model import runs
from rondo.registry.model.model import SIGNATURE, SYSTEM, Actor, Candidate, Decision, Model, Version
from rondo.registry.rollout.comparability import is_compared, no_common_requests
from rondo.registry.rollout.promotion import evidence_of, promote, retirements

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec


def register_candidate(model: Model, candidate: Candidate, spec: ModelSpec, other_answers: str = "") -> Decision:
    """Give a candidate its version number, and promote or reject it. `spec` is the one that it was trained on.

    `other_answers` says how the kind of its answers differs from the champion's, and is empty if it does not. Such
    versions, or versions without common requests, can't be compared on the same requests: the new one takes over at
    once, like a first version.
    """
    version, champion = _version(model, candidate, spec), model.champion
    grown = replace(model, last_version=version.number, versions={**model.versions, version.number: version})
    registered = ModelRegistered(
        model=model.name, model_version=version.number, digest=version.digest, run_id=version.run_id
    )
    entry = AuditEntry("registered", evidence_of(version, candidate))
    if not version.passed:
        follows = _reject(grown, version, candidate)
    elif champion is None or not is_compared(model.spec.rollout):
        follows = promote(grown, version, candidate, SYSTEM, candidate.trained.trigger)
    elif why := no_common_requests(version, champion) or other_answers:
        by = Actor(SYSTEM.name, f"not compared with the champion: {why}")
        follows = promote(grown, version, candidate, by, candidate.trained.trigger)
    else:
        follows = _wait(grown, version)
    return replace(
        follows,
        before=model,
        candidate=candidate,
        events=(registered, *follows.events),
        audit_entries=(entry, *follows.audit_entries),
    )


def _wait(model: Model, version: Version) -> Decision:
    """Make a version wait for its rollout, which the controller begins. A version that waited before is retired."""
    older = [number for number, each in model.versions.items() if each.state == VersionState.WAITING]
    after = model.with_states({**dict.fromkeys(older, VersionState.RETIRED), version.number: VersionState.WAITING})
    entry = AuditEntry("rollout_waits", {"version": version.number, "strategy": model.spec.rollout.strategy})
    return Decision(model, after, SYSTEM, retirements(model, after), (entry,))


def _reject(model: Model, version: Version, candidate: Candidate) -> Decision:
    rejected = ModelRejected(
        model=model.name,
        model_version=version.number,
        digest=version.digest,
        run_id=version.run_id,
        gates=candidate.gates,
    )
    reason = GateName.STALE_CHAMPION if compared_with_stale_champion(candidate) else "gates"
    entry = AuditEntry("rejected", {**evidence_of(version, candidate), "reason": reason})
    trigger = retry_trigger(candidate)
    if trigger is None:
        return Decision(model, model, SYSTEM, (rejected,), (entry,))
    request, requested = runs.request(model.name, trigger, Actor(SYSTEM.name, reason))
    return Decision(model, model, SYSTEM, (rejected, request), (entry, requested))


def _version(model: Model, candidate: Candidate, spec: ModelSpec) -> Version:
    passed = all(gate.passed for gate in candidate.gates)
    return Version(
        number=model.last_version + 1,
        digest=candidate.trained.digest,
        run_id=candidate.trained.run_id,
        # A version that passed is promoted in the same decision, so no reader sees the state `standby`.
        state=VersionState.STANDBY if passed else VersionState.REJECTED,
        passed=passed,
        signature=SIGNATURE.dump_json(spec.features, by_alias=True).decode(),
    )
