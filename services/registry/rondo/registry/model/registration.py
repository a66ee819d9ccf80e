"""A candidate becomes a version, and is let serve or is rejected, by what its gates saw."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rondo.contracts.events.models import ModelRegistered, ModelRejected
from rondo.registry.audit.hash_chain import Statement
from rondo.registry.gates import reevaluation
from rondo.registry.gates.champion_comparison import MOVED
from rondo.registry.model.model import BY_RULE, SIGNATURE, Candidate, Decision, Model, Version
from rondo.registry.rollout.strategies import evidence_of, promote

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec


def receive(model: Model, candidate: Candidate, spec: ModelSpec) -> Decision:
    """Give a candidate its version number; promote it if it passed its gates, else reject it.

    `spec` is the one that it was trained on.
    """
    version = _version(model, candidate, spec)
    grown = replace(model, last_version=version.number, versions={**model.versions, version.number: version})
    registered = ModelRegistered(
        model=model.name, model_version=version.number, digest=version.digest, run_id=version.run_id
    )
    statement = Statement("registered", evidence_of(version, candidate))
    follows = (
        promote(grown, version, candidate, BY_RULE, candidate.trained.trigger)
        if version.passed
        else _reject(grown, version, candidate)
    )
    return replace(
        follows,
        before=model,
        candidate=candidate,
        events=(registered, *follows.events),
        statements=(statement, *follows.statements),
    )


def _reject(model: Model, version: Version, candidate: Candidate) -> Decision:
    rejected = ModelRejected(
        model=model.name,
        model_version=version.number,
        digest=version.digest,
        run_id=version.run_id,
        gates=candidate.gates,
    )
    reason = MOVED if reevaluation.has_moved(candidate) else "gates"
    statement = Statement("rejected", {**evidence_of(version, candidate), "reason": reason})
    request = reevaluation.request(candidate)
    if request is None:
        return Decision(model, model, BY_RULE, (rejected,), (statement,))
    asked = Statement("training_requested", {"trigger": request.trigger.model_dump(mode="json"), "reason": reason})
    return Decision(model, model, BY_RULE, (rejected, request), (statement, asked))


def _version(model: Model, candidate: Candidate, spec: ModelSpec) -> Version:
    passed = all(gate.passed for gate in candidate.gates)
    return Version(
        number=model.last_version + 1,
        digest=candidate.trained.digest,
        run_id=candidate.trained.run_id,
        # Who passed is promoted in the same decision; nobody ever sees it in between.
        state="standby" if passed else "rejected",
        passed=passed,
        signature=SIGNATURE.dump_json(spec.features, by_alias=True).decode(),
    )
