"""The changes of a rollout: states of versions, routes, events and audit entries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.deployment import RolloutChanged
from rondo.contracts.vocabularies import EvidenceScope, RolloutState, RouteRole, VersionState
from rondo.registry.audit.hash_chain import AuditEntry
from rondo.registry.model.model import SYSTEM, Actor, Decision
from rondo.registry.rollout.promotion import deployment_of, evidence_of, promoted_event, replace_champion, retirements
from rondo.registry.rollout.rollback import roll_back_to

if TYPE_CHECKING:
    from rondo.registry.model.model import Candidate, Model, Version
    from rondo.registry.model.rollouts import Rollout
    from rondo.registry.rollout.advance import Advance


def begin(model: Model, rollout: Rollout) -> Decision:
    """Deploy the candidate in addition to the champion."""
    after = _with_shares(model.with_states({rollout.candidate: VersionState.ROLLING_OUT}), rollout)
    entry = AuditEntry("rollout_began", _entry(rollout, after, strategy=rollout.plan.strategy))
    return Decision(model, after, SYSTEM, (_deployment(after, rollout), changed_event(rollout)), (entry,))


def apply(model: Model, candidate: Candidate, taken: Advance, actor: Actor = SYSTEM) -> Decision:
    """Return the changes of a decision about a rollout. If `taken.action` is `wait`, there is a verdict."""
    rollout = taken.rollout
    match taken.action:
        case "promote":
            return _promote(model, candidate, taken, actor)
        case "roll_back":
            return _roll_back(model, taken, actor)
        case "step":
            after = _with_shares(model, rollout)
            events: tuple[Any, ...] = (_deployment(after, rollout), changed_event(rollout))
            return Decision(model, after, actor, events, (AuditEntry("rollout_step", _verdict(taken, after)),))
        case "finish":
            after = model.with_routes(model.version(rollout.candidate).route())
            return Decision(
                model, after, actor, (deployment_of(after), changed_event(rollout)),
                (AuditEntry("rollout_ended", _verdict(taken, after)),),
            )  # fmt: skip
        case "wait":
            entry = AuditEntry("rollout_state", _verdict(taken, model) | {"reason": actor.reason})
            return Decision(model, model, actor, (changed_event(rollout),), (entry,))


def supersede(model: Model, rollout: Rollout) -> Decision:
    """End a rollout whose versions no longer serve as it expects, because of another decision."""
    waits = model.versions[rollout.candidate].state == VersionState.ROLLING_OUT
    after = model.with_states({rollout.candidate: VersionState.RETIRED}) if waits else model
    entry = AuditEntry("rollout_superseded", _entry(rollout, after))
    return Decision(model, after, SYSTEM, (changed_event(rollout), *retirements(model, after)), (entry,))


def retire_waiting(model: Model, version: Version, why: str) -> Decision:
    """Retire a waiting version that can no longer be compared."""
    after = model.with_states({version.number: VersionState.RETIRED})
    entry = AuditEntry("rollout_superseded", {"version": version.number, "reason": why})
    return Decision(model, after, SYSTEM, retirements(model, after), (entry,))


def is_in_force(model: Model, rollout: Rollout) -> bool:
    """Return whether the current deployment is that of the rollout."""
    versions = {route.model_version for route in model.routes}
    expected = rollout.candidate if rollout.state == RolloutState.WATCHING else rollout.champion
    champion = model.champion
    return champion is not None and champion.number == expected and rollout.candidate in versions


def changed_event(rollout: Rollout) -> RolloutChanged:
    return RolloutChanged(
        model=rollout.model,
        candidate=rollout.candidate,
        champion=rollout.champion,
        strategy=rollout.plan.strategy,
        state=rollout.state,
        share=rollout.share,
        verdict=rollout.verdict,
        answers=rollout.gathered.answers,
        at=rollout.inconclusive_at or rollout.since,
    )


def _with_shares(model: Model, rollout: Rollout) -> Model:
    """Return the model with the shares of a step. The candidate is first, so that its keys stay with it."""
    share, candidate = rollout.share, model.version(rollout.candidate)
    role = RouteRole.CANARY if share > 0 else RouteRole.SHADOW
    champion = model.version(rollout.champion)
    return model.with_routes(candidate.route(role, share), champion.route(RouteRole.PRIMARY, 1.0 - share))


def _deployment(after: Model, rollout: Rollout) -> Any:
    scope = EvidenceScope.ALL if rollout.share in (0.0, 1.0) else rollout.plan.evidence
    return deployment_of(after).model_copy(update={"evidence": scope})


def _promote(model: Model, candidate: Candidate, taken: Advance, actor: Actor) -> Decision:
    """Make the candidate the champion. The previous one is a shadow until the end of the rollback window."""
    rollout = taken.rollout
    version, before = model.version(rollout.candidate), model.version(rollout.champion)
    replaced = replace_champion(model, version)
    silent = before.route(RouteRole.SHADOW, 0.0)
    after = replace(model.with_states({n: v.state for n, v in replaced.versions.items()})).with_routes(
        version.route(), silent
    )
    promoted = promoted_event(before.number, version, candidate, actor, candidate.trained.trigger)
    events = (promoted, _deployment(after, rollout), *retirements(model, after), changed_event(rollout))
    evidence = evidence_of(version, candidate) | _verdict(taken, after) | {
        "previous_version": before.number, "reason": actor.reason, "passed": version.passed,
    }  # fmt: skip
    return Decision(model, after, actor, events, (AuditEntry("promoted", evidence),))


def _roll_back(model: Model, taken: Advance, actor: Actor) -> Decision:
    rollout = taken.rollout
    reason = (
        actor.reason or f"{taken.verdict or rollout.state} after {rollout.gathered.answers} answers of the candidate"
    )
    champion = model.version(rollout.champion)
    if model.champion is not None and model.champion.number == rollout.candidate:
        found = roll_back_to(model, champion, replace(actor, reason=reason))
        ended = AuditEntry("rollout_ended", _verdict(taken, found.after) | {"reason": reason})
        entries = (*found.audit_entries, ended)
        return replace(found, events=(*found.events, changed_event(rollout)), audit_entries=entries)
    after = model.with_states({rollout.candidate: VersionState.ROLLED_BACK}).with_routes(champion.route())
    entry = AuditEntry("rollout_ended", _verdict(taken, after) | {"reason": reason})
    return Decision(
        model, after, replace(actor, reason=reason), (deployment_of(after), changed_event(rollout)), (entry,)
    )


def _verdict(taken: Advance, after: Model) -> dict[str, Any]:
    return _entry(taken.rollout, after, verdict=taken.verdict, evidence=taken.rollout.facts())


def _entry(rollout: Rollout, after: Model, **more: Any) -> dict[str, Any]:
    known = {
        "version": rollout.candidate,
        "champion": rollout.champion,
        "state": rollout.state,
        "step": rollout.step + 1,
        "share": rollout.share,
        "revision": after.revision,
    }
    return known | more
