"""Goes back to an earlier version: on request, or because no replica can load the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.models import ModelRolledBack
from rondo.contracts.vocabularies import VersionState
from rondo.registry.audit.hash_chain import AuditEntry
from rondo.registry.errors import AlreadyChampionError, NeverServedError, NothingToRollBackToError
from rondo.registry.model.model import SYSTEM, Actor, Decision, Model, Version
from rondo.registry.rollout.promotion import deployment_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.contracts.events.deployment import ReplicaChanged


def previous(model: Model) -> Version | None:
    """Return the version that served last before the champion, was not rolled back, and has another artifact."""
    now = model.champion.digest if model.champion else None
    earlier = (model.versions[number] for number in reversed(model.served))
    return next((v for v in earlier if v.digest != now and v.state != VersionState.ROLLED_BACK), None)


def roll_back(model: Model, number: int | None, actor: Actor) -> Decision:
    """Go back to version `number`, or to the previous one. A version that was rolled back must be named by number.

    Raises:
        NothingToRollBackToError: no version serves, or none served before.
        UnknownVersionError: there is no such version.
        AlreadyChampionError: it serves already.
        NeverServedError: it never served.

    """
    target = previous(model) if number is None else model.version(number)
    if model.champion is None or target is None:
        served = sorted(set(model.served) - {model.champion.number}) if model.champion else ()
        raise NothingToRollBackToError(model.name, served)
    if target.number == model.champion.number:
        raise AlreadyChampionError(model.name, target.number)
    if target.number not in model.served:
        raise NeverServedError(model.name, target.number)
    return roll_back_to(model, target, actor)


def actor_of_refusals(refused: Sequence[ReplicaChanged]) -> Actor:
    """Return the registry as the actor, with the reason of the first replica."""
    who = f"replica{'s' if len(refused) > 1 else ''} {', '.join(report.replica for report in refused)}"
    reason = f"{who} refused version {refused[0].model_version}: {refused[0].detail}"
    return Actor(SYSTEM.name, reason)


def roll_back_to(model: Model, target: Version, actor: Actor) -> Decision:
    """Make `target` the champion. The version that serves becomes `rolled_back`.

    Raises:
        NothingToRollBackToError: no version serves.

    """
    champion = model.champion
    if champion is None:
        raise NothingToRollBackToError(model.name)
    after = model.with_states(
        {champion.number: VersionState.ROLLED_BACK, target.number: VersionState.CHAMPION}
    ).with_routes(target.route())
    rolled_back = ModelRolledBack(
        model=model.name,
        from_version=champion.number,
        to_version=target.number,
        digest=target.digest,
        reason=actor.reason,
        decided_by=actor.name,
    )
    evidence = {
        "from_version": champion.number,
        "to_version": target.number,
        "digest": target.digest,
        "reason": actor.reason,
        "revision": after.revision,
    }
    return Decision(model, after, actor, (rolled_back, deployment_of(after)), (AuditEntry("rolled_back", evidence),))
